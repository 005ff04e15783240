"""Pagination style `keyset`: pages cost the same at any depth, no row is lost, and a reading can resume."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import nullcontext
from dataclasses import dataclass, replace
from datetime import datetime, timedelta, timezone
from random import Random
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from engine.declare.types import Endpoint
from engine.failures import ReadFailure
from engine.instants import format_instant, parse_instant
from engine.jsonpath import compile_path
from engine.pagination.keyset import Keyset
from engine.pagination.tie_breaker import TieBreaker
from engine.pagination.token import Token
from engine.requests import Page, Request
from tests.effort import cases
from tests.pagination.sent import in_response, sent

START = datetime(2024, 5, 1, tzinfo=timezone.utc)
REQUEST = Request(Endpoint("POST", "/runs/filter"), body={"sort": "AT_ASC", "runs": {"name": {"like_": "x"}}})


def style(size: int) -> Keyset:
    return Keyset(
        field=compile_path("$.at"),
        body={"runs": {"name": {"like_": "x"}, "at": {"after_": "$from", "before_": "$to"}}},
        tie_breaker=TieBreaker(body={"sort": "ID"}),
        page_size=size,
    )


@dataclass
class Server:
    """Rows by id with their instant after START, or None, filtered, sorted and cut as a server does.

    Instants count microseconds or, with ``finer``, tenths of them. Rows without one come first if ``nulls`` is -1, last
    if it is 1; a filter finds them only if ``nulls_pass``. Without ``tells_apart``, no sort orders rows of one instant.
    """

    rows: dict[int, int | None]
    cap: int = 10**6
    finer: bool = False
    nulls: int = 1
    nulls_pass: bool = False
    tells_apart: bool = True
    requests: int = 0

    def answer(self, request: Request) -> Page:
        self.requests += 1
        body: Any = request.written_out().body
        assert body["runs"]["name"] == {"like_": "x"}  # the stream's own filter stays
        window = body["runs"].get("at", {})
        found = [(row, at) for row, at in self.rows.items() if self._passes(at, window)]
        offset = body.get("offset", 0)
        if self.tells_apart:
            found.sort(key=(lambda item: (item[0],)) if body["sort"] == "ID" else self._order)
        else:  # as on PostgreSQL
            Random(f"{body['limit']} {offset}").shuffle(found)
            found.sort(key=lambda item: item[1] or 0)
        page = found[offset : offset + min(body["limit"], self.cap)]
        return Page([(row, {"id": row, "at": self._text(at)}) for row, at in page])

    def _order(self, item: tuple[int, int | None]) -> tuple[int, ...]:
        """Rows of one timestamp change their order from one request to the next, as on PostgreSQL."""
        row, at = item
        if at is None:
            return self.nulls, 0, row
        shuffled = 0 if self.nulls_pass else self.requests * 104729
        return 0, at, (row * 7919 + shuffled) % 1009

    def _passes(self, at: int | None, window: Any) -> bool:
        if at is None:
            return not window or self.nulls_pass
        low = self._parsed(window["after_"]) if "after_" in window else -(10**18)
        return low <= at <= (self._parsed(window["before_"]) if "before_" in window else 10**18)

    def _parsed(self, text: str) -> int:
        return (parse_instant(text) - START) // timedelta(microseconds=1) * (10 if self.finer else 1)

    def _text(self, at: int | None) -> str | None:
        if at is None or not self.finer:
            return None if at is None else format_instant(START + timedelta(microseconds=at))
        return format_instant(START + timedelta(microseconds=at // 10)).replace("Z", f"{at % 10}Z")


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


@pytest.mark.parametrize("size", [20, 50])
@pytest.mark.parametrize("cap", [8, 1000])
def test_rows_that_no_sort_tells_apart_arrive(size: int, cap: int) -> None:
    """Their order depends on the limit and the offset, so some are on several pages and others on none."""
    server = Server({row: row // 60 for row in range(120)}, cap=cap, tells_apart=False)
    assert sorted(read(server, size)) == list(range(120))


def test_rows_of_one_timestamp_that_never_arrive_are_a_failure() -> None:
    """There are more of them than were found, however often they are read."""
    server, paginator = Server(dict.fromkeys(range(20), 0)), style(5).paginate(REQUEST)
    with pytest.raises(ReadFailure, match="30 readings of the rows of one timestamp found 19, and there are more"):
        while paginator.request is not None:
            page = server.answer(paginator.request)
            paginator.advance(replace(page, records=[(key or 1, record) for key, record in page.records]))


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


@pytest.mark.parametrize("value", ["yesterday", 5, "2024-05-01T00:00:00", "", False, []])
def test_a_record_without_its_timestamp_is_a_failure(value: Any) -> None:
    """It is not null, so the API is not what streams.yaml says."""
    paginator = style(10).paginate(REQUEST)
    with pytest.raises(ReadFailure, match=r"no timestamp at \$\.at"):
        paginator.advance(Page([(1, {"id": 1, "at": value})]))


def test_a_server_that_ignores_the_sort_or_the_filter_is_a_failure() -> None:
    """Prefect ignores a filter in the wrong place of the body, and returns all rows."""
    paginator = style(10).paginate(REQUEST)
    unsorted = [(n, {"at": format_instant(START - timedelta(seconds=n))}) for n in range(3)]
    with pytest.raises(ReadFailure, match=r"not sorted by \$\.at, or the server ignores \$from"):
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
    assert sent(paginator.request).body == {
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
    finer=st.booleans(),
    edits=EDITS,
    stops=st.frozensets(st.integers(0, 40), max_size=4),
)
def test_no_row_that_exists_throughout_is_lost(
    instants: list[int | None],
    size: int,
    cap: int,
    finer: bool,
    edits: list[tuple[int, str, int, int]],
    stops: frozenset[int],
) -> None:
    """Whatever is inserted or deleted, wherever a new paginator resumes at the position, and however fine the server's
    timestamps are.
    """
    server = Server(dict(enumerate(instants)), cap, finer)
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


@pytest.mark.parametrize("count", [1, 99, 100, 500])
@pytest.mark.parametrize("at", [10**7 + 7, 10**7])
def test_many_rows_of_one_timestamp_that_is_finer_than_a_microsecond(count: int, at: int) -> None:
    """A filter by the microsecond that they are shown in finds none of them, so no bound is taken to be exact."""
    rows: dict[int, int | None] = {n: 10 * n for n in range(50)}
    rows |= dict.fromkeys(range(100, 100 + count), at)
    rows |= {n: at + 1 + n % 13 for n in range(1000, 1100)}
    assert sorted(read(Server(rows, finer=True), 100)) == sorted(rows)


@pytest.mark.parametrize("finer", [False, True])
def test_two_parts_have_all_rows_at_the_bound_between_them(finer: bool) -> None:
    """Each row is in one of them, though the bound is less fine than the server's timestamps."""
    server = Server({row: row for row in range(100) if row % 10}, finer=finer)
    middle, found = format_instant(START + timedelta(microseconds=5)), list[Any]()
    for position in (f"{format_instant(START)}..{middle}", middle):
        paginator = style(30).paginate(REQUEST, position)
        while paginator.request is not None:
            found += [key for key, _ in paginator.advance(server.answer(paginator.request))]
    assert sorted(found) == list(server.rows)


