"""Pagination style `keyset`: pages cost the same at any depth, no row is lost, and a reading can resume."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import nullcontext
from dataclasses import dataclass, replace
from datetime import datetime, timedelta, timezone
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from engine.declare.types import Endpoint
from engine.failures import ReadFailure
from engine.instants import format_instant, parse_instant
from engine.jsonpath import compile_path
from engine.pagination.keyset import Keyset
from engine.requests import Page, Request
from tests.effort import cases

START = datetime(2024, 5, 1, tzinfo=timezone.utc)
REQUEST = Request(Endpoint("POST", "/runs/filter"), body={"sort": "AT_ASC", "runs": {"name": {"like_": "x"}}})


def style(size: int) -> Keyset:
    return Keyset(
        field=compile_path("$.at"),
        after="runs.at.after_",
        before="runs.at.before_",
        tie_breaker={"sort": "ID"},
        page_size=size,
    )


@dataclass
class Server:
    """Rows by id with their instant (in microseconds after START), filtered, sorted and cut as a server does."""

    rows: dict[int, int]
    cap: int = 10**6
    requests: int = 0

    def answer(self, request: Request) -> Page:
        self.requests += 1
        body: Any = request.body
        assert body["runs"]["name"] == {"like_": "x"}  # the stream's own filter stays
        window = body["runs"].get("at", {})
        low = parse_instant(window["after_"]) if "after_" in window else START
        high = parse_instant(window["before_"]) if "before_" in window else None
        found = [
            (row, at)
            for row, at in self.rows.items()
            if START + timedelta(microseconds=at) >= low
            and (high is None or START + timedelta(microseconds=at) <= high)
        ]
        if body["sort"] == "ID":
            found.sort()
        else:  # rows of one timestamp change their order from one request to the next, as on PostgreSQL
            found.sort(key=lambda item: (item[1], (item[0] * 7919 + self.requests * 104729) % 1009))
        offset = body.get("offset", 0)
        page = found[offset : offset + min(body["limit"], self.cap)]
        return Page([(row, {"id": row, "at": format_instant(START + timedelta(microseconds=at))}) for row, at in page])


def read(
    server: Server, size: int, between: Callable[[int], None] | None = None, stops: frozenset[int] = frozenset()
) -> list[int]:
    """Read to the end. After the requests numbered in ``stops``, a new paginator resumes at the position."""
    paginator = style(size).paginate(REQUEST)
    found: list[int] = []
    for number in range(5000):
        if paginator.request is None:
            return found
        found += [key for key, _ in paginator.advance(server.answer(paginator.request))]  # type: ignore[misc]
        if between is not None:
            between(number)
        if number in stops:
            paginator = style(size).paginate(REQUEST, paginator.position)
    raise AssertionError("the paginator does not end")


@pytest.mark.parametrize("size", [1, 2, 10, 200])
@pytest.mark.parametrize("same", [1, 3, 25])
def test_reads_every_row_once(size: int, same: int) -> None:
    """In the order of the timestamps, whether more or fewer rows than a page share one."""
    server = Server({row: row // same for row in range(100)})
    found = read(server, size)
    assert sorted(found) == list(range(100))
    assert [row // same for row in found] == sorted(row // same for row in found)


def test_an_empty_list_is_one_request() -> None:
    """An empty page is the end, at the first request, too."""
    server = Server({})
    assert read(server, 10) == []
    assert server.requests == 1


def test_every_page_is_one_request() -> None:
    """However deep it is: no offset is sent unless more rows than a page share a timestamp."""
    server = Server({row: row for row in range(1000)})
    assert len(read(server, 100)) == 1000
    assert server.requests <= 16


def test_a_whole_list_of_one_timestamp() -> None:
    """Bulk inserts give thousands of rows the same timestamp; the paginator ends and misses none."""
    assert sorted(read(Server(dict.fromkeys(range(300), 5)), 20)) == list(range(300))


@pytest.mark.parametrize("value", [None, "yesterday", 5, "2024-05-01T00:00:00"])
def test_a_record_without_its_timestamp_is_a_failure(value: Any) -> None:
    """The filter by the timestamp would silently skip such rows."""
    paginator = style(10).paginate(REQUEST)
    with pytest.raises(ReadFailure, match=r"no timestamp at \$\.at"):
        paginator.advance(Page([(1, {"id": 1, "at": value})]))


def test_a_server_that_ignores_the_sort_or_the_filter_is_a_failure() -> None:
    """Prefect ignores a filter in the wrong place of the body, and returns all rows."""
    paginator = style(10).paginate(REQUEST)
    unsorted = [(n, {"at": format_instant(START - timedelta(seconds=n))}) for n in range(3)]
    with pytest.raises(ReadFailure, match=r"not sorted by \$\.at, or the server ignores runs\.at\.after_"):
        paginator.advance(Page(unsorted))
    paginator = style(10).paginate(REQUEST)
    page = Page([(n, {"at": format_instant(START + timedelta(seconds=n))}) for n in range(3)])
    paginator.advance(page)
    with pytest.raises(ReadFailure, match="ignores"):
        paginator.advance(page)


def rows_at(*seconds: int) -> Page:
    return Page([(n, {"at": format_instant(START + timedelta(seconds=at))}) for n, at in enumerate(seconds)])


@pytest.mark.parametrize(
    ("pages", "fails"),
    [
        ([(1, 2, 2), (2, 2), ()], False),
        ([(1, 1), (1, 1), ()], False),  # a list of two rows
        ([(1, 2, 2), (2, 2, 2, 2, 2), ()], True),  # as many as the limit
        ([(1, 2, 2), (2, 2, 2)], True),  # as many as a server returns that cuts pages to three rows
    ],
)
def test_without_a_tie_breaker_a_page_full_of_one_timestamp_is_a_failure(
    pages: list[tuple[int, ...]], fails: bool
) -> None:
    """There could be more rows of it, which no filter by the timestamp reaches; they would be lost in silence."""
    paginator = replace(style(5), tie_breaker=None).paginate(REQUEST)
    with pytest.raises(ReadFailure, match="could be more") if fails else nullcontext():
        for page in pages:
            paginator.advance(rows_at(*page))
        assert paginator.request is None


def test_the_bound_joins_the_streams_own_filter() -> None:
    """It goes to the path in `after`; the stream's body itself stays as it is for other requests."""
    paginator = style(10).paginate(REQUEST, "2024-05-01T00:00:01.500000Z")
    assert paginator.request is not None
    assert paginator.request.body == {
        "sort": "AT_ASC",
        "limit": 10,
        "runs": {"name": {"like_": "x"}, "at": {"after_": "2024-05-01T00:00:01.500000Z"}},
    }
    assert REQUEST.body == {"sort": "AT_ASC", "runs": {"name": {"like_": "x"}}}


EDITS = st.lists(
    st.tuples(st.integers(0, 30), st.sampled_from(["insert", "delete"]), st.integers(0, 60), st.integers(1, 12)),
    max_size=8,
)


@settings(max_examples=cases(500))
@given(
    instants=st.lists(st.integers(0, 40), max_size=120),
    size=st.integers(2, 20),
    cap=st.sampled_from([2, 5, 1000]),
    edits=EDITS,
    stops=st.frozensets(st.integers(0, 40), max_size=4),
)
def test_no_row_that_exists_throughout_is_lost(
    instants: list[int], size: int, cap: int, edits: list[tuple[int, str, int, int]], stops: frozenset[int]
) -> None:
    """Whatever is inserted or deleted, and wherever a new paginator resumes at the position."""
    server = Server(dict(enumerate(instants)), cap)
    fresh = iter(range(10**6, 2 * 10**6))

    def between(number: int) -> None:
        for at, action, instant, count in edits:
            if at == number and action == "insert":
                server.rows.update({next(fresh): instant for _ in range(count)})
            elif at == number:
                for row in [row for row, when in server.rows.items() if when == instant][:count]:
                    del server.rows[row]

    found = read(server, size, between, stops)
    assert {row for row in server.rows if row < 10**6} <= set(found)
