"""Show the main job: start a Prefect server, run flows, sync them with `fivetran debug`, query the warehouse, report.

Everything runs on 127.0.0.1 and in temporary folders that are deleted at the end. The warehouse and report are kept.
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
from datetime import datetime, timezone
from pathlib import Path
from typing import Any, Final

import duckdb
import requests

from dev.demo.history import seed_history
from dev.testbed.prefect_server import PROJECT, PrefectServer, environment_of
from engine.nouns import counted

CONNECTOR: Final = ("connector.py", "engine", "streams.yaml", "schemas", "pyproject.toml")
TABLES: Final = ("flow_runs", "flows", "deployments")
STREAMS: Final = (*TABLES, "deployment_schedules", "task_runs", "flow_run_states", "work_pools")
STEPS: Final = 7
KEPT: Final = PROJECT / "files"
_ENVIRONMENT: Final = {
    "PREFECT_SERVER_SERVICES_SCHEDULER_RECENT_DEPLOYMENTS_LOOP_SECONDS": "0.5",  # not 5: no waiting
    "PREFECT_SERVER_SERVICES_SCHEDULER_LOOP_SECONDS": "3600",  # the deployments of the history have their next runs
}


class DemoError(RuntimeError):
    """A step of the demo failed."""


def main() -> int:
    """Run the demo; returns the exit code."""
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
    print(f"\nDone in {time.monotonic() - began:.0f} s. The server is stopped and its files are deleted.")
    print("Open files/report.html in a browser. files/demo.db has the tables and the models.")
    print('Next: "Sync your own Prefect" in README.md.')
    return 0


def _demo(connector: Path) -> None:
    _step(1, "Start a Prefect 3 server with SQLite")
    with PrefectServer(3, background_services=True, environment=_ENVIRONMENT) as server:
        print(f"    Prefect {server.version} listens on {server.api_url}")

        _step(2, "Run flows: tasks, retries, failures, and two deployments with schedules, after four weeks of history")
        runs = seed_history(server.database, datetime.now(timezone.utc))
        print(f"    Wrote {counted(runs, 'flow runs')} of a data team into the database")
        _run_flows(server.api_url, "first")
        _wait_for_scheduled_runs(server.api_url)
        _count(server.api_url)

        _step(3, "Sync with `fivetran debug`: the first sync reads everything")
        _copy_connector(connector, server.api_url)
        _sync(connector)

        _step(4, "Query the warehouse, files/warehouse.db")
        counts = " UNION ALL ".join(f"SELECT '{table}' AS table, count(*) AS rows FROM {table}" for table in TABLES)
        _show(connector, "Tables", counts)
        _show(connector, "Runs of the last minutes, by flow and state", _RUNS_BY_FLOW)

        _step(5, "Run a flow, edit a flow's tags, delete a deployment, and sync again")
        before = _last_synced(connector)
        _run_flows(server.api_url, "second")
        _edit(server.api_url)
        _count(server.api_url)
        _sync(connector)

        _step(6, "See what the second sync changed")
        _show(connector, "Incremental tables: only the rows that changed", _synced_since(before))
        _show(connector, "Full refresh: the deleted deployment is marked", _DEPLOYMENTS)

        _step(7, "Answer questions: build the dbt models in the warehouse, and write a page")
        _report(connector)


_RUNS_BY_FLOW: Final = """
SELECT flows.name AS flow, flow_runs.state_name AS state, count(*) AS runs,
       coalesce(round(avg(total_run_time), 2)::VARCHAR, '') AS mean_seconds
