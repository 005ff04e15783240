"""Slices: every row is read once, and the paginators finish at about the same time."""

from __future__ import annotations

import random
from bisect import bisect_left, bisect_right
from collections.abc import Callable, Iterator
from datetime import datetime, timedelta, timezone
from itertools import chain, islice
from typing import Any

import pytest

from engine.declare.types import Endpoint
from engine.instants import format_instant, parse_instant
from engine.jsonpath import compile_path
from engine.pagination import Paginator
from engine.pagination.keyset import Keyset
from engine.pagination.slices import Slices
from engine.pagination.tie_breaker import TieBreaker
from engine.requests import Page, Request
from tests.effort import some

NOW = datetime(2024, 5, 1, 12, tzinfo=timezone.utc)
STYLE = Keyset(
    field=compile_path("$.made"),
    body={"after": "$from", "before": "$to"},
    tie_breaker=TieBreaker(body={"sort": "id"}),
    page_size=20,
)
REQUEST = Request(Endpoint("POST", "/rows"))
WIDTH = 4


class Rows:
    """A list of rows by their timestamps, many of which are the same."""

    def __init__(self, instants: list[datetime]) -> None:
        self.instants = sorted(instants)
        self.pages = 0

    def answer(self, request: Request) -> Page:
        """The page for a request."""
        body: Any = request.written_out().body
        self.pages += 1
        low = bisect_left(self.instants, parse_instant(body["after"])) if "after" in body else 0
        high = bisect_right(self.instants, parse_instant(body["before"])) if "before" in body else len(self.instants)
        first = low + body.get("offset", 0)
        found = range(first, min(high, first + body["limit"]))
        return Page([(n, {"made": format_instant(self.instants[n])}) for n in found])


def spread(seed: int) -> Rows:
    """Rows that are densest now, everywhere, or at one time long ago; a tenth of them share five timestamps."""
    dice = random.Random(seed)
    ago: tuple[Callable[[], float], ...]
    ago = (lambda: dice.expovariate(1e-5), lambda: dice.uniform(0, 1e6), lambda: abs(dice.gauss(8e5, 1e3)))
    seconds = (ago[seed % 3]() if n % 10 else 3600 * dice.randrange(5) for n in range(4000))
    return Rows([NOW - timedelta(seconds=each) for each in seconds])


def read(rows: Rows, slices: Slices) -> Iterator[list[int]]:
    """Read several slices at once, a page of each in every turn; yields the rows of each turn."""
    waiting = iter(slices)
    under_way: list[tuple[Paginator, Request]] = []

    def start_another() -> None:
        paginator = next(waiting, None)
        if paginator is not None and paginator.request is not None:
            under_way.append((paginator, paginator.request))

    for _ in range(WIDTH):
        start_another()
    while under_way:
        turn, under_way = under_way, []
        found: list[int] = []
        for paginator, request in turn:
            found += [key for key, _ in paginator.advance(rows.answer(request))]  # type: ignore[misc]
            if paginator.request is None:
                start_another()
            else:
                under_way.append((paginator, paginator.request))
        yield found


def opened(rows: Rows) -> tuple[Slices, list[int]]:
    """Slices of a list whose first page was read, and that page's rows."""
    slices = Slices([STYLE.paginate(REQUEST)])
    (first,) = slices
    assert first.request is not None
    found: list[int] = [key for key, _ in first.advance(rows.answer(first.request))]  # type: ignore[misc]
    slices.cut(NOW, len(rows.instants), 2 * STYLE.page_size)
    return slices, found


@pytest.mark.parametrize("seed", some(range(15)))
def test_every_row_is_read_once_and_no_paginator_is_idle(seed: int) -> None:
    """Few more requests are sent than there are pages, and few more turns taken than if work was shared perfectly."""
    rows = spread(seed)
    slices, found = opened(rows)
    turns = list(read(rows, slices))
    found += chain.from_iterable(turns)
    assert sorted(found) == list(range(len(rows.instants)))
    pages = len(rows.instants) / (STYLE.page_size - 1)  # each repeats a row of the page before it
    assert rows.pages <= 1.35 * pages
    assert len(turns) <= 1.5 * pages / WIDTH
    assert slices.position is None


def test_rows_in_the_future_cost_few_requests() -> None:
    """They are part of the count, but no paginator reaches them before the others end, so estimates are wrong."""
    rows = Rows([NOW - timedelta(hours=n) for n in range(1000)] + [NOW + timedelta(hours=n) for n in range(1, 1000)])
    slices, found = opened(rows)
    found += chain.from_iterable(read(rows, slices))
    assert sorted(found) == list(range(len(rows.instants)))
    assert rows.pages <= len(rows.instants) / (STYLE.page_size - 1) + 40


@pytest.mark.parametrize("seed", range(6))
def test_an_interrupted_reading_resumes_in_every_slice(seed: int) -> None:
    """From its position, without missing a row."""
    rows = spread(seed)
    slices, found = opened(rows)
    found += chain.from_iterable(islice(read(rows, slices), 20))
    assert slices.position is not None
    paginators = [STYLE.paginate(REQUEST, part) for part in slices.position.split(",")]
    assert len(paginators) == WIDTH
    found += chain.from_iterable(read(rows, Slices(paginators)))
    assert set(found) == set(range(len(rows.instants)))
