"""Slices of a list: every row once, and never one walk alone with a long rest."""

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
from engine.requests import Page, Request

NOW = datetime(2024, 5, 1, 12, tzinfo=timezone.utc)
STYLE = Keyset(field=compile_path("$.made"), after="after", before="before", tie_breaker={"sort": "id"}, page_size=20)
REQUEST = Request(Endpoint("POST", "/rows"))
WIDTH = 4


class Rows:
    """A list of rows by their instants, of which many are shared."""

    def __init__(self, instants: list[datetime]) -> None:
        self.instants = sorted(instants)
        self.pages = 0

    def answer(self, request: Request) -> Page:
        """The page of a request."""
        body: Any = request.body
        self.pages += 1
        low = bisect_left(self.instants, parse_instant(body["after"])) if "after" in body else 0
        high = bisect_right(self.instants, parse_instant(body["before"])) if "before" in body else len(self.instants)
        first = low + body.get("offset", 0)
        found = range(first, min(high, first + body["limit"]))
        return Page([(n, {"made": format_instant(self.instants[n])}) for n in found])


def spread(seed: int) -> Rows:
    """Rows that crowd towards now, or lie evenly, or crowd at one place far away; a tenth at few instants."""
    dice = random.Random(seed)
    ago: tuple[Callable[[], float], ...]
    ago = (lambda: dice.expovariate(1e-5), lambda: dice.uniform(0, 1e6), lambda: abs(dice.gauss(8e5, 1e3)))
    seconds = (ago[seed % 3]() if n % 10 else 3600 * dice.randrange(5) for n in range(4000))
    return Rows([NOW - timedelta(seconds=each) for each in seconds])


def read(rows: Rows, slices: Slices) -> Iterator[list[int]]:
    """Read as many slices at once as there is room for, a page of each in every turn; gives what each turn brought."""
    waiting = iter(slices)
    under_way: list[tuple[Paginator, Request]] = []

    def take_another() -> None:
        paginator = next(waiting, None)
        if paginator is not None and paginator.request is not None:
            under_way.append((paginator, paginator.request))

    for _ in range(WIDTH):
        take_another()
    while under_way:
        turn, under_way = under_way, []
        brought: list[int] = []
        for paginator, request in turn:
            brought += [key for key, _ in paginator.advance(rows.answer(request))]  # type: ignore[misc]
            if paginator.request is None:
                take_another()
            else:
                under_way.append((paginator, paginator.request))
        yield brought


def opened(rows: Rows) -> tuple[Slices, list[int]]:
    """Slices of a list whose first page was read, and what it brought."""
    slices = Slices([STYLE.paginate(REQUEST)])
    (first,) = slices
    assert first.request is not None
    brought: list[int] = [key for key, _ in first.advance(rows.answer(first.request))]  # type: ignore[misc]
    slices.cut(NOW, len(rows.instants), 2 * STYLE.page_size)
    return slices, brought


@pytest.mark.parametrize("seed", range(15))
def test_each_row_comes_once_and_all_walks_are_busy(seed: int) -> None:
    """Little more is asked for than there are pages, and in little more turns than all walks together need."""
    rows = spread(seed)
    slices, brought = opened(rows)
    turns = list(read(rows, slices))
    brought += chain.from_iterable(turns)
    assert sorted(brought) == list(range(len(rows.instants)))
    pages = len(rows.instants) / (STYLE.page_size - 1)  # of which each repeats a row of the one before
    assert rows.pages <= 1.35 * pages
    assert len(turns) <= 1.5 * pages / WIDTH
    assert slices.position is None


def test_rows_of_the_future_are_not_searched_for_a_place_to_cut() -> None:
    """The count tells of them, and no walk reaches their place before the others are over: few guesses are made."""
    rows = Rows([NOW - timedelta(hours=n) for n in range(1000)] + [NOW + timedelta(hours=n) for n in range(1, 1000)])
    slices, brought = opened(rows)
    brought += chain.from_iterable(read(rows, slices))
    assert sorted(brought) == list(range(len(rows.instants)))
    assert rows.pages <= len(rows.instants) / (STYLE.page_size - 1) + 40


@pytest.mark.parametrize("seed", range(6))
def test_an_interrupted_reading_goes_on_in_every_slice(seed: int) -> None:
    """From the position that it left: nothing is missed."""
    rows = spread(seed)
    slices, brought = opened(rows)
    brought += chain.from_iterable(islice(read(rows, slices), 20))
    assert slices.position is not None
    paginators = [STYLE.paginate(REQUEST, part) for part in slices.position.split(",")]
    assert len(paginators) == WIDTH
    brought += chain.from_iterable(read(rows, Slices(paginators)))
    assert set(brought) == set(range(len(rows.instants)))
