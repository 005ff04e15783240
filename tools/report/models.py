"""Builds the models of dbt/ in a DuckDB file that `fivetran debug` or another destination wrote."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Final

import duckdb

PROJECT: Final = Path(__file__).resolve().parents[2]
SCHEMA: Final = "analytics_prefect"
"""The schema of the models: that of dbt/profiles.yml, and the suffix of dbt/dbt_project.yml."""

_CONNECTIONS: Final = """
SELECT table_schema FROM information_schema.columns
WHERE table_name = 'flow_runs' AND column_name = '_fivetran_synced' ORDER BY table_schema
"""
_SHOWN: Final = 15  # lines of dbt's output


class NotBuilt(RuntimeError):
    """The models were not built. The message says why."""


def build(warehouse: Path, days: int) -> None:
    """Build the models, as of the last sync, in the file with the tables.

    Raises:
        NotBuilt: the file has no flow runs, or dbt failed.
        duckdb.Error: it is not a DuckDB file, or another process uses it.
    """
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
    return [str(dbt), "--quiet", "--no-use-colors", "run", *places, "--vars", json.dumps(given)]


def _settings(folder: str) -> Mapping[str, str]:
    """What keeps dbt from leaving files beside the package, and from sending statistics."""
    return {"DBT_TARGET_PATH": folder, "DBT_LOG_PATH": folder, "DBT_SEND_ANONYMOUS_USAGE_STATS": "false"}


def variables(connection: duckdb.DuckDBPyConnection, days: int) -> Mapping[str, Any]:
    """The variables of dbt: where the tables are, which of those there are that may be left out, and what now is."""
    schemas = [row[0] for row in connection.execute(_CONNECTIONS).fetchall()]
    if not schemas:
        raise NotBuilt("the warehouse has no table flow_runs that a sync wrote")
    tables = {row[0] for row in connection.execute("SELECT table_name FROM information_schema.tables").fetchall()}
    return {
        "prefect_schema": schemas[0],
        "prefect_sources": [{"schema": schema} for schema in schemas] if len(schemas) > 1 else [],
        "prefect__using_flow_run_states": "flow_run_states" in tables,
        "prefect__recent_days": days,
        "prefect__now": _last_synced(connection, schemas),
    }


def _last_synced(connection: duckdb.DuckDBPyConnection, schemas: Sequence[str]) -> str | None:
    """When a sync last wrote a run, in UTC."""
    tables = " UNION ALL ".join(f"SELECT _fivetran_synced AS synced FROM {_quoted(one)}.flow_runs" for one in schemas)
    connection.execute("SET TimeZone = 'UTC'")
    row = connection.execute(f"SELECT strftime(max(synced), '%Y-%m-%d %H:%M:%S') FROM ({tables})").fetchone()
    return row[0] if row else None


def _quoted(name: str) -> str:
    return '"{}"'.format(name.replace('"', '""'))
