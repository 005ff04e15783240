"""Which runs are stuck."""

from __future__ import annotations

from typing import Any, Final

from tools.report.parts import Answer, Row, Table, numbers
from tools.report.warehouse import Warehouse
from tools.report.words import duration, minute, name

_ROWS: Final = 15
_STUCK: Final = """
SELECT *, label_of(source_relation, flow_name, deployment_name) AS label
FROM prefect__stuck_runs ORDER BY stuck_seconds DESC, flow_run_id
"""


def answer(warehouse: Warehouse) -> Answer:
    """The runs that have been in an open state for too long, as of the last sync."""
    rows = warehouse.rows(_STUCK)
    return Answer(
        name="stuck",
        title="What is stuck",
        finding=_finding(rows),
        note="Running for more than three times the p99 of the flow, and at least 15 minutes; overdue, starting or "
        "cancelling for more than 15 minutes; paused for more than a day.",
        model="prefect__stuck_runs",
        table=_table(rows) if rows else None,
        shown=True,
    )


def _finding(rows: list[dict[str, Any]]) -> str:
    if not rows:
        return "No run is stuck."
    longest = rows[0]
    usual = longest["usual_seconds_p99"]
    known = f"; 99 of 100 take less than {duration(usual)}" if usual and longest["state_type"] == "RUNNING" else ""
    text = "1 run is stuck:" if len(rows) == 1 else f"{len(rows):,} runs are stuck. The longest is"
    which = f"{name(longest['flow_run_name'])} of {name(longest['label'])}"
    return f"{text} {which}, {longest['reason']} for {duration(longest['stuck_seconds'])}{known}."


def _table(rows: list[dict[str, Any]]) -> Table:
    def line(row: Row) -> list[str]:
        known = duration(row["usual_seconds_p99"]) if row["state_type"] == "RUNNING" else "–"
        since = minute(row["waiting_since"])
        return [
            name(row["flow_run_name"]),
            name(row["label"]),
            row["reason"],
            duration(row["stuck_seconds"]),
            known,
            since,
            name(row["work_pool_name"]),
        ]

    columns = ["run", "deployment", "what", *numbers("for", "usually below"), "since", "work pool"]
    return Table(columns, [line(row) for row in rows[:_ROWS]], more=len(rows) - _ROWS)
