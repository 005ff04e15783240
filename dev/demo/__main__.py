"""The main job, shown: a Prefect server, real flows, `fivetran debug`, and what arrived in the warehouse.

Everything happens in temporary folders and on 127.0.0.1, and is gone at the end.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

import duckdb
import requests

from dev.testbed.prefect_server import PROJECT, PrefectServer, environment_of

CONNECTOR: Final = ("connector.py", "engine", "streams.yaml", "schemas", "pyproject.toml")
TABLES: Final = ("flow_runs", "flows", "deployments")
STEPS: Final = 6


class DemoError(RuntimeError):
    """A step of the demo failed."""


def main() -> int:
    """Run the demo; answers with the exit code."""
    began = time.monotonic()
    try:
        with tempfile.TemporaryDirectory(prefix="prefect-connector-demo-") as folder:
            _demo(Path(folder) / "connector")
    except DemoError as error:
        print(f"\nThe demo failed: {error}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print("\nStopped.", file=sys.stderr)
        return 130
    print(f"\nDone in {time.monotonic() - began:.0f} s. Nothing is left running.")
    print('Next: point it at your own Prefect, README.md, "Getting started".')
    return 0


def _demo(connector: Path) -> None:
    _step(1, "Starting a Prefect 3 server (SQLite, in a temporary folder)")
    with PrefectServer(3, background_services=True) as server:
        print(f"    Prefect {server.version} at {server.api_url}")

        _step(2, "Running flows on it: tasks, a retry, failures, two deployments with schedules")
        _run_flows(server.api_url, "first")
        _wait_for_scheduled_runs(server.api_url)

        _step(3, "fivetran debug: the first sync copies everything")
        _copy_connector(connector, server.api_url)
        _sync(connector)

        _step(4, "What arrived in files/warehouse.db")
        _show(
            connector, "tables", " UNION ALL ".join(f"SELECT '{t}' AS table, count(*) AS rows FROM {t}" for t in TABLES)
        )
        _show(connector, "runs by flow and state", _RUNS_BY_FLOW)

        _step(5, "Making changes: one more run, a flow's tags edited, a deployment deleted; then fivetran debug again")
        before = _moment(connector)
        _run_flows(server.api_url, "second")
        _edit(server.api_url)
        _sync(connector)

        _step(6, "What the second sync sent")
        _show(connector, "incremental tables: only rows that changed", _sent_since(before))
        _show(
            connector,
            "deployments are refreshed as a whole: the deleted one is marked",
            "SELECT name AS deployment, _fivetran_deleted AS deleted FROM deployments ORDER BY name",
        )


_RUNS_BY_FLOW: Final = """
SELECT flows.name AS flow, flow_runs.state_name AS state, count(*) AS runs,
       coalesce(round(avg(total_run_time), 2)::VARCHAR, '') AS mean_seconds
