"""Builds the models of dbt/ in a DuckDB file that `fivetran debug` or another destination wrote."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Mapping, Sequence
from datetime import datetime
from pathlib import Path
from typing import Any, Final

import duckdb

from tools.report.warehouse import first_day

PROJECT: Final = Path(__file__).resolve().parents[2]

_CONNECTIONS: Final = """
SELECT table_schema FROM information_schema.columns
WHERE table_name = 'flow_runs' AND column_name = '_fivetran_synced' ORDER BY table_schema
"""
_SHOWN: Final = 15  # lines of dbt's output
_RESERVED: Final = frozenset({"main", "system", "temp"})  # names of DuckDB's own, which files cannot have


class NotBuilt(RuntimeError):
    """The models were not built. The message says why."""


def build(warehouse: Path, days: int) -> None:
    """Build the models from scratch, as of the last sync, in the file with the tables.

    What an earlier build left there can be of a file with another name, or of connections that it no longer has.

    Raises:
        NotBuilt: the file has no flow runs or a name that DuckDB reserves, or dbt failed.
        duckdb.Error: it is not a DuckDB file, or another process uses it.
    """
    if warehouse.stem in _RESERVED:
        raise NotBuilt(f'DuckDB has a catalog of its own called "{warehouse.stem}"; rename the file')
    with duckdb.connect(str(warehouse), read_only=True) as connection:
        given = variables(connection, days)
    with tempfile.TemporaryDirectory() as folder:
        done = subprocess.run(
            _command(given),
            env={**os.environ, **_settings(folder), "PREFECT_WAREHOUSE": str(warehouse)},
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )
    if done.returncode:
        raise NotBuilt("\n".join(["dbt failed:", *done.stdout.strip().splitlines()[-_SHOWN:]]))


def _command(given: Mapping[str, Any]) -> Sequence[str]:
    dbt, project = Path(sys.executable).with_name("dbt"), PROJECT / "dbt"
    places = ["--project-dir", str(project), "--profiles-dir", str(project), "--target", "duckdb"]
    return [str(dbt), "--quiet", "--no-use-colors", "run", "--full-refresh", *places, "--vars", json.dumps(given)]


def _settings(folder: str) -> Mapping[str, str]:
    """What keeps dbt from leaving files beside the package, and from sending statistics."""
    return {"DBT_TARGET_PATH": folder, "DBT_LOG_PATH": folder, "DBT_SEND_ANONYMOUS_USAGE_STATS": "false"}


def variables(connection: duckdb.DuckDBPyConnection, days: int) -> Mapping[str, Any]:
    """The variables of dbt: where the tables are, which of those there are that may be left out, and what now is."""
    schemas = [row[0] for row in connection.execute(_CONNECTIONS).fetchall()]
    if not schemas:
        raise NotBuilt("the warehouse has no table flow_runs that a sync wrote")
    tables = {row[0] for row in connection.execute("SELECT table_name FROM information_schema.tables").fetchall()}
    now = _last_synced(connection, schemas)
    return {
        "prefect_schema": schemas[0],
        "prefect_sources": [{"schema": schema} for schema in schemas] if len(schemas) > 1 else [],
        "prefect__using_flow_run_states": "flow_run_states" in tables,
        "prefect__recent_days": days if now is None else (now.date() - first_day(now.date(), days)).days + 1,
        "prefect__now": now and f"{now:%Y-%m-%d %H:%M:%S}",
    }


def _last_synced(connection: duckdb.DuckDBPyConnection, schemas: Sequence[str]) -> datetime | None:
    """When a sync last wrote a run, in UTC, without an offset."""
    tables = " UNION ALL ".join(f"SELECT _fivetran_synced AS synced FROM {_quoted(one)}.flow_runs" for one in schemas)
    connection.execute("SET TimeZone = 'UTC'")
    row = connection.execute(f"SELECT CAST(max(synced) AS TIMESTAMP) FROM ({tables})").fetchone()
    return row[0] if row else None


def _quoted(name: str) -> str:
    return '"{}"'.format(name.replace('"', '""'))
