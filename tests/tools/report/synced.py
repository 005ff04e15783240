"""A DuckDB file as a sync leaves it, with the history of the demo and with names that are hard to show."""

from __future__ import annotations

import json
from collections.abc import Mapping
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any, Final

import duckdb

from dev.demo.history import rows
from dev.testbed.seed import Row

NAMES: Final[Mapping[str, str]] = {
    "send-digest": "<script>document.title = 'run'</script>",
    "sync-crm": '"><img src=http://127.0.0.1:9/x onerror="document.title = 1">',
    "vacuum": "a name without end " * 20,
    "fetch-rates": "价格 🚀 \u202etxt.exe\n\x07",
}
"""Flows of the history, and their names here."""


def write(path: Path, now: datetime) -> dict[str, list[Row]]:
    """Write the file, as of now; returns the rows of each table."""
    tables = {f"{table}s": found for table, found in rows(now).items()}
    del tables["task_run_states"]
    for flow in tables["flows"]:
        flow["name"] = NAMES.get(flow["name"], flow["name"])
    pools = {pool["default_queue_id"]: pool for pool in tables["work_pools"]}
    for run in tables["flow_runs"]:
        pool = pools[run["work_queue_id"]]
        run |= {"work_pool_id": pool["id"], "work_pool_name": pool["name"]}
    with duckdb.connect(str(path)) as connection:
        connection.execute("CREATE SCHEMA prefect")
        for table, found in tables.items():
            _create(connection, path.with_suffix(".json"), table, found, now)
    return tables


def _create(connection: duckdb.DuckDBPyConnection, file: Path, table: str, found: list[Row], now: datetime) -> None:
    columns = {"_fivetran_synced": now, "_fivetran_deleted": False}
    file.write_text("\n".join(json.dumps(row | columns, default=_value) for row in found), "utf-8")
    connection.execute(f"CREATE TABLE prefect.{table} AS SELECT * FROM read_json('{file}', sample_size = -1)")


def _value(value: Any) -> Any:
    return value.total_seconds() if isinstance(value, timedelta) else value.isoformat()
