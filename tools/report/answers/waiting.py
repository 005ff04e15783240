"""What runs wait for before they run, and how much of their time."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from engine.nouns import counted
from tools.report.answers.ranking import bars
from tools.report.parts import Answer, Row, Table, numbers
from tools.report.warehouse import Warehouse
from tools.report.words import cell, name, share, total

_ROWS: Final = 20
_WAITS: Final = {
    "a concurrency slot": "series-2",
    "a worker": "series-3",
    "infrastructure": "series-1",
    "a retry": "series-4",
    "being resumed": "series-5",
}
_TIMES: Final = """
WITH waits AS (
    SELECT runs.label, state_time.flow_run_id, seconds,
        CASE WHEN state_time.state_name = 'AwaitingConcurrencySlot' THEN 'a concurrency slot'
            WHEN state_time.state_name = 'Late' THEN 'a worker'
            WHEN state_time.state_type = 'PENDING' THEN 'infrastructure'
            WHEN state_time.state_name = 'AwaitingRetry' THEN 'a retry'
            WHEN state_time.state_type = 'PAUSED' THEN 'being resumed'
            WHEN state_time.state_type = 'RUNNING' THEN 'running' END AS wait
    FROM prefect__state_time AS state_time
    JOIN runs USING (source_relation, flow_run_id) WHERE {within}
)
SELECT label, wait, sum(seconds) AS seconds, count(DISTINCT flow_run_id) AS runs
FROM waits WHERE wait IS NOT NULL GROUP BY ALL HAVING sum(seconds) > 0
"""


def answer(warehouse: Warehouse) -> Answer:
    """The time of waiting by what runs wait for, and by deployment."""
    has = warehouse.has("prefect__state_time")
    times = warehouse.rows(_TIMES.format(within=warehouse.within)) if has else []
    waits = [row for row in times if row["wait"] != "running"]
    return Answer(
        name="waiting",
        title="What runs wait for",
        finding=_finding(times, waits)
        if has
        else "The history of states, which says what runs waited for, is not synced.",
        note="Waiting for a worker: in state Late. For infrastructure: in state Pending."
        if has
        else "Add flow_run_states to the setting `streams` of the connection. It takes one request for each run.",
        model="prefect__state_time",
        charts=bars(((row["label"], row["wait"], row["seconds"]) for row in waits), _WAITS, "Time spent waiting for"),
        table=_table(waits) if waits else None,
    )


def _seconds(rows: Sequence[Row], wait: str | None = None) -> float:
    return float(sum(row["seconds"] for row in rows if wait in (None, row["wait"])))


def _finding(times: Sequence[Row], waits: Sequence[Row]) -> str:
    if not waits:
        return "No run waited."
    waited, running = _seconds(waits), _seconds(times, "running")
    most = max(_WAITS, key=lambda wait: _seconds(waits, wait))
    first = max((row for row in waits if row["wait"] == most), key=lambda row: row["seconds"])
    compared = f", against {total(running)} running" if running else ""
    return (
        f"Runs spent {total(waited)} waiting{compared}. {share(_seconds(waits, most), waited)} of it was for "
        f"{most}, most of all by {name(first['label'])}: {total(first['seconds'])} in {counted(first['runs'], 'runs')}."
    )


def _table(waits: Sequence[Row]) -> Table:
    rows = sorted(waits, key=lambda row: -row["seconds"])
    lines = [[name(row["label"]), row["wait"], cell(row["runs"]), total(row["seconds"])] for row in rows[:_ROWS]]
    return Table(["deployment", "waiting for", *numbers("runs", "in total")], lines, more=len(rows) - _ROWS)
