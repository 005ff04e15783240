"""docs/performance.svg: bars for the connector beside those of other clients. Readable in light and in dark mode."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from html import escape
from typing import Final, NamedTuple

from dev.benchmarks.results import Table, Tables


class Panel(NamedTuple):
    """One group of bars: the table, a title (``{size}``: its rows), a note, and the label of each case."""

    table: str
    title: str
    note: str
    bars: Mapping[str, str]


PANELS: Final = (
    Panel(
        "requests",
        "Requests per sync",
        "{size:,} flow runs on Prefect 3",
        {
            "full scan, pages of 200": "a loop that reads everything",
            "nothing changed, an hour later": "connector, once an hour",
            "50 changes": "connector, 50 changes",
            "nothing changed": "connector, no changes",
        },
    ),
    Panel(
        "first_sync_far",
        "Seconds for a first sync",
        "{size:,} flow runs, 50 ms from the server",
        {
            "loop by offset, pages of 100": "a loop by offset",
            "download, 4 connections": "download only, 4 connections",
            "download, 2 connections": "download only, 2 connections",
            "engine": "connector",
        },
    ),
    Panel(
        "throughput",
        "Rows per second",
        "{size:,} records from a local stub",
        {
            "requests and .json()": "requests and .json(), no columns",
            "dlt RESTClient.paginate, nothing mapped": "dlt client, no columns",
            "engine, 30 mapped columns": "connector, 30 typed columns",
            "Airbyte CDK, 30 mapped fields": "Airbyte CDK, 30 fields",
        },
    ),
)
WIDTH: Final = 880
HEIGHT: Final = 264
_MARGIN: Final = 24
_GAP: Final = 32
_TOP: Final = 92  # of the first bar's label
_STEP: Final = 43
_BAR: Final = 14
_VALUE: Final = 52  # width of the value beside the longest bar
_STYLE: Final = """\
text { font: 13px system-ui, -apple-system, "Segoe UI", Roboto, Helvetica, Arial, sans-serif; fill: #1f2328 }
.title { font-size: 15px; font-weight: 600 } .note { font-size: 12px } .value { font-weight: 600 }
.note { fill: #59636e } .card { fill: #ffffff; stroke: #d1d9e0 }
.bar { fill: #c3cad2 } .connector .bar { fill: #1f6feb } .connector .value { fill: #0b57d0 }
@media (prefers-color-scheme: dark) {
  text { fill: #e6edf3 } .note { fill: #9aa4af } .card { fill: #0d1117; stroke: #3d444d }
  .bar { fill: #4a525c } .connector .bar { fill: #4493f8 } .connector .value { fill: #79b8ff }
}"""


def chart(tables: Tables) -> str:
    """The chart as SVG. It leaves out a panel that has no result."""
    shown = [panel for panel in PANELS if panel.table in tables]
    width = (WIDTH - 2 * _MARGIN - _GAP * (len(PANELS) - 1)) / len(PANELS)
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {HEIGHT}" width="{WIDTH}" role="img">',
        "<title>The connector compared with other clients</title>",
        f"<style>\n{_STYLE}\n</style>",
        f'<rect class="card" x="0.5" y="0.5" width="{WIDTH - 1}" height="{HEIGHT - 1}" rx="8"/>',
    ]
    for number, panel in enumerate(shown):
        parts.append(f'<g transform="translate({_MARGIN + number * (width + _GAP):.0f})">')
        parts += _panel(panel, tables[panel.table], width)
        parts.append("</g>")
    return "\n".join([*parts, "</svg>\n"])


def _panel(panel: Panel, table: Table, width: float) -> Iterator[str]:
    yield _text("title", 0, 36, panel.title)
    yield _text("note", 0, 56, panel.note.format(size=table.size))
    longest = max(table.cases[case].median for case in panel.bars)
    for number, (case, label) in enumerate(panel.bars.items()):
        value, y = table.cases[case].median, _TOP + number * _STEP
        length = max(2, (width - _VALUE) * value / longest)
        yield '<g class="connector">' if label.startswith("connector") else "<g>"
        yield _text("label", 0, y, label)
        yield f'<rect class="bar" y="{y + 6}" width="{length:.1f}" height="{_BAR}" rx="2"/>'
        yield _text("value", length + 6, y + 6 + _BAR - 2.5, f"{value:,.0f}")
        yield "</g>"


def _text(style: str, x: float, y: float, content: str) -> str:
    return f'<text class="{style}" x="{x:.1f}" y="{y:.1f}">{escape(content)}</text>'