FROM flow_runs JOIN flows ON flows.id = flow_runs.flow_id
GROUP BY ALL ORDER BY flow, state
"""


def _sent_since(moment: str) -> str:
    return " UNION ALL ".join(
        f"SELECT '{table}' AS table, name, {what} AS state_or_tags FROM {table} WHERE _fivetran_synced > '{moment}'"
        for table, what in (("flow_runs", "state_name"), ("flows", "tags::VARCHAR"))
    )


def _step(number: int, words: str) -> None:
    print(f"\n{number}/{STEPS} {words}", flush=True)


def _run_flows(api_url: str, day: str) -> None:
    variables = {name: text for name, text in os.environ.items() if not name.startswith(("PREFECT_", "PYTHON"))}
    with tempfile.TemporaryDirectory() as home:
        variables |= {"PREFECT_API_URL": api_url, "PREFECT_HOME": home, "PREFECT_LOGGING_LEVEL": "CRITICAL"}
        _run(
            [str(environment_of(3) / "bin" / "python"), "flows.py", day],
            cwd=PROJECT / "dev" / "demo",
            variables=variables | {"DO_NOT_TRACK": "1"},
            quiet=True,
        )
    counts = [f"{_call(api_url, f'/{table}/count', {})} {table.replace('_', ' ')}" for table in TABLES]
    print(f"    the server now holds {', '.join(counts)}")


def _wait_for_scheduled_runs(api_url: str) -> None:
    """The scheduler makes the runs of the next hours a few seconds after a deployment was made."""
    deadline = time.monotonic() + 60
    body = {"flow_runs": {"state": {"type": {"any_": ["SCHEDULED"]}}}}
    while not _call(api_url, "/flow_runs/count", body):
        if time.monotonic() > deadline:
            raise DemoError("the server made no scheduled runs within a minute")
        time.sleep(0.5)
    print(f"    and has scheduled {_call(api_url, '/flow_runs/count', body)} runs to come")


def _edit(api_url: str) -> None:
    flow = next(f for f in _call(api_url, "/flows/filter", {}) if f["name"] == "send-report")
    _call(api_url, f"/flows/{flow['id']}", {"tags": ["reports", "edited"]}, method="PATCH")
    deployment = next(d for d in _call(api_url, "/deployments/filter", {}) if d["name"] == "weekly")
    _call(api_url, f"/deployments/{deployment['id']}", None, method="DELETE")


def _call(api_url: str, path: str, body: Mapping[str, Any] | None, *, method: str = "POST") -> Any:
    response = requests.request(method, api_url + path, json=body, timeout=30)
    if not response.ok:
        raise DemoError(f"{method} {path} was answered {response.status_code}: {response.text[:300]}")
    return response.json() if response.content else None


def _copy_connector(folder: Path, api_url: str) -> None:
    """What Fivetran would be given, in a folder of its own, so that the files/ of this project stay what they are."""
    folder.mkdir()
    for name in CONNECTOR:
        copy = shutil.copytree if (PROJECT / name).is_dir() else shutil.copy
        copy(PROJECT / name, folder / name)
    configuration = {"api_url": api_url, "streams": ", ".join(TABLES)}
    (folder / "configuration.json").write_text(json.dumps(configuration, indent=2), "utf-8")
    print(f"    configuration.json: {json.dumps(configuration)}")


def _sync(connector: Path) -> None:
    tools = str(Path(sys.executable).parent)
    _run(
        [str(Path(tools) / "fivetran"), "debug", "--configuration", "configuration.json"],
        cwd=connector,
        variables={**os.environ, "PATH": f"{tools}{os.pathsep}{os.environ['PATH']}", "DO_NOT_TRACK": "1"},
    )


def _run(command: list[str], *, cwd: Path, variables: Mapping[str, str], quiet: bool = False) -> None:
    """Run a command, its output indented as it comes; or kept, and shown only when it fails."""
    print(f"    $ {Path(command[0]).name} {' '.join(command[1:])}", flush=True)
    with subprocess.Popen(
        command, cwd=cwd, env=variables, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT
    ) as process:
        assert process.stdout is not None
        kept: list[str] = []
        try:
            for line in process.stdout:
                kept.append(f"    | {line.decode('utf-8', 'replace').rstrip()}")
                if not quiet:
                    print(kept[-1], flush=True)
        except BaseException:
            process.kill()
            raise
    if process.returncode:
        raise DemoError("\n".join([f"{command[0]} ended with {process.returncode}", *(kept[-30:] if quiet else [])]))


def _warehouse(connector: Path) -> duckdb.DuckDBPyConnection:
    warehouse = duckdb.connect(str(connector / "files" / "warehouse.db"), read_only=True)
    warehouse.execute("SET schema = 'tester'")
    return warehouse


def _moment(connector: Path) -> str:
    """When the newest row so far was written."""
    latest = " UNION ALL ".join(f"SELECT max(_fivetran_synced) AS moment FROM {table}" for table in TABLES)
    with _warehouse(connector) as warehouse:
        row = warehouse.execute(f"SELECT max(moment)::VARCHAR FROM ({latest})").fetchone()
    assert row is not None
    return str(row[0])


def _show(connector: Path, title: str, sql: str) -> None:
    """Print the answer to a question as a table."""
    with _warehouse(connector) as warehouse:
        answer = warehouse.execute(sql)
        names = [column[0] for column in answer.description or []]
        rows = [["" if value is None else str(value) for value in row] for row in answer.fetchall()]
    widths = [max(len(text) for text in column) for column in zip(names, *rows, strict=True)]
    print(f"\n    {title}")
    for number, line in enumerate([names, ["-" * width for width in widths], *rows]):
        cells = (text.ljust(width) for text, width in zip(line, widths, strict=True))
        print(f"      {'  '.join(cells)}".rstrip(), flush=number == len(rows))


if __name__ == "__main__":
    sys.exit(main())
