"""What the runs of each tag take."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from engine.nouns import counted
from tools.report.answers.ranking import bars
from tools.report.parts import Answer, Row, Table, numbers
from tools.report.warehouse import Warehouse
from tools.report.words import cell, name, share, total

_ROWS: Final = 20
_TAGS: Final = """
SELECT coalesce(tag_name, '(no tag)') AS label, tag_name IS NULL AS untagged, sum(runs) AS runs,
    sum(run_seconds) AS seconds, sum(failed_runs) AS failed, sum(failed_runs + completed_runs) AS ended
FROM prefect__tag_usage WHERE date_day >= DATE '{since}' AND date_day <= DATE '{until}'
GROUP BY ALL HAVING sum(runs) > 0 ORDER BY seconds DESC, label
"""


def answer(warehouse: Warehouse) -> Answer:
    """The tags by the time that their runs ran."""
    rows = warehouse.rows(_TAGS.format(since=warehouse.since.date(), until=warehouse.until.date()))
    ran = warehouse.row(f"SELECT coalesce(sum(run_seconds), 0) AS seconds FROM runs WHERE {warehouse.within}")
    tagged = [row for row in rows if not row["untagged"]]
    seconds = ((row["label"], "", row["seconds"]) for row in rows)
    return Answer(
        name="tags",
        title="What each tag takes",
        finding=_finding(tagged, ran["seconds"]),
        note="Time spent running, by the teams, projects or customers that runs are tagged with. A run with several "
        "tags counts for each.",
        model="prefect__tag_usage",
        charts=bars(seconds, {"": "series-1"}, "Time spent running") if tagged else [],
        table=_table(rows) if tagged else None,
    )


def _finding(tagged: Sequence[Row], all_seconds: float) -> str:
    if not tagged:
        return "No run has a tag."
    first = tagged[0]
    if not first["seconds"]:
        return "No run with a tag ran in this period."
    used = f"{total(first['seconds'])} of {total(all_seconds)} ({share(first['seconds'], all_seconds)})"
    return f"{name(first['label'])} takes the most time: {used}, in {counted(first['runs'], 'runs')}."


def _table(rows: Sequence[Row]) -> Table:
    lines = [
        [name(row["label"]), cell(row["runs"]), total(row["seconds"]), share(row["failed"], row["ended"])]
        for row in rows[:_ROWS]
    ]
    return Table(["tag", *numbers("runs", "time running", "failure rate")], lines, more=len(rows) - _ROWS)
