"""Pagination style `offset`: complete although the list changes, or a failure, but never silently short."""

from __future__ import annotations

import re
from collections.abc import Callable, Hashable
from datetime import datetime, timezone
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from engine.declare.types import Endpoint
from engine.declare.values import JsonValue
from engine.failures import OrderMoved, ReadFailure
from engine.pagination.bookmark import Bookmark
from engine.pagination.offset import Offset
from engine.requests import Page, Request
from tests.effort import cases
from tests.pagination.sent import in_response, sent

START = datetime(2024, 5, 1, tzinfo=timezone.utc)
POST = Request(Endpoint("POST", "/x/filter"), body={"sort": "ID"})
Rows = list[int]


def read(
    rows: Rows,
    *,
    size: int,
    cap: int = 10**6,
    between: Callable[[int], None] | None = None,
    limit: int = 2000,
    stops: frozenset[int] = frozenset(),
    smaller: bool = False,
) -> list[int]:
    """Read a list that may change between the requests; returns the new rows in order.

    After the requests numbered in ``stops``, a new paginator resumes at the position or, with ``smaller``, the pages
    are halved.
    """
    paginator = Offset(page_size=size).paginate(POST)
    found: list[int] = []
    for number in range(limit):
        if paginator.request is None:
            return found
        body: Any = sent(paginator.request).body
        page = rows[body["offset"] : body["offset"] + min(body["limit"], cap)]
        found += [record["id"] for _, record in paginator.advance(Page([(row, {"id": row}) for row in page]))]
        if between is not None:
            between(number)
        if number in stops and smaller:
            paginator.shrink()
        elif number in stops and paginator.request is not None:
            paginator = Offset(page_size=size).paginate(POST, paginator.position)
    raise AssertionError("the paginator does not end")


@pytest.mark.parametrize("count", [0, 1, 2, 3, 9, 10, 11, 19, 20, 100])
@pytest.mark.parametrize("size", [1, 2, 10])
def test_reads_every_row_once(count: int, size: int) -> None:
    """A list that does not change is read completely and in order, whatever its length and the page size."""
    rows = list(range(count))
    assert read(rows, size=size) == rows


@pytest.mark.parametrize("cap", [2, 3, 7, 50])
@pytest.mark.scenario("short-pages")
def test_a_server_that_cuts_pages_loses_nothing(cap: int) -> None:
    """A page shorter than the limit is not the end."""
    rows = list(range(120))
    assert read(rows, size=100, cap=cap) == rows


def test_a_server_that_returns_one_row_at_a_time_is_a_failure() -> None:
    """Pages of one row cannot overlap, so nothing confirms that no row was skipped."""
    with pytest.raises(ReadFailure, match="one row at a time") as caught:
        read(list(range(5)), size=10, cap=1)
    assert caught.type is ReadFailure


@pytest.mark.scenario("offset-ignored")
def test_a_server_that_ignores_the_offset_is_a_failure() -> None:
    """The message names the remedy. The read neither stops after one page nor goes on forever."""
    paginator = Offset(page_size=10).paginate(POST)
    page = Page([(n, {"id": n}) for n in range(10)])
    with pytest.raises(ReadFailure, match=r"ignores \$offset.*pagination: single") as caught:
        for _ in range(10):
            paginator.advance(page)
    assert caught.type is ReadFailure


def test_a_row_inserted_before_a_short_list_is_no_failure() -> None:
    """The next page then has the same rows as the one before it, as if the server ignored the offset."""
    rows = [1, 2]
    assert set(read(rows, size=10, between=lambda number: rows.insert(0, 0) if number == 0 else None)) >= {1, 2}


def test_deleting_rows_that_were_read_hides_no_others() -> None:
    """The rest moves forward, so a plain offset would skip as many rows."""
    rows = list(range(100))

    def between(number: int) -> None:
        if number == 3:
            del rows[0:15]

    assert read(rows, size=10, between=between) == list(range(100))


