"""Pagination style `keyset` on a list that grows while it is read: the reading ends, and what existed is in it."""

from __future__ import annotations

from bisect import bisect_left, bisect_right, insort
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from datetime import datetime, timedelta, timezone
from itertools import count, product
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from engine.declare.types import Endpoint
from engine.instants import format_instant, parse_instant
from engine.jsonpath import compile_path
from engine.pagination import Paginator
from engine.pagination.keyset import Keyset
from engine.pagination.paginator import IsLater
from engine.pagination.slices import Slices
from engine.pagination.tie_breaker import TieBreaker
from engine.requests import Page, Record, Request
from tests.effort import cases, pairs

BEGAN = datetime(2024, 5, 1, tzinfo=timezone.utc)
REQUEST = Request(Endpoint("POST", "/rows"))
SIZE = 20
STYLE = Keyset(
    field=compile_path("$.at"),
    body={"after": "$from", "before": "$to"},
    tie_breaker=TieBreaker(body={"tied": 1}),
    page_size=SIZE,
)
YEAR = 365 * 86400.0


def is_later(record: Record) -> bool:
    """Whether a row was not there when the reading began."""
    return bool(record["new"])


@dataclass
class Server:
    """Rows by their instant, in seconds after the reading began. Each request takes a while, in which rows arrive.

    Args:
        existing: The instants of the rows that exist.
        arriving: The number of rows that arrive during a request.
        ahead: How far their instants are ahead of the server's clock.
        seconds: How long a request takes.
    """

    existing: list[float]
    arriving: int = 0
    ahead: float = 0
    seconds: float = 1
    requests: int = 0
    clock: float = 0
    rows: list[tuple[float, int, bool]] = field(default_factory=list)
    fresh: Iterator[int] = field(default_factory=lambda: count(10**6))

    def __post_init__(self) -> None:
        self.rows = sorted((at, number, False) for number, at in enumerate(self.existing))

    def answer(self, request: Request) -> Page:
        """The page for a request, and the whole second at which it was requested, as in a Date header."""
        self.requests += 1
        for n in range(self.arriving):
            at = self.clock + self.seconds * (n + 1) / self.arriving + self.ahead
            insort(self.rows, (round(at, 6), next(self.fresh), True))
        asked_at = BEGAN + timedelta(seconds=int(self.clock))
        self.clock += self.seconds
        body: Any = request.written_out().body
        low = bisect_left(self.rows, (seconds(body["after"]),)) if "after" in body else 0
        high = bisect_right(self.rows, (seconds(body["before"]), 10**9)) if "before" in body else len(self.rows)
        first = low + body.get("offset", 0)
        page = self.rows[first : min(high, first + body["limit"])]
        return Page([(n, {"at": text(at), "new": new}) for at, n, new in page], asked_at=asked_at)


def text(at: float) -> str:
    return format_instant(BEGAN + timedelta(seconds=at))


def seconds(instant: str) -> float:
    return (parse_instant(instant) - BEGAN) / timedelta(seconds=1)


def read(server: Server, paginators: Iterable[Paginator], limit: int = 3000) -> set[int]:
    """Read all paginators in turn; returns the keys of the rows that existed."""
    found: set[Any] = set()
    for paginator in paginators:
        while paginator.request is not None:
            assert server.requests < limit, "the reading has no end"
            found |= {key for key, record in paginator.advance(server.answer(paginator.request)) if not record["new"]}
    return found


def whole(later: IsLater | None = is_later, position: str | None = None) -> list[Paginator]:
    parts = position.split(",") if position else [None]
    return [STYLE.paginate(REQUEST, part, is_later=later) for part in parts]


PAST = [-10.0 * n for n in range(1, 1000)]
FUTURE = [YEAR * n for n in range(1, 30)] + [0.5 * n for n in range(1, 60)]
LISTS = {"past": PAST, "past and future": PAST + FUTURE, "future": FUTURE, "empty": [], "one": [-1.0]}


