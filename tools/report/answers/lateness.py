"""How late runs start, and at which hour."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final

from engine.nouns import counted
from tools.report.answers.percentiles import lines
from tools.report.parts import Answer, Chart, Row, Table, numbers
from tools.report.warehouse import Warehouse
from tools.report.words import cell, duration, name, share

_ROWS: Final = 10
_PEAK: Final = 0.2  # of the late runs in one hour are worth a sentence
_FIGURES: Final = """
SELECT label, count(*) AS runs, count(*) FILTER (is_late) AS late,
    quantile_cont(lateness_seconds, [0.5, 0.9, 0.99]) AS p
FROM runs WHERE {within} AND lateness_seconds IS NOT NULL GROUP BY label ORDER BY late DESC, p[2] DESC, label
"""
_HOURS: Final = """
SELECT extract(hour FROM expected_start_time) AS hour, count(*) AS runs, count(*) FILTER (is_late) AS late,
    quantile_cont(lateness_seconds, 0.9) AS p90
FROM runs WHERE {within} AND lateness_seconds IS NOT NULL GROUP BY 1 ORDER BY 1
"""


def answer(warehouse: Warehouse) -> Answer:
    """The percentiles of lateness, by day and by hour."""
    hours = warehouse.rows(_HOURS.format(within=warehouse.within))
    figures = warehouse.rows(_FIGURES.format(within=warehouse.within))
    return Answer(
        name="lateness",
        title="How late runs start",
        finding=_finding(hours),
        note="From the time at which a run was due to its first start. Late: by more than 30 seconds.",
        model="prefect__flow_runs_enhanced",
        charts=[lines(warehouse, "lateness_seconds", "Lateness"), _by_hour(hours)] if hours else [],
        table=_table(figures) if hours else None,
    )


def _finding(hours: Sequence[Row]) -> str:
    runs, late = sum(row["runs"] for row in hours), sum(row["late"] for row in hours)
    if not runs:
        return "No run started in this period."
    if runs == 1:
        return f"The only run started {duration(hours[0]['p90'])} late."
    if not late:
        return f"None of {runs:,} runs started more than 30 seconds late."
    text = f"{late:,} of {runs:,} runs started more than 30 seconds late ({share(late, runs)})."
    worst = max(hours, key=lambda row: row["late"])
    if worst["late"] < max(2, _PEAK * late):
        return text
    of_them = (
        f"{share(worst['late'], late)} of them were due between {worst['hour']:02}:00 and {worst['hour']:02}:59 UTC"
    )
    return f"{text} {of_them}, when one run in ten is late by {duration(worst['p90'])}."


def _by_hour(hours: Sequence[Row]) -> Chart:
    rows: list[dict[str, Any]] = [
        {
            "at": f"{row['hour']:02}",
            "value": row["late"],
            "order": 0,
            "color": "series-1",
            "tip": f"{row['hour']:02}:00: {row['late']:,} of {counted(row['runs'], 'runs')} late; "
            f"p90 {duration(row['p90'])}",
        }
        for row in hours
    ]
    return Chart(
        kind="columns",
        title="Runs that started late, by the hour at which they were due (UTC)",
        alt="Columns of late runs by hour of the day.",
        rows=rows,
        periods=[f"{hour:02}" for hour in range(24)],
    )


def _table(figures: Sequence[Row]) -> Table:
    rows = [
        [name(row["label"]), cell(row["runs"]), share(row["late"], row["runs"]), *map(duration, row["p"])]
        for row in figures[:_ROWS]
    ]
    return Table(
        ["deployment", *numbers("runs", "late", "p50", "p90", "p99")],
        rows,
        more=len(figures) - _ROWS,
    )