def test_the_last_row_read_can_be_deleted() -> None:
    """Then the next page does not start with it, and the paginator steps back."""
    rows = list(range(40))

    def between(number: int) -> None:
        if number == 0:
            rows.remove(9)

    assert read(rows, size=10, between=between) == list(range(40))


def test_all_rows_can_be_deleted() -> None:
    """A list that is emptied during the read has ended."""
    rows = list(range(40))
    assert read(rows, size=10, between=lambda number: rows.clear()) == list(range(10))


def test_an_order_that_is_not_stable_is_a_failure() -> None:
    """An order that changes with every request does not make the read endless."""
    rows = list(range(1000))

    def between(number: int) -> None:
        rows[:] = [row + 1000 for row in rows]

    with pytest.raises(OrderMoved, match="did not start with a row that was read"):
        read(rows, size=10, between=between)


def test_the_same_page_again_and_again_in_a_list_that_moves_is_another_failure() -> None:
    """The server does not ignore the offset, or each page would be the first one: the rows before it become more."""
    rows = list(range(12))

    def between(number: int) -> None:
        if number > 0:
            rows[0:0] = [100 + 2 * number, 101 + 2 * number]

    with pytest.raises(OrderMoved, match="offset 15 returned the same 3 rows"):
        read(rows, size=10, between=between)


@pytest.mark.parametrize("key", [("a,b..c@d", 7), "\udc80", ("é", None, START), (Decimal("1.50"),)])
def test_a_position_is_one_word_whatever_the_keys(key: Hashable) -> None:
    """Positions are joined by commas, and keys can contain anything. Another process finds the same row by it."""
    paginator = Offset(page_size=2).paginate(POST)
    paginator.advance(Page([(0, {}), (key, {})]))
    position = paginator.position
    assert position is not None
    assert re.fullmatch(r"1@[\w%-]+", position)
    assert position.isascii()
    resumed = Offset(page_size=2).paginate(POST, position)
    assert resumed.request is not None
    assert sent(resumed.request).body == {"sort": "ID", "limit": 2, "offset": 1}
    assert [k for k, _ in resumed.advance(Page([(key, {}), (9, {})]))] == [key, 9]


def test_a_list_whose_order_moves_is_read_from_its_start_in_smaller_pages() -> None:
    """Whoever reads it drops the rows that come twice."""
    paginator = Offset(page_size=4).paginate_unjoined(POST)
    paginator.advance(Page([(row, {}) for row in range(4)]))
    for size in (2, 1):
        assert paginator.shrink() and paginator.request is not None
        assert sent(paginator.request).body == {"sort": "ID", "limit": size, "offset": 0}
    assert not paginator.shrink()


def test_a_page_at_the_second_row_without_the_bookmark_is_not_the_place() -> None:
    """The row before it can be a new one: the list is read from its start."""
    resumed = Offset(page_size=2).paginate(POST, str(Bookmark.at(1, [7])))
    assert not resumed.advance(Page([(8, {}), (9, {})]))
    assert resumed.request is not None
    assert sent(resumed.request).body == {"sort": "ID", "limit": 2, "offset": 0}


@pytest.mark.parametrize("position", ["2024-05-01T10:00:00.000000Z", "5@token", "x@[]", "5@5"])
def test_a_position_of_another_style_is_ignored(position: str) -> None:
    """The list is read from its start."""
    request = Offset(page_size=2).paginate(POST, position).request
    assert request is not None
    assert sent(request).body == {"sort": "ID", "limit": 2, "offset": 0}


