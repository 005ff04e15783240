"""Which tasks take the most time, and which fail."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from tools.report.answers.ranking import bars
from tools.report.parts import Answer, Row, Table, numbers
from tools.report.warehouse import Warehouse
from tools.report.words import cell, duration, in_days, name, share, total

_ROWS: Final = 20
_TASKS: Final = """
SELECT *,
    origin(source_relation) || coalesce(task_key, '(no key)') || coalesce(' of ' || flow_name,
        ', outside of flows') AS label
FROM prefect__task_hotspots ORDER BY run_seconds DESC, label
"""


def answer(warehouse: Warehouse) -> Answer:
    """The tasks by the time that they ran."""
    rows = warehouse.rows(_TASKS) if warehouse.has("prefect__task_hotspots") else []
    seconds = ((row["label"], "", row["run_seconds"]) for row in rows)
    return Answer(
        name="tasks",
        title="Which tasks take the time",
        finding=_finding(rows),
        note=f"Task runs that were due in the last {in_days(warehouse.length)}. p90: nine of ten took less."
        if rows
        else "Without task runs here: is task_runs left out of the setting `streams` of the connection?",
        model="prefect__task_hotspots",
        charts=bars(seconds, {"": "series-1"}, "Time spent running"),
        table=_table(rows) if rows else None,
    )


def _finding(rows: Sequence[Row]) -> str:
    seconds = sum(row["run_seconds"] for row in rows)
    if not seconds:
        return "No task ran in this period."
    first = rows[0]
    used = f"{total(first['run_seconds'])}, {share(first['run_seconds'], seconds)} of the time of all tasks"
    text = f"{name(first['label'])} takes the most: {used}."
    failing = max(rows, key=lambda row: row["failed_task_runs"] + row["crashed_task_runs"])
    failed = failing["failed_task_runs"] + failing["crashed_task_runs"]
    if not failed:
        return text
    return f"{text} {name(failing['label'])} fails most often: {failed:,} of {failing['task_runs']:,} times."


def _table(rows: Sequence[Row]) -> Table:
    lines = [
        [
            name(row["label"]),
            cell(row["task_runs"]),
            total(row["run_seconds"]),
            *(duration(row[f"duration_seconds_{percentile}"]) for percentile in ("p50", "p90", "p99")),
            "–" if row["failure_rate"] is None else share(row["failure_rate"], 1),
            cell(row["retries"]),
        ]
        for row in rows[:_ROWS]
    ]
    columns = ["task", *numbers("runs", "in total", "p50", "p90", "p99", "failure rate", "retries")]
    return Table(columns, lines, more=len(rows) - _ROWS)
