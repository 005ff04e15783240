"""Writes the page of a warehouse."""

from __future__ import annotations

from collections.abc import Iterable

from engine.nouns import counted
from tools.report.charts import drawn
from tools.report.page import Page, render
from tools.report.parts import Answer
from tools.report.tiles import tiles
from tools.report.warehouse import Warehouse
from tools.report.words import between, minute


def html(warehouse: Warehouse, answers: Iterable[Answer], source: str) -> str:
    """The page of a warehouse with these answers. The source is the warehouse's name."""
    row = warehouse.row(
        "SELECT count(*) AS runs, count(DISTINCT (source_relation, flow_id)) AS flows FROM runs "
        f"WHERE {warehouse.within}"
    )
    period = between(warehouse.since, warehouse.until)
    page = Page(
        summary=f"{counted(row['runs'], 'runs')} of {counted(row['flows'], 'flows')}, {period}",
        as_of=minute(warehouse.until),
        source=source,
    )
    given = [(answer, [(chart, drawn(chart)) for chart in answer.charts]) for answer in answers]
    return render(page, tiles(warehouse), given)
