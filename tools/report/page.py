"""The page: one file that loads nothing and runs no script."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from html import escape
from pathlib import Path
from typing import Final

from tools.report.parts import Answer, Chart, Number, Table, Tile

POLICY: Final = "default-src 'none'; style-src 'unsafe-inline'; base-uri 'none'; form-action 'none'"
"""A browser that follows it loads nothing, whatever a page holds."""

_TIME: Final = re.compile(r"\d{4}-\d\d-\d\d \d\d:\d\d")
_UNIT: Final = re.compile(r"(\d) (d|h|min|s)\b")

Drawn = Sequence[tuple[Chart, tuple[str, str]]]


@dataclass(frozen=True, kw_only=True)
class Page:
    """What stands on the page besides answers.

    Attributes:
        summary: How many runs, of which period.
        as_of: When the last sync was.
        source: The warehouse.
    """

    summary: str
    as_of: str
    source: str


def render(page: Page, tiles: Iterable[Tile], answers: Iterable[tuple[Answer, Drawn]]) -> str:
    """The page in HTML. Answers come with their charts drawn as SVG: for wide pages and for phones."""
    given = list(answers)
    style = Path(__file__).with_name("style.css").read_text("utf-8")
    return "\n".join(
        [
            '<!DOCTYPE html>\n<html lang="en">\n<head>\n<meta charset="utf-8">',
            f'<meta http-equiv="Content-Security-Policy" content="{POLICY}">',
            '<meta name="viewport" content="width=device-width, initial-scale=1">',
            '<meta name="color-scheme" content="light dark">',
            f"<title>Prefect: {escape(page.summary)}</title>\n<style>\n{style}</style>\n</head>\n<body>",
            *_header(page, [answer for answer, _ in given]),
            "<main>",
            *_tiles(tiles),
            *(line for answer, drawn in given for line in _answer(answer, drawn)),
            "</main>",
            f"<footer><p>Made by <code>python -m engine report</code> from {escape(page.source)}. "
            "The models in <code>dbt/</code> have all figures, for dashboards of your own.</p></footer>",
            "</body>\n</html>\n",
        ]
    )


def _text(text: str) -> str:
    """Escaped, and without line breaks between numbers and their units."""
    return escape(_UNIT.sub("\\1\N{NO-BREAK SPACE}\\2", text))


def _header(page: Page, answers: Sequence[Answer]) -> Iterator[str]:
    yield "<header>"
    yield f"<h1>Prefect <span>{escape(page.summary)}</span></h1>"
    yield f'<p class="as-of">As of the last sync, {escape(page.as_of)}. All times are UTC.</p>'
    links = (f'<a href="#{escape(answer.name)}">{escape(answer.title)}</a>' for answer in answers)
    yield f'<nav aria-label="Questions">{" ".join(links)}</nav>'
    yield "</header>"


def _tiles(tiles: Iterable[Tile]) -> Iterator[str]:
    yield '<ul class="tiles">'
    for tile in tiles:
        kind = ' class="bad"' if tile.bad else ""
        yield (
            f'<li{kind}><a href="#{escape(tile.answer)}"><strong>{_text(tile.value)}</strong> '
            f"<span>{escape(tile.label)}</span> <small>{_text(tile.detail)}</small></a></li>"
        )
    yield "</ul>"


def _answer(answer: Answer, drawn: Drawn) -> Iterator[str]:
    name = escape(answer.name)
    yield f'<section id="{name}" aria-labelledby="{name}-title">'
    yield f'<h2 id="{name}-title">{escape(answer.title)}</h2>'
    yield f'<p class="finding">{_text(answer.finding)}</p>'
    for chart, (wide, narrow) in drawn:
        yield f"<figure><figcaption>{escape(chart.title)}{_legend(chart.legend)}</figcaption>"
        yield f'<div class="wide">{wide}</div><div class="narrow">{narrow}</div></figure>'
    if answer.table and answer.shown:
        yield from _table(answer.table, answer.title)
    elif answer.table:
        yield "<details><summary>Figures</summary>"
        yield from _table(answer.table, answer.title)
        yield "</details>"
    yield f'<p class="note">{escape(answer.note)} Model: <code>{escape(answer.model)}</code></p>'
    yield "</section>"


def _legend(legend: Mapping[str, str]) -> str:
    if not legend:
        return ""
    items = (f'<li><i style="background: var(--{color})"></i>{escape(name)}</li>' for name, color in legend.items())
    return f'<ul class="legend">{"".join(items)}</ul>'


def _table(table: Table, title: str) -> Iterator[str]:
    numbers = [isinstance(column, Number) for column in table.columns]
    columns = zip(table.columns, numbers, strict=True)
    yield f'<div class="scrolls" role="region" tabindex="0" aria-label="{escape(title)}: table"><table>'
    heads = (f"<th scope=col{_kind(column, right)}>{escape(column)}</th>" for column, right in columns)
    yield f"<thead><tr>{''.join(heads)}</tr></thead><tbody>"
    for row in table.rows:
        first, *others = zip(row, numbers, strict=True)
        cells = (f"<td{_kind(text, right)}>{escape(text)}</td>" for text, right in others)
        yield f"<tr><th scope=row>{escape(first[0])}</th>{''.join(cells)}</tr>"
    yield "</tbody></table></div>"
    if table.more > 0:
        yield f'<p class="note">and {table.more:,} more</p>'


def _kind(text: str, is_number: bool) -> str:
    """The class of a cell: numbers are aligned to the right, and neither they nor times have line breaks."""
    return " class=n" if is_number else " class=t" if _TIME.fullmatch(text) else ""
