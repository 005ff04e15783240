"""Charts of percentiles, which durations and lateness share."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final

from engine.nouns import counted
from tools.report.parts import Chart, Row
from tools.report.warehouse import Warehouse
from tools.report.words import duration, name, on

NAMES: Final = ("p50", "p90", "p99")
_LINES: Final = """
SELECT period, count(*) AS runs, quantile_cont({seconds}, [0.5, 0.9, 0.99]) AS p
FROM runs WHERE {within} AND {seconds} IS NOT NULL GROUP BY period ORDER BY period
"""
_LEAST: Final = 0.01  # seconds; a logarithmic axis has no zero


def lines(warehouse: Warehouse, seconds: str, title: str) -> Chart:
    """The percentiles of a column of seconds, by period."""
    found = warehouse.rows(_LINES.format(seconds=seconds, within=warehouse.within))
    if len(found) > 1 and str(found[-1]["period"]) == warehouse.periods[-1]:
        found.pop()  # a day that is not over has no percentiles that can be compared
    rows: list[dict[str, Any]] = []
    for row in found:
        when, runs = on(row["period"], warehouse.grain), counted(row["runs"], "runs")
        for number, (percentile, value) in enumerate(zip(NAMES, row["p"], strict=True), start=1):
            tip = f"{when}: {percentile} of {runs} was {duration(value)}"
            rows.append({"at": str(row["period"]), "name": percentile, "value": max(value, _LEAST), "tip": tip})
            rows[-1] |= {"color": f"series-{number}", "last": row is found[-1]}
    return Chart(
        kind="lines",
        title=f"{title} by {warehouse.grain}, logarithmic",
        alt=f"Lines of the 50th, 90th and 99th percentile by {warehouse.grain}.",
        rows=rows,
        periods=warehouse.periods,
    )


def ranges(figures: Sequence[Row], title: str) -> Chart:
    """The percentiles of each name: a line from p50 to p99, with a mark at each."""
    rows: list[dict[str, Any]] = []
    for row in figures:
        p50, p90, p99 = (max(value, _LEAST) for value in row["p"])
        said = ", ".join(f"{which} {duration(value)}" for which, value in zip(NAMES, row["p"], strict=True))
        tip = f"{name(row['label'])}: {said}, of {counted(row['runs'], 'runs')}"
        rows.append({"name": name(row["label"]), "p50": p50, "p90": p90, "p99": p99, "tip": tip})
    return Chart(
        kind="ranges",
        title=f"{title}, logarithmic",
        alt="A line for each deployment, from the 50th to the 99th percentile.",
        rows=rows,
        legend={"p50": "series-1", "p90": "series-2", "p99": "series-3"},
    )
