"""Flow runs as Prefect 3 sends them, with 36 keys and about 1.9 KB of JSON each, and 30 columns mapped from them."""

from __future__ import annotations

import json
import uuid
from collections.abc import Mapping
from datetime import datetime, timedelta, timezone
from functools import cache
from typing import Any, Final

SHAPES: Final = 1000  # distinct records; the others differ from one of them only in id and start
_START: Final = datetime(2024, 5, 1, tzinfo=timezone.utc)
_UNSET_DETAILS: Final = (
    *("task_run_id", "child_flow_run_id", "cache_key", "cache_expiration", "pause_timeout", "pause_key"),
    *("run_input_keyset", "refresh_cache", "retriable", "transition_id", "task_parameters_id", "traceparent"),
)

COLUMNS: Final[Mapping[str, tuple[str, str]]] = {
    "id": ("$.id", "STRING"),
    "created": ("$.created", "UTC_DATETIME"),
    "updated": ("$.updated", "UTC_DATETIME"),
    "name": ("$.name", "STRING"),
    "flow_id": ("$.flow_id", "STRING"),
    "deployment_id": ("$.deployment_id", "STRING"),
    "state_id": ("$.state_id", "STRING"),
    "state_type": ("$.state_type", "STRING"),
    "state_name": ("$.state_name", "STRING"),
    "state_message": ("$.state.message", "STRING"),
    "state_timestamp": ("$.state.timestamp", "UTC_DATETIME"),
    "expected_start_time": ("$.expected_start_time", "UTC_DATETIME"),
    "next_scheduled_start_time": ("$.next_scheduled_start_time", "UTC_DATETIME"),
    "start_time": ("$.start_time", "UTC_DATETIME"),
    "end_time": ("$.end_time", "UTC_DATETIME"),
    "total_run_time": ("$.total_run_time", "DOUBLE"),
    "estimated_run_time": ("$.estimated_run_time", "DOUBLE"),
    "run_count": ("$.run_count", "INT"),
    "auto_scheduled": ("$.auto_scheduled", "BOOLEAN"),
    "flow_version": ("$.flow_version", "STRING"),
    "parameters": ("$.parameters", "JSON"),
    "context": ("$.context", "JSON"),
    "empirical_policy": ("$.empirical_policy", "JSON"),
    "tags": ("$.tags", "JSON"),
    "labels": ("$.labels", "JSON"),
    "job_variables": ("$.job_variables", "JSON"),
    "idempotency_key": ("$.idempotency_key", "STRING"),
    "infrastructure_pid": ("$.infrastructure_pid", "STRING"),
    "work_queue_id": ("$.work_queue_id", "STRING"),
    "work_queue_name": ("$.work_queue_name", "STRING"),
}
"""The JSONPath and type of each mapped column."""


def head(number: int) -> bytes:
    """The beginning of a record's JSON, which makes it unique."""
    seconds = number // 3
    start = f"2024-{seconds // 2_592_000 % 12 + 1:02}-{seconds // 86_400 % 28 + 1:02}T{seconds // 3600 % 24:02}"
    start += f":{seconds // 60 % 60:02}:{seconds % 60:02}.{number % 3}00000Z"
    return b'{"id":"00000000-0000-4000-8000-%012x","expected_start_time":"%s",' % (number, start.encode())


def page(first: int, rows: int) -> bytes:
    """The JSON of a page of records, starting at a number."""
    rest = tails()
    return b"[%s]" % b",".join([head(number) + rest[number % SHAPES] for number in range(first, first + rows)])


@cache
def tails() -> list[bytes]:
    """The rest of the JSON of the distinct records. A record's tail is that of its number modulo SHAPES."""
    return [json.dumps(_shape(number), separators=(",", ":")).encode()[1:] for number in range(SHAPES)]


def _uuid(number: int, salt: int) -> str:
    return str(uuid.UUID(int=(number + 1) * 0x9E3779B97F4A7C15F39CC0605CEDC835 * (salt + 1) % 2**128))


def _instant(seconds: float) -> str:
    return (_START + timedelta(seconds=seconds)).isoformat().replace("+00:00", "Z")


def _shape(number: int) -> dict[str, Any]:
    flow, state, state_type = _uuid(number % 50, 1), _uuid(number, 2), ("COMPLETED", "FAILED", "CRASHED")[number % 3]
    end = _instant(number * 60 + 0.123456)
    return {
        "created": _instant(number * 60),
        "updated": end,
        "name": f"run-{number:07}",
        "flow_id": flow,
        "state_id": state,
        "deployment_id": _uuid(number % 100, 3),
        "deployment_version": None,
        "work_queue_id": _uuid(number % 5, 4),
        "work_queue_name": "default",
        "flow_version": f"{number % 16:x}",
        "parameters": {"day": "2024-05-01", "region": "eu-west-1", "number": number},
        "idempotency_key": None if number % 2 else f"scheduled {flow} {end}",
        "context": {},
        "empirical_policy": {
            "max_retries": 0,
            "retry_delay_seconds": 0.0,
            "retries": 0,
            "retry_delay": 0,
            "pause_keys": [],
            "resuming": False,
            "retry_type": None,
        },
        "tags": ["nightly", f"team-{number % 7}"],
        "labels": {"prefect.flow.id": flow},
        "parent_task_run_id": None,
        "state_type": state_type,
        "state_name": state_type.title(),
        "run_count": 1,
        "next_scheduled_start_time": None,
        "start_time": _instant(number * 60 - 30.5),
        "end_time": end,
        "total_run_time": 30.623456 + number,
        "estimated_run_time": 30.623456 + number,
        "estimated_start_time_delta": 6.45816,
        "auto_scheduled": number % 2 == 0,
        "infrastructure_document_id": None,
        "infrastructure_pid": None,
        "created_by": None,
        "work_pool_id": None,
        "work_pool_name": None,
        "state": {
            "id": state,
            "type": state_type,
            "name": state_type.title(),
            "timestamp": end,
            "message": "All states completed.",
            "data": None,
            "state_details": {
                "flow_run_id": _uuid(number, 0),
                "scheduled_time": _instant(number * 60 - 36),
                "deferred": False,
                "untrackable_result": False,
                "pause_reschedule": False,
                **dict.fromkeys(_UNSET_DETAILS),
            },
        },
        "job_variables": {"image": "registry.example.com/flows:1.2.3"},
    }
