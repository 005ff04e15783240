"""Which deployments fail, and since when."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final

from engine.nouns import counted
from tools.report.parts import Answer, Chart, Row, Table, numbers
from tools.report.warehouse import Warehouse
from tools.report.words import cell, is_or_are, listed, minute, name, on, share

_MOST: Final = 12  # lines of the chart
_ROWS: Final = 20  # of the table
_HEALTH: Final = ("failing", "late", "never ran", "paused", "healthy")
_CELLS: Final = """
SELECT label, period, count(*) FILTER (is_failed) AS failed,
    count(*) FILTER (is_failed OR outcome = 'completed') AS ended
FROM runs WHERE {within} GROUP BY ALL HAVING ended > 0
"""
_HEALTHS: Final = """
SELECT *, label_of(source_relation, flow_name, deployment_name) AS label
FROM prefect__deployment_health
ORDER BY list_position({order}, health), failure_streak DESC, recent_failure_rate DESC NULLS LAST, label
"""


def answer(warehouse: Warehouse) -> Answer:
    """The health of each deployment, and its failures by day."""
    health = warehouse.rows(_HEALTHS.format(order=list(_HEALTH))) if warehouse.has("prefect__deployment_health") else []
    cells = warehouse.rows(_CELLS.format(within=warehouse.within))
    chart = _chart(warehouse, cells, [row["label"] for row in health if row["health"] == "failing"])
    return Answer(
        name="deployments",
        title="Which deployments fail",
        finding=_finding(health),
        note="Failing: the last run that ended failed. Late: a run is overdue, or its schedule has made none. "
        "Empty cells: no run ended.",
        model="prefect__deployment_health",
        charts=[chart] if chart else [],
        table=_table(health) if health else None,
    )


def _finding(health: Sequence[Row]) -> str:
    if not health:
        return "There are no deployments."
    found = {kind: [row for row in health if row["health"] == kind] for kind in _HEALTH}
    failing, late = found["failing"], found["late"]
    text = "The last run of the only deployment succeeded."
    if len(health) > 1:
        text = f"The last run of each of the {len(health):,} deployments succeeded."
    if failing:
        of = f"{len(failing):,} of {counted(len(health), 'deployments')} {is_or_are(failing)} failing"
        text = f"{of}: {listed([_streak(row) for row in failing])}."
    elif len(found["healthy"]) < len(health):
        text = "No deployment is failing."
    return f"{text} {listed([name(row['label']) for row in late])} {is_or_are(late)} late." if late else text


def _streak(row: Row) -> str:
    times = row["failure_streak"]
    return name(row["label"]) + (f", {times:,} times in a row" if times > 1 else "")


def _chart(warehouse: Warehouse, cells: Sequence[Row], failing: Sequence[str]) -> Chart | None:
    failures: dict[str, int] = {}
    for row in cells:
        failures[row["label"]] = failures.get(row["label"], 0) + row["failed"]
    worst = sorted(failures, key=lambda label: (label not in failing, -failures[label], label))
    shown = [label for label in worst if failures[label]][:_MOST]
    rows = [_cell(warehouse, row) for label in shown for row in cells if row["label"] == label]
    if not rows:
        return None
    others = len(failures) - len(shown)
    return Chart(
        kind="cells",
        title="Share of runs that failed" + (f"; {others:,} more had fewer failures or none" if others else ""),
        alt=f"A grid with a line for each of {counted(len(shown), 'deployments')} and a column for each "
        f"{warehouse.grain}; the redder, the more of its runs failed.",
        rows=rows,
        periods=warehouse.periods,
        legend={"none": "heat-0", "below 10%": "heat-1", "below half": "heat-2", "half or more": "heat-3"},
    )


def _cell(warehouse: Warehouse, row: Row) -> dict[str, Any]:
    failed, ended = row["failed"], row["ended"]
    heat = 0 if not failed else 1 if failed < 0.1 * ended else 2 if failed < 0.5 * ended else 3
    when = on(row["period"], warehouse.grain)
    tip = f"{name(row['label'])}, {when}: {failed:,} of {ended:,} failed" if failed else ""
    return {"name": name(row["label"]), "at": str(row["period"]), "color": f"heat-{heat}", "tip": tip}


def _table(health: Sequence[Row]) -> Table:
    rows = [
        [
            name(row["label"]),
            row["health"],
            cell(row["failure_streak"]),
            "–" if row["recent_failure_rate"] is None else share(row["recent_failure_rate"], 1),
            cell(row["recent_runs"]),
            minute(row["last_success_at"]),
            minute(row["next_expected_at"]),
        ]
        for row in health
    ]
    columns = [
        "deployment",
        "health",
        *numbers("failed in a row", "failure rate", "runs"),
        "last success",
        "next run",
    ]
    return Table(columns, rows[:_ROWS], more=len(rows) - _ROWS)