FROM flow_runs JOIN flows ON flows.id = flow_runs.flow_id
WHERE flows.name IN ('load-orders', 'refresh-prices', 'send-report')
GROUP BY ALL ORDER BY flow, state
"""


_DEPLOYMENTS: Final = """
SELECT name AS deployment, _fivetran_deleted AS deleted FROM deployments
WHERE tags::VARCHAR LIKE '%demo%' ORDER BY name
"""


def _synced_since(moment: str) -> str:
    return " UNION ALL ".join(
        f"SELECT '{table}' AS table, name, {column} AS state_or_tags, _fivetran_deleted AS deleted "
        f"FROM {table} WHERE _fivetran_synced > '{moment}'"
        for table, column in (("flow_runs", "state_name"), ("flows", "tags::VARCHAR"))
    )


def _step(number: int, title: str) -> None:
    print(f"\n{number}/{STEPS} {title}", flush=True)


def _run_flows(api_url: str, day: str) -> None:
    variables = {name: value for name, value in os.environ.items() if not name.startswith(("PREFECT_", "PYTHON"))}
    with tempfile.TemporaryDirectory() as home:
        variables |= {"PREFECT_API_URL": api_url, "PREFECT_HOME": home, "PREFECT_LOGGING_LEVEL": "CRITICAL"}
        _run(
            [str(environment_of(3) / "bin" / "python"), "flows.py", day],
            cwd=PROJECT / "dev" / "demo",
            variables=variables | {"DO_NOT_TRACK": "1"},
            quiet=True,
        )


def _wait_for_scheduled_runs(api_url: str) -> None:
    """Wait until the server has scheduled the next runs of the deployments."""
    deadline = time.monotonic() + 60
    body = {"flow_runs": {"state": {"type": {"any_": ["SCHEDULED"]}}}}
    while not _call(api_url, "/flow_runs/count", body):
        if time.monotonic() > deadline:
            raise DemoError("the server scheduled no runs within a minute")
        time.sleep(0.2)


def _count(api_url: str) -> None:
    counts = [counted(_call(api_url, f"/{table}/count", {}), table.replace("_", " ")) for table in TABLES]
    print(f"    The server has {', '.join(counts[:-1])} and {counts[-1]}.")


def _edit(api_url: str) -> None:
    flow = next(f for f in _call(api_url, "/flows/filter", {}) if f["name"] == "send-report")
    _call(api_url, f"/flows/{flow['id']}", {"tags": ["reports", "edited"]}, method="PATCH")
    deployment = next(d for d in _call(api_url, "/deployments/filter", {}) if d["name"] == "weekly")
    _call(api_url, f"/deployments/{deployment['id']}", None, method="DELETE")


def _call(api_url: str, path: str, body: Mapping[str, Any] | None, *, method: str = "POST") -> Any:
    response = requests.request(method, api_url + path, json=body, timeout=30)
    if not response.ok:
        raise DemoError(f"{method} {path} returned {response.status_code}: {response.text[:300]}")
    return response.json() if response.content else None


def _copy_connector(folder: Path, api_url: str) -> None:
    """Copy what Fivetran would receive to another folder, so that a sync does not touch this project's files/."""
    folder.mkdir()
    for name in CONNECTOR:
        copy = shutil.copytree if (PROJECT / name).is_dir() else shutil.copy
        copy(PROJECT / name, folder / name)
    configuration = {"api_url": api_url, "streams": ", ".join(STREAMS)}
    (folder / "configuration.json").write_text(json.dumps(configuration, indent=2), "utf-8")
    print(f"    configuration.json: {json.dumps(configuration)}")


def _sync(connector: Path) -> None:
    tools = str(Path(sys.executable).parent)
    _run(
        [str(Path(tools) / "fivetran"), "debug", "--configuration", "configuration.json"],
        cwd=connector,
        variables={**os.environ, "PATH": f"{tools}{os.pathsep}{os.environ['PATH']}", "DO_NOT_TRACK": "1"},
    )


def _report(connector: Path) -> None:
    """Keep the warehouse, and write the report beside it."""
    KEPT.mkdir(exist_ok=True)
    shutil.copy(connector / "files" / "warehouse.db", KEPT / "demo.db")
    _run(
        [sys.executable, "-m", "engine", "report", "--warehouse", "files/demo.db"],
        cwd=PROJECT,
        variables=os.environ,
    )


def _run(command: list[str], *, cwd: Path, variables: Mapping[str, str], quiet: bool = False) -> None:
    """Run a command and print its output, indented, line by line; if ``quiet``, only when the command fails."""
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
        raise DemoError("\n".join([f"{command[0]} exited with {process.returncode}", *(kept[-30:] if quiet else [])]))


def _warehouse(connector: Path) -> duckdb.DuckDBPyConnection:
    warehouse = duckdb.connect(str(connector / "files" / "warehouse.db"), read_only=True)
    warehouse.execute("SET schema = 'tester'")
    return warehouse


def _last_synced(connector: Path) -> str:
    """When the sync wrote its latest row."""
    latest = " UNION ALL ".join(f"SELECT max(_fivetran_synced) AS synced FROM {table}" for table in TABLES)
    with _warehouse(connector) as warehouse:
        row = warehouse.execute(f"SELECT max(synced)::VARCHAR FROM ({latest})").fetchone()
    assert row is not None
    return str(row[0])


def _show(connector: Path, title: str, sql: str) -> None:
    """Print the result of a query as a table."""
    with _warehouse(connector) as warehouse:
        result = warehouse.execute(sql)
        names = [column[0] for column in result.description or []]
        rows = [["" if value is None else str(value) for value in row] for row in result.fetchall()]
    widths = [max(map(len, column)) for column in zip(names, *rows, strict=True)]
    print(f"\n    {title}")
    for number, line in enumerate([names, ["-" * width for width in widths], *rows]):
        cells = (cell.ljust(width) for cell, width in zip(line, widths, strict=True))
        print(f"      {'  '.join(cells)}".rstrip(), flush=number == len(rows))


if __name__ == "__main__":
    sys.exit(main())