@pytest.mark.parametrize(("growth", "name"), pairs(product([0, 1, 2, 19, 20, 30, 100], [0.05, 0.2, 1, 7]), [*LISTS]))
def test_the_requests_depend_on_what_existed(growth: tuple[int, float], name: str) -> None:
    """However many rows arrive meanwhile, and however far ahead others are dated."""
    arriving, seconds_per_request = growth
    existing = LISTS[name]
    server = Server(existing, arriving, seconds=seconds_per_request)
    assert read(server, whole()) == set(range(len(existing)))
    pages = len(existing) / (SIZE - 1)
    in_two_seconds = 2 / seconds_per_request * (1 + arriving / (SIZE - 1))  # the resolution of the clock
    assert server.requests <= pages + 3 * in_two_seconds + 20 + arriving


def test_without_what_tells_new_rows_apart_the_reading_follows_them() -> None:
    """The test above can fail: the list has no end, if it grows with every request."""
    with pytest.raises(AssertionError, match="no end"):
        read(Server(PAST, 2), whole(None))


def test_rows_of_the_next_minute_are_read() -> None:
    """A thousand runs that were scheduled for it are behind the rows that arrive in the seconds before."""
    existing = [*PAST, *([3.0] * 1000)]
    server = Server(existing, 30, seconds=0.2)
    assert read(server, whole()) == set(range(len(existing)))


@pytest.mark.parametrize("ahead", [-30, 30, 3600])
@pytest.mark.parametrize("arriving", [2, 30])
def test_new_rows_can_be_dated_by_another_clock(ahead: float, arriving: int) -> None:
    """That of a worker, behind or ahead of the server's."""
    server = Server(PAST + FUTURE, arriving, ahead=ahead, seconds=0.2)
    assert read(server, whole()) == set(range(len(server.existing)))
    assert server.requests <= len(server.existing) / (SIZE - 1) + 450


@pytest.mark.parametrize("arriving", [2, 30])
def test_slices_end_too(arriving: int) -> None:
    """A slice has an upper bound; the one without is read like the whole list."""
    server = Server(PAST + FUTURE, arriving, seconds=0.2)
    (first,) = whole()
    assert first.request is not None
    found: set[Any] = {key for key, _ in first.advance(server.answer(first.request))}
    slices = Slices([first])
    slices.cut(BEGAN, len(server.existing), 2 * SIZE)
    found |= read(server, slices)
    assert found >= set(range(len(server.existing)))
    assert server.requests <= 2 * len(server.existing) / (SIZE - 1) + 100


def test_rows_that_all_changed_since_are_no_end() -> None:
    """A pass that resumes days later meets pages of rows that changed since it began, in the middle of the list."""
    server = Server(PAST + FUTURE)
    assert read(server, whole(lambda record: True)) == set(range(len(server.existing)))
    assert server.requests <= 200


@settings(max_examples=cases(300))
@given(
    existing=st.lists(st.sampled_from([-YEAR, -5, -1, -0.5, 0, 0.5, 1, 1.5, 2, 7, 60, YEAR]), max_size=150),
    arriving=st.integers(0, 50),
    seconds_per_request=st.sampled_from([0.3, 1, 5]),
    stops=st.frozensets(st.integers(0, 30), max_size=3),
)
def test_a_reading_that_resumes_loses_no_row(
    existing: list[float], arriving: int, seconds_per_request: float, stops: frozenset[int]
) -> None:
    """Wherever it stopped: its position has all that is left to read."""
    server, found = Server(existing, arriving, seconds=seconds_per_request), set[Any]()
    left = whole()
    for number in range(2000):
        if not left:
            break
        paginator = left[0]
        assert paginator.request is not None
        found |= {key for key, _ in paginator.advance(server.answer(paginator.request))}
        if number in stops:
            position = Slices(left).position
            left = whole(position=position)
        left = [paginator for paginator in left if paginator.request is not None]
    assert not left
    assert set(range(len(existing))) <= found