@pytest.mark.parametrize("change", [0, -1, -250, 1, 250, -2000, 2000])
def test_resuming_costs_few_requests(change: int) -> None:
    """Though rows came or went before the position; after too many of them, the list is read again from its start."""
    rows = list(range(10_000))
    paginator, requests = Offset(page_size=100).paginate(POST), 0
    while paginator.request is not None and requests < 60:
        body: Any = sent(paginator.request).body
        paginator.advance(Page([(row, {}) for row in rows[body["offset"] : body["offset"] + 100]]))
        requests += 1
    rows[0 : max(0, -change)] = [-n - 1 for n in range(change)]
    resumed, found, more = Offset(page_size=100).paginate(POST, paginator.position), set[Any](), 0
    while resumed.request is not None:
        body = sent(resumed.request).body
        found |= {key for key, _ in resumed.advance(Page([(n, {}) for n in rows[body["offset"] :][:100]]))}
        more += 1
    assert set(range(5940, 10_000)) <= found
    assert more <= (50 if abs(change) <= 250 else 160)


def test_the_page_is_in_the_body_or_the_query() -> None:
    """In the body of a POST request beside the stream's own keys, or in the query of a GET request."""
    places: dict[str, JsonValue] = {"per_page": "$size", "skip": "$offset"}
    posted = Offset(page_size=5, body=places).paginate(POST).request
    assert posted is not None
    assert sent(posted).body == {"sort": "ID", "per_page": 5, "skip": 0}
    got = Offset(page_size=5, query=places).paginate(Request(Endpoint("GET", "/x"), {"q": "a"})).request
    assert got is not None
    assert (sent(got).query, sent(got).body) == ({"q": "a", "per_page": 5, "skip": 0}, None)


EDITS = st.lists(
    st.tuples(st.integers(0, 30), st.sampled_from(["insert", "delete"]), st.integers(0, 200), st.integers(1, 12)),
    max_size=8,
)


def storm(rows: Rows, edits: list[tuple[int, str, int, int]]) -> Callable[[int], None]:
    """A function that inserts and deletes rows after the numbered requests."""
    fresh = iter(range(10**6, 2 * 10**6))

    def between(number: int) -> None:
        for at, action, position, count in edits:
            if at == number and action == "insert":
                where = position % (len(rows) + 1)
                rows[where:where] = [next(fresh) for _ in range(count)]
            elif at == number and rows:
                where = position % len(rows)
                del rows[where : where + count]

    return between


@settings(max_examples=cases(500))
@given(
    count=st.integers(0, 120),
    size=st.integers(2, 20),
    cap=st.sampled_from([2, 5, 1000]),
    edits=EDITS,
    stops=st.frozensets(st.integers(0, 40), max_size=4),
)
def test_no_row_that_exists_throughout_is_lost(
    count: int, size: int, cap: int, edits: list[tuple[int, str, int, int]], stops: frozenset[int]
) -> None:
    """Whatever is inserted or deleted during the read, and wherever a new paginator resumes at the position, every row
    that exists from its start to its end is returned.
    """
    rows = list(range(count))
    try:
        found = read(rows, size=size, cap=cap, between=storm(rows, edits), stops=stops)
    except ReadFailure:
        return  # the sync fails and the next one reads again; the last test below shows that this is rare
    assert {row for row in rows if row < count} <= set(found)


@settings(max_examples=cases(200))
@given(
    count=st.integers(0, 40),
    action=st.sampled_from(["insert", "delete"]),
    edits=EDITS,
    halved=st.frozensets(st.integers(0, 6), max_size=5),
)
def test_smaller_pages_lose_no_row(
    count: int, action: str, edits: list[tuple[int, str, int, int]], halved: frozenset[int]
) -> None:
    """Pages of one row do not overlap, so the row in front is read again. Rows that only come or only go hide none."""
    rows, of_one_kind = list(range(count)), [(at, action, position, rows) for at, _, position, rows in edits]
    try:
        found = read(rows, size=8, between=storm(rows, of_one_kind), stops=halved, smaller=True)
    except ReadFailure:
        return
    assert {row for row in rows if row < count} <= set(found)


@pytest.mark.parametrize("count", range(5))
def test_pages_of_one_row_are_read_to_the_end(count: int) -> None:
    """Each row once, in order."""
    assert read(list(range(count)), size=8, stops=frozenset(range(3)), smaller=True) == list(range(count))