@settings(max_examples=cases(300))
@given(
    instants=st.lists(st.none() | st.integers(0, 40), max_size=60),
    size=st.integers(2, 20),
    nulls=st.sampled_from([-1, 1]),
    nulls_pass=st.booleans(),
)
def test_rows_without_a_timestamp_hide_no_others(
    instants: list[int | None], size: int, nulls: int, nulls_pass: bool
) -> None:
    """They are read if the server returns them: those that sort first, or that a filter lets pass."""
    server = Server(dict(enumerate(instants)), nulls=nulls, nulls_pass=nulls_pass)
    found = read(server, size)
    assert len(found) == len(set(found))
    expected = {row for row, at in server.rows.items() if at is not None or nulls < 0 or nulls_pass}
    assert expected <= set(found)


def test_without_a_tie_breaker_rows_without_a_timestamp_are_no_failure() -> None:
    """As many as a page holds, which sort first: the others are read by the filter, which they do not pass."""
    server = Server({row: None if row < 20 else row for row in range(50)}, nulls=-1)
    paginator, found = replace(style(5), tie_breaker=None).paginate(REQUEST), list[Any]()
    while paginator.request is not None:
        found += [key for key, _ in paginator.advance(server.answer(paginator.request))]
    assert found == [*range(5), *range(20, 50)]


@pytest.mark.parametrize("count", [0, 1, 5])
def test_a_page_without_a_timestamp_behind_a_bound_is_the_last_unless_it_is_full(count: int) -> None:
    """Without a tie-breaker, what lies behind a full one cannot be read; it would be lost in silence."""
    paginator = replace(style(5), tie_breaker=None).paginate(REQUEST, f"{format_instant(START)}")
    page = Page([(row, {"at": None}) for row in range(count)])
    with pytest.raises(ReadFailure, match="could be more") if count == 5 else nullcontext():
        assert [key for key, _ in paginator.advance(page)] == [*range(count)]
        assert paginator.request is None


def test_rows_without_a_timestamp_do_not_move_the_position() -> None:
    """It is that of the last row that has one."""
    paginator = style(5).paginate(REQUEST)
    paginator.advance(Page([(1, {"at": None}), (2, {"at": format_instant(START)}), (3, {"at": None})]))
    assert paginator.position == format_instant(START)
    assert paginator.request is not None


