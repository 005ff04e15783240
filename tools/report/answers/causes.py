"""What runs that failed say."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from engine.nouns import counted
from tools.report.parts import Answer, Row, Table, numbers
from tools.report.warehouse import Warehouse
from tools.report.words import cell, minute, name

_ROWS: Final = 10
# Messages that differ only in ids and long numbers are one; codes, such as 404 and 137, say something.
_ID: Final = "[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}|[0-9]{4,}"
_CAUSES: Final = """
SELECT regexp_replace(coalesce(nullif(trim(state_message), ''), '(no message)'), '{id}', '#', 'g') AS message,
    count(*) AS runs, count(DISTINCT label) AS deployments, min(label) AS label, max(ended_at) AS last_at
FROM runs WHERE {within} AND is_failed
GROUP BY message ORDER BY runs DESC, last_at DESC, message
"""


def answer(warehouse: Warehouse) -> Answer:
    """The messages of runs that failed, by how many have them."""
    causes = warehouse.rows(_CAUSES.format(id=_ID, within=warehouse.within))
    return Answer(
        name="causes",
        title="Why runs fail",
        finding=_finding(causes),
        note="The messages of failed and crashed runs. Ids and long numbers in them are left out.",
        model="prefect__flow_runs_enhanced",
        table=_table(causes) if causes else None,
        shown=True,
    )


def _finding(causes: Sequence[Row]) -> str:
    if not causes:
        return "No run failed in this period."
    first, failed = causes[0], sum(row["runs"] for row in causes)
    if failed > 1 == first["runs"]:
        return f"{failed:,} runs failed, each for a reason of its own."
    which = "The only run that failed says" if failed == 1 else f"{first['runs']:,} of {failed:,} runs that failed say"
    return f"{which} “{name(first['message'])}”."


def _table(causes: Sequence[Row]) -> Table:
    rows = [
        [
            name(row["message"], 200),
            cell(row["runs"]),
            name(row["label"]) if row["deployments"] == 1 else counted(row["deployments"], "deployments"),
            minute(row["last_at"]),
        ]
        for row in causes[:_ROWS]
    ]
    return Table(["message", *numbers("runs"), "of", "last"], rows, more=len(causes) - _ROWS)
