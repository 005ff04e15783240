"""What the page says: answers to questions, each with charts and a table."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal

Row = Mapping[str, Any]
Kind = Literal["columns", "cells", "lines", "ranges", "bars"]


@dataclass(frozen=True, kw_only=True)
class Chart:
    """A chart, before it is drawn.

    Attributes:
        kind: How it is drawn; tools/report/charts.py says which fields each kind has in its rows.
        alt: What it shows, in a sentence or two, for those who do not see it.
        rows: What it shows.
        periods: The days, weeks or months of its axis, as ISO dates, if it has one.
        legend: What its colors mean.
        title: What is measured, with its unit.
    """

    kind: Kind
    title: str
    alt: str
    rows: Sequence[Row]
    periods: Sequence[str] = ()
    legend: Mapping[str, str] = field(default_factory=dict)


class Number(str):
    """The title of a column of numbers, which are aligned to the right."""


def numbers(*titles: str) -> list[Number]:
    """The titles of columns of numbers."""
    return [Number(title) for title in titles]


@dataclass(frozen=True)
class Table:
    """A table of text.

    Attributes:
        columns: Their titles.
        rows: The cells.
        more: How many rows were left out; zero or less: none.
    """

    columns: Sequence[str]
    rows: Sequence[Sequence[str]]
    more: int = 0


@dataclass(frozen=True, kw_only=True)
class Answer:
    """The answer to one question.

    Attributes:
        name: The fragment of its address.
        title: What the question is about.
        finding: The answer, in a sentence or two.
        note: How the figures are defined.
        model: The model of dbt/ that has them.
        charts: What shows it.
        table: The figures as text.
        shown: Whether the table is shown at once, because it is what people came for.
    """

    name: str
    title: str
    finding: str
    note: str
    model: str
    charts: Sequence[Chart] = field(default_factory=list)
    table: Table | None = None
    shown: bool = False


@dataclass(frozen=True)
class Tile:
    """A figure at the top of the page.

    Attributes:
        label: What it is.
        value: The figure.
        detail: What it compares with.
        bad: Whether somebody should look into it.
        answer: The name of the answer that says more.
    """

    label: str
    value: str
    detail: str
    bad: bool
    answer: str