def test_a_plain_offset_loses_rows_in_the_same_storm() -> None:
    """The test above can fail: the usual loop, which adds the page's length to the offset, loses rows in it."""
    rows = list(range(100))
    between = storm(rows, [(1, "delete", 0, 5)])
    found: set[int] = set()
    offset = number = 0
    while page := rows[offset : offset + 10]:
        found.update(page)
        offset += len(page)
        between(number)
        number += 1
    assert {row for row in rows if row < 100} - found == set(range(20, 25))


def test_a_few_changes_never_fail_the_read() -> None:
    """A change on each of many pages does not make the read fail."""
    for seed in range(50):
        rows = list(range(200))
        edits = [(n, "delete" if (n + seed) % 2 else "insert", (n * 37 + seed * 11) % 200, 1) for n in range(30)]
        found = read(rows, size=20, between=storm(rows, edits))
        assert {row for row in rows if row < 200} <= set(found)


def counted(rows: Rows, total: int, *, size: int = 10, cap: int = 10**6, **said: Any) -> tuple[list[Any], int]:
    """The rows of a list whose responses say how many there are, and the number of requests."""
    style = Offset(page_size=size, total=in_response("$.total"), more=in_response("$.more"), end=in_response("X-End"))
    paginator, found, requests = style.paginate(POST), list[Any](), 0
    while paginator.request is not None:
        body: Any = sent(paginator.request).body
        page = rows[body["offset"] : body["offset"] + min(body["limit"], cap)]
        ends = body["offset"] + len(page) >= len(rows)
        document = {"total": total, **({"more": not ends} if "more" in said else {})}
        headers = {"X-End": str(ends).lower()} if "end" in said else {}
        found += [key for key, _ in paginator.advance(Page([(row, {}) for row in page], document, headers=headers))]
        requests += 1
    return found, requests


@pytest.mark.parametrize(("count", "requests"), [(0, 1), (1, 1), (9, 1), (10, 2), (11, 2), (25, 3)])
def test_a_total_saves_the_request_that_confirms_the_end(count: int, requests: int) -> None:
    """A short list costs one request instead of two. Only a full page is confirmed by another request."""
    rows = list(range(count))
    assert counted(rows, count) == (rows, requests)


@pytest.mark.parametrize(("count", "total"), [(9, 5), (9, 50), (30, 10), (35, 10)])
def test_a_total_that_is_wrong_loses_nothing(count: int, total: int) -> None:
    """Some servers count only so many rows, those of the page, or those that the caller must not see."""
    rows = list(range(count))
    assert counted(rows, total)[0] == rows


def test_a_page_as_long_as_those_before_it_is_full() -> None:
    """Though it is shorter than requested: the server returns no more at a time."""
    rows = list(range(35))
    assert counted(rows, 13, cap=7)[0] == rows


def test_a_response_can_say_whether_more_follow() -> None:
    """If it contradicts the total, neither is believed."""
    style = Offset(page_size=10, more=in_response("$.more"))
    for total, said, requests in ((9, True, 1), (50, False, 2)):
        assert counted(list(range(9)), total, more=said, end=said) == (list(range(9)), requests)
    paginator = style.paginate(POST)
    paginator.advance(Page([(1, {})], {"more": False}))
    assert paginator.request is None


def test_a_page_past_the_end_counts_as_empty() -> None:
    """The rows before it were deleted meanwhile, so the paginator steps back. The first page is never past the end."""
    paginator = Offset(page_size=4, past_the_end=(404,)).paginate(POST)
    assert sent(paginator.request).past_the_end == ()
    paginator.advance(Page([(row, {}) for row in range(4)]))
    assert sent(paginator.request).past_the_end == (404,)
    paginator.advance(Page([], is_past_the_end=True))
    body: Any = sent(paginator.request).body
    assert body["offset"] < 3