@pytest.mark.parametrize("text", ["0001-01-01T00:00:00.000000Z", "9999-12-31T23:59:59.999999Z"])
@pytest.mark.parametrize("count", [1, 30])
def test_the_first_and_the_last_instant(text: str, count: int) -> None:
    """Schedules hold such dates. They are asked for with four digits, and nothing is added to the last."""
    rows = [text] * count
    paginator, found = style(10).paginate(REQUEST), list[Any]()
    for _ in range(20):
        if paginator.request is None:
            break
        body: Any = sent(paginator.request).body
        window = body["runs"].get("at", {})
        page = [
            (n, {"at": at}) for n, at in enumerate(rows) if window.get("after_", "") <= at <= window.get("before_", "~")
        ]
        page = page[body.get("offset", 0) :][: body["limit"]]
        found += [key for key, _ in paginator.advance(Page(page))]
        assert paginator.position is not None
        assert paginator.position[:25] == text[:-2]  # or a microsecond later, once all rows of it are read
    assert paginator.request is None
    assert sorted(found) == list(range(count))


def test_rows_of_one_timestamp_that_were_all_read_are_behind_the_position() -> None:
    """So a reading that resumes there does not start with them again, however often it is stopped."""
    paginator, same = style(3).paginate(REQUEST), [(n, {"at": format_instant(START)}) for n in range(3)]
    for page in (same, same, same, same[2:]):
        assert (paginator.position or "").partition("+")[0] in ("", format_instant(START))
        paginator.advance(Page(page))
    assert paginator.position == format_instant(START + timedelta(microseconds=1))


@pytest.mark.parametrize("instant", [None, 0])
def test_a_reading_that_is_stopped_again_and_again_advances_among_rows_of_one_timestamp(instant: int | None) -> None:
    """Or of none. Of three pages, the first starts with the last row that was read, so the others are new."""
    server = Server({**dict.fromkeys(range(40), instant), 40: 5}, nulls=-1)
    found = read(server, 4, stops=frozenset(range(2, 5000, 3)))
    assert set(found) == {*range(41)}
    assert server.requests == 22


def test_a_reading_resumes_among_rows_of_one_timestamp_though_some_came_and_went() -> None:
    """It goes on at a page with a row that was read, so that no other is skipped, and starts over if all are gone."""
    server = Server(dict.fromkeys(range(100, 130), 0))
    paginator = style(10).paginate(REQUEST)
    while "@" not in (paginator.position or ""):
        assert paginator.request is not None
        paginator.advance(server.answer(paginator.request))
    for gone, expected in (
        (range(100, 104), {99, *range(104, 130)}),
        (range(100, 115), {*range(90, 100), *range(115, 130)}),
    ):
        server.rows = {row: 0 for row in range(90, 130) if row not in gone}
        resumed, found = style(10).paginate(REQUEST, paginator.position), set[Any]()
        while resumed.request is not None:
            found |= {key for key, _ in resumed.advance(server.answer(resumed.request))}
        assert found == expected


@pytest.mark.parametrize(("text", "year"), [("0001-01-01T00:00:00+05:00", 1), ("9999-12-31T23:59:59-05:00", 9999)])
def test_an_instant_outside_of_the_years_that_exist_is_the_nearest_one(text: str, year: int) -> None:
    """In UTC, these are in the years 0 and 10000."""
    paginator = style(10).paginate(REQUEST)
    paginator.advance(Page([(1, {"at": text})]))
    assert paginator.position is not None
    assert paginator.position.startswith(f"{year:04}-")


@pytest.mark.parametrize("position", ["1200@%5B%22a%22%5D", "", "x..y", "2024-05-01T10:00:00.000000Z..soon"])
def test_a_position_of_another_style_is_ignored(position: str) -> None:
    """The list is read from its start."""
    assert sent(style(10).paginate(REQUEST, position).request) == sent(style(10).paginate(REQUEST).request)


def test_the_tie_breaker_can_name_another_style() -> None:
    """A server without an offset reads rows of one timestamp by a token. Its first request has the keyset's filter."""
    token = Token(token=in_response("$.next"), query={"token": "$token"}, endpoint=Endpoint("GET", "/runs/next"))
    tied = replace(style(3), tie_breaker=TieBreaker(pagination=token))
    paginator, same = tied.paginate(REQUEST), {"at": format_instant(START)}
    paginator.advance(Page([(n, same) for n in range(3)]))
    paginator.advance(Page([(n, same) for n in range(3)]))
    assert paginator.request is not None
    assert sent(paginator.request).body == {
        "sort": "AT_ASC",
        "limit": 3,
        "runs": {
            "name": {"like_": "x"},
            "at": {"after_": "2024-05-01T00:00:00.000000Z", "before_": "2024-05-01T00:00:00.000001Z"},
        },
    }
    assert paginator.advance(Page([(n, same) for n in (2, 1, 0)], {"next": "a"})) == []
    assert sent(paginator.request) == sent(Request(Endpoint("GET", "/runs/next"), {"token": "a"}))
    assert paginator.advance(Page([(3, same), (4, {"at": "2024-05-01T00:00:00.000001Z"})], {})) == [(3, same)]
    assert paginator.request is not None
    body: Any = sent(paginator.request).body
    assert body["runs"]["at"] == {"after_": "2024-05-01T00:00:00.000001Z"}
