"""How long runs take, and what got slower."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final

from tools.report.answers.percentiles import lines, ranges
from tools.report.parts import Answer, Chart, Row, Table, numbers
from tools.report.warehouse import Warehouse
from tools.report.words import cell, duration, name, total

_MOST: Final = 10
_LEAST_RUNS: Final = 5  # in each part of the period, for a median that says something
_SLOWER: Final = 1.2  # times as long is worth a sentence
_FIGURES: Final = """
SELECT label, count(*) AS runs, sum(duration_seconds) AS seconds,
    quantile_cont(duration_seconds, [0.5, 0.9, 0.99]) AS p,
    count(*) FILTER (recent) AS runs_now, count(*) FILTER (NOT recent) AS runs_before,
    quantile_cont(duration_seconds, 0.5) FILTER (recent) AS now,
    quantile_cont(duration_seconds, 0.5) FILTER (NOT recent) AS before
FROM (SELECT *, expected_start_time >= TIMESTAMP '{recent}' AS recent FROM runs WHERE {within})
WHERE duration_seconds IS NOT NULL
GROUP BY label ORDER BY seconds DESC, label
"""


def answer(warehouse: Warehouse) -> Answer:
    """The percentiles of durations, by day and by deployment."""
    figures = warehouse.rows(_FIGURES.format(recent=warehouse.recently, within=warehouse.within))
    ran = warehouse.row(
        "SELECT count(*) AS runs, quantile_cont(duration_seconds, [0.5, 0.9, 0.99]) AS p "
        f"FROM runs WHERE {warehouse.within} AND duration_seconds IS NOT NULL"
    )
    return Answer(
        name="durations",
        title="How long runs take",
        finding=_finding(warehouse, ran, figures),
        note="From the first start to the end, with retries and pauses. p90: nine of ten runs took less.",
        model="prefect__daily_metrics",
        charts=list(_charts(warehouse, figures)) if figures else [],
        table=_table(warehouse, figures) if figures else None,
    )


def _charts(warehouse: Warehouse, figures: Sequence[Row]) -> Sequence[Chart]:
    shown = figures[:_MOST]
    which = f", the {len(shown)} that ran longest of {len(figures):,}" if len(shown) < len(figures) else ""
    return [
        lines(warehouse, "duration_seconds", "Duration of runs"),
        ranges(shown, f"Duration by deployment{which}"),
    ]


def _finding(warehouse: Warehouse, ran: Row, figures: Sequence[Row]) -> str:
    if not ran["runs"]:
        return "No run has run to its end in this period."
    p50, p90, p99 = map(duration, ran["p"])
    if ran["runs"] == 1:
        return f"The only run took {p50}."
    text = f"Half of the runs take less than {p50}, nine of ten less than {p90}, and 99 of 100 less than {p99}."
    slower = max(filter(_is_slower, figures), key=_added, default=None)
    if slower is None:
        return text
    went = f"from {duration(slower['before'])} to {duration(slower['now'])} in {warehouse.recent_days}"
    return f"{text} {name(slower['label'])} got slower: its median went {went}."


def _added(row: Row) -> float:
    """The seconds by which its recent runs took longer."""
    return float((row["now"] - row["before"]) * row["runs_now"])


def _is_slower(row: Row) -> bool:
    if min(row["runs_now"], row["runs_before"]) < _LEAST_RUNS:
        return False
    return bool(row["now"] > _SLOWER * row["before"] and row["now"] - row["before"] > 10)


def _table(warehouse: Warehouse, figures: Sequence[Row]) -> Table:
    rows: list[list[Any]] = [
        [name(row["label"]), cell(row["runs"]), *map(duration, row["p"]), duration(row["now"]), total(row["seconds"])]
        for row in figures[:_MOST]
    ]
    columns = ["deployment", *numbers("runs", "p50", "p90", "p99", f"p50 in {warehouse.recent_days}", "in total")]
    return Table(columns, rows, more=len(figures) - _MOST)
