"""No record shows when it changed, so each one gets the time at which it is read, in Python."""

from __future__ import annotations

from datetime import datetime, timedelta, timezone
from typing import Any


def config(url: str, username: str, password: str, start_date: str) -> dict[str, Any]:
    began = (datetime.now(timezone.utc) - timedelta(minutes=1)).isoformat()
    return {
        "client": {
            "base_url": url,
            "auth": {"type": "http_basic", "username": username, "password": password},
            "paginator": {"type": "offset", "limit": 100, "total_path": "total_entries"},
        },
        "resource_defaults": {"write_disposition": "merge"},
        "resources": [
            {
                "name": "dags",
                "primary_key": "dag_id",
                "endpoint": {"params": {"only_active": "false", "order_by": "dag_id"}, "data_selector": "dags"},
            },
            {
                "name": "dag_runs",
                "primary_key": ["dag_id", "dag_run_id"],
                "processing_steps": [{"map": lambda run: {**run, "_read_at": began}}],
                "endpoint": {
                    "path": "dags/~/dagRuns",
                    "params": {"order_by": "id", "updated_at_gte": "{incremental.start_value}"},
                    "incremental": {"cursor_path": "_read_at", "initial_value": f"{start_date}T00:00:00+00:00"},
                    "data_selector": "dag_runs",
                },
            },
            {
                "name": "task_instances",
                "primary_key": ["dag_id", "dag_run_id", "task_id", "map_index"],
                "endpoint": {
                    "path": "dags/{resources.dag_runs.dag_id}/dagRuns/{resources.dag_runs.dag_run_id}/taskInstances",
                    "data_selector": "task_instances",
                },
            },
        ],
    }
