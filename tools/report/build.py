"""Writes the page of a warehouse."""

from __future__ import annotations

from engine.nouns import counted
from tools.report.answers import answers
from tools.report.charts import drawn
from tools.report.page import Page, render
from tools.report.tiles import tiles
from tools.report.warehouse import Warehouse
from tools.report.words import day, minute


def html(warehouse: Warehouse, source: str) -> str:
    """The page of a warehouse, whose name is the source."""
    row = warehouse.row(f"SELECT count(*) AS runs, count(DISTINCT flow_id) AS flows FROM runs WHERE {warehouse.within}")
    period = f"{day(warehouse.since)} to {day(warehouse.until)}, {warehouse.until.year}"
    page = Page(
        summary=f"{counted(row['runs'], 'runs')} of {counted(row['flows'], 'flows')}, {period}",
        as_of=minute(warehouse.until),
        source=source,
    )
    found = [(answer, [(chart, drawn(chart)) for chart in answer.charts]) for answer in answers(warehouse)]
    return render(page, tiles(warehouse), found)
