"""The models of dbt/ as tables with the rows that a test needs. test_report.py reads the real ones."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any, Final

import duckdb

from tools.report.warehouse import Warehouse, of

NOW: Final = datetime(2026, 11, 26, 12)
"""When the last sync was: a Thursday."""
DAY: Final = timedelta(days=1)

Row = Mapping[str, Any]

_RELATION: Final = "warehouse.prefect"

_MODELS: Final[Mapping[str, str]] = {
    "flow_runs_enhanced": """flow_run_id VARCHAR, flow_run_name VARCHAR, flow_id VARCHAR,
        flow_name VARCHAR, deployment_id VARCHAR, deployment_name VARCHAR, state_type VARCHAR, is_final BOOLEAN,
        is_failed BOOLEAN, expected_start_time TIMESTAMP, lateness_seconds DOUBLE, is_late BOOLEAN,
        duration_seconds DOUBLE, run_seconds DOUBLE, state_message VARCHAR, ended_at TIMESTAMP,
        _fivetran_synced TIMESTAMP""",
    "deployment_health": """flow_name VARCHAR, deployment_name VARCHAR, health VARCHAR, failure_streak INT,
        recent_failure_rate DOUBLE, recent_runs INT, last_success_at TIMESTAMP, next_expected_at TIMESTAMP""",
    "stuck_runs": """flow_run_id VARCHAR, flow_run_name VARCHAR, flow_name VARCHAR, deployment_name VARCHAR,
        state_type VARCHAR, reason VARCHAR, waiting_since TIMESTAMP, stuck_seconds DOUBLE, usual_seconds_p99 DOUBLE,
        work_pool_name VARCHAR""",
    "state_time": """flow_run_id VARCHAR, state_type VARCHAR, state_name VARCHAR,
        seconds DOUBLE""",
    "task_hotspots": """flow_name VARCHAR, task_key VARCHAR, task_runs INT, failed_task_runs INT,
        crashed_task_runs INT, retries INT, failure_rate DOUBLE, run_seconds DOUBLE, duration_seconds_p50 DOUBLE,
        duration_seconds_p90 DOUBLE, duration_seconds_p99 DOUBLE""",
    "work_pool_load": """work_pool_name VARCHAR, date_day DATE, peak_running_runs INT, concurrency_limit INT,
        started_runs INT, late_runs INT, run_seconds DOUBLE""",
    "tag_usage": """date_day DATE, tag_name VARCHAR, runs INT, completed_runs INT, failed_runs INT,
        run_seconds DOUBLE""",
}


def run(state_type: str = "COMPLETED", due: datetime = NOW - DAY, **values: Any) -> Row:
    """A run of a deployment, which took a minute and was three seconds late."""
    final = state_type in ("COMPLETED", "FAILED", "CRASHED", "CANCELLED")
    ran = {"duration_seconds": 60.0, "run_seconds": 60.0, "lateness_seconds": 3.0} if final else {"run_seconds": 0.0}
    row: Row = {
        "source_relation": _RELATION,
        "flow_run_name": "amber-otter",
        "flow_id": "f",
        "flow_name": "etl",
        "deployment_id": "d",
        "deployment_name": "nightly",
        "state_type": state_type,
        "is_final": final,
        "is_failed": state_type in ("FAILED", "CRASHED"),
        "expected_start_time": due,
        "_fivetran_synced": NOW,
        **ran,
        **values,
    }
    return {**row, "is_late": row["lateness_seconds"] > 30 if row.get("lateness_seconds") is not None else None}


def warehouse(runs: Sequence[Row] = (), *, days: int = 7, **models: Sequence[Row]) -> Warehouse:
    """A warehouse with these runs, and these rows of other models, by the model's name after ``prefect__``."""
    connection = duckdb.connect(config={"threads": 1})
    connection.execute("CREATE SCHEMA analytics_prefect")
    numbered = [{"flow_run_id": str(number), **row} for number, row in enumerate(runs)]
    for name, columns in _MODELS.items():
        table = f"analytics_prefect.prefect__{name}"
        connection.execute(f"CREATE TABLE {table} (source_relation VARCHAR DEFAULT '{_RELATION}', {columns})")
        for row in numbered if name == "flow_runs_enhanced" else models.get(name, ()):
            values = ", ".join("NULL" if value is None else f"'{value}'" for value in row.values())
            connection.execute(f"INSERT INTO {table} ({', '.join(row)}) VALUES ({values})")
    return of(connection, days)
