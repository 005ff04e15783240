"""How many runs there were, and how many failed."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import timedelta
from typing import Any, Final

from engine.nouns import counted
from tools.report.parts import Answer, Chart, Row, Table, numbers
from tools.report.warehouse import Warehouse
from tools.report.words import in_days, on, share

OUTCOMES: Final = ("failed", "crashed", "cancelled", "completed", "open")
"""From the bottom of a column: failures stand on the axis, so that those of several days can be compared."""


def answer(warehouse: Warehouse) -> Answer:
    """The runs of each day by outcome."""
    counts = warehouse.rows(
        f"SELECT period, outcome, count(*) AS runs FROM runs WHERE {warehouse.within} GROUP BY ALL ORDER BY ALL"
    )
    totals = {outcome: sum(row["runs"] for row in counts if row["outcome"] == outcome) for outcome in OUTCOMES}
    return Answer(
        name="outcomes",
        title="What ran, and what failed",
        finding=_finding(warehouse, counts, totals),
        note="A run counts on the day on which it was due. Failed and crashed runs count as failed; cancelled and "
        "open ones are left out of the rate.",
        model="prefect__daily_metrics",
        charts=[_chart(warehouse, counts)] if counts else [],
        table=_table(counts) if counts else None,
    )


def failures(warehouse: Warehouse, condition: str) -> Row:
    """How many runs `failed` out of those that `ended`, and when the `first` was due, of runs that meet a condition."""
    return warehouse.row(
        "SELECT count(*) FILTER (is_failed) AS failed, count(*) FILTER (is_failed OR outcome = 'completed') AS ended, "
        f"min(expected_start_time) AS first FROM runs WHERE {condition}"
    )


def failed_of(counts: Mapping[str, int]) -> tuple[int, int]:
    """How many runs failed, and out of how many."""
    failed = counts.get("failed", 0) + counts.get("crashed", 0)
    return failed, failed + counts.get("completed", 0)


def _by_period(counts: Sequence[Row]) -> dict[str, dict[str, int]]:
    periods: dict[str, dict[str, int]] = {}
    for row in counts:
        periods.setdefault(str(row["period"]), {})[row["outcome"]] = row["runs"]
    return periods


def _finding(warehouse: Warehouse, counts: Sequence[Row], totals: Mapping[str, int]) -> str:
    failed, ended = failed_of(totals)
    if not ended:
        return "No run ended in this period."
    if not failed:
        return "The only run that ended succeeded." if ended == 1 else f"None of the {ended:,} runs that ended failed."
    text = f"{failed:,} of {counted(ended, 'runs')} failed ({share(failed, ended)}){_before(warehouse)}."
    worst, outcomes = max(_by_period(counts).items(), key=lambda one: failed_of(one[1]))
    bad, of = failed_of(outcomes)
    when = f"{'on' if warehouse.grain == 'day' else 'in'} {on(worst, warehouse.grain)}"
    return f"{text} The most {when}: {bad:,} of {of:,}." if bad > 1 else text


def _before(warehouse: Warehouse) -> str:
    """The share of the period before, of the same length, if its first day has runs."""
    start = warehouse.since - timedelta(days=warehouse.length)
    row = failures(warehouse, f"expected_start_time >= TIMESTAMP '{start}' AND NOT {warehouse.within}")
    if not row["ended"] or row["first"] >= start + timedelta(days=1):
        return ""
    return f", after {share(row['failed'], row['ended'])} in the {in_days(warehouse.length)} before"


def _chart(warehouse: Warehouse, counts: Sequence[Row]) -> Chart:
    periods = _by_period(counts)
    rows: list[dict[str, Any]] = []
    for period, outcomes in periods.items():
        failed, ended = failed_of(outcomes)
        for order, outcome in enumerate(OUTCOMES):
            if runs := outcomes.get(outcome):
                tip = f"{on(period, warehouse.grain)}: {runs:,} {outcome}; {share(failed, ended)} failed"
                rows.append({"at": period, "value": runs, "order": order, "color": outcome, "tip": tip})
    return Chart(
        kind="columns",
        title=f"Runs by {warehouse.grain} and outcome",
        alt=f"Columns of runs by {warehouse.grain}, those that failed at the bottom of each.",
        rows=rows,
        periods=warehouse.periods,
        legend={name: name for name in OUTCOMES if any(name in outcomes for outcomes in periods.values())},
    )


def _table(counts: Sequence[Row]) -> Table:
    rows = []
    for period, outcomes in reversed(_by_period(counts).items()):
        failed, ended = failed_of(outcomes)
        cells = [f"{outcomes.get(name, 0):,}" for name in reversed(OUTCOMES)]
        rows.append([period, f"{sum(outcomes.values()):,}", *cells, share(failed, ended)])
    return Table(["from", *numbers("runs", *reversed(OUTCOMES), "failure rate")], rows)
