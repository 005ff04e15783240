"""Pagination style `page_number`: a total confirms that the read is complete."""

from __future__ import annotations

import random
from dataclasses import replace
from typing import Any

import pytest

from engine.declare.types import Endpoint
from engine.declare.values import JsonValue
from engine.failures import OrderMoved, ReadFailure
from engine.pagination.bookmark import Bookmark
from engine.pagination.offset import Offset
from engine.pagination.page_number import PageNumber
from engine.requests import Page, Request
from tests.pagination.sent import in_response, sent

PLACES: dict[str, JsonValue] = {"p": "$page", "s": "$size"}
GET = Request(Endpoint("GET", "/items"), {"sort": "id"})


def page(keys: list[int], document: Any = None) -> Page:
    return Page([(key, {"id": key}) for key in keys], document)


def read(style: PageNumber, answer: Any) -> list[int]:
    """Read a list to its end; ``answer`` returns the keys of a page and the total, by page number and size."""
    paginator, found = style.paginate(GET), list[Any]()
    while paginator.request is not None:
        assert sent(paginator.request).query["sort"] == "id"
        keys, total = answer(*(paginator.request.written_out().query[name] for name in ("p", "s")))
        found += [key for key, _ in paginator.advance(page(keys, {"total": total}))]
    return found


@pytest.mark.parametrize("first", [0, 1])
@pytest.mark.parametrize("count", [0, 1, 9, 10, 11])
@pytest.mark.parametrize("total", [None, in_response("$.total")])
def test_reads_every_row_once(first: int, count: int, total: Any) -> None:
    """Whatever the number of rows, and with or without a total."""
    rows = list(range(count))
    style = PageNumber(page_size=5, first=first, total=total, query=PLACES)
    assert read(style, lambda p, s: (rows[(p - first) * s : (p - first + 1) * s], count)) == rows


@pytest.mark.parametrize(
    ("style", "size"), [(PageNumber(page_size=6), "page_size"), (PageNumber(page_size=6, query={"n": "$size"}), "n")]
)
def test_a_page_can_have_its_offset_in_place_of_its_number(style: PageNumber, size: str) -> None:
    """For servers that reject an offset which is no multiple of the page size, also once pages are smaller."""
    request = replace(GET, query={"sort": "id", "skip": "$offset"})
    paginator = style.paginate(request)
    offsets = []
    for keys in ([*range(6)], None, [*range(6, 9)], []):
        query = sent(paginator.request).query
        offsets.append((query["skip"], query[size]))
        assert {*query} == {"sort", "skip", size}
        if keys is None:
            assert paginator.shrink()
        else:
            paginator.advance(page(keys))
    assert offsets == [(0, 6), (6, 6), (6, 3), (9, 3)]
    unjoined = style.paginate_unjoined(request)
    unjoined.advance(page([1]))
    assert sent(unjoined.request).query["skip"] == 6


@pytest.mark.parametrize("seed", range(50))
def test_with_a_total_no_row_that_exists_throughout_is_lost(seed: int) -> None:
    """Rows that are deleted during the read move others to pages that were already read; the read starts over."""
    dice = random.Random(seed)
    rows = list(range(100))
    gone: set[int] = set()

    def answer(number: int, size: int) -> tuple[list[int], int]:
        if dice.random() < 0.15 and len(gone) < 10:
            gone.add(rows.pop(dice.randrange(len(rows))))
        return rows[(number - 1) * size : number * size], len(rows)

    found = read(PageNumber(page_size=7, total=in_response("$.total"), query=PLACES), answer)
    assert len(found) == len(set(found))
    assert set(range(100)) - gone <= set(found)


@pytest.mark.parametrize("total", [None, in_response("$.total")])
def test_a_server_that_ignores_the_page_is_a_failure(total: Any) -> None:
    """The same rows again are neither the end nor new rows, whatever the total."""
    with pytest.raises(ReadFailure, match=r"ignores \$page") as caught:
        read(PageNumber(page_size=5, total=total, query=PLACES), lambda number, size: ([1, 2, 3], 7))
    assert caught.type is ReadFailure


def test_with_a_total_pages_that_repeat_do_not_go_on_without_end() -> None:
    """The read starts over, as often as after an empty page."""
    style, requested = PageNumber(page_size=2, total=in_response("$.total"), query=PLACES), list[int]()

    def answer(number: int, size: int) -> tuple[list[int], int]:
        requested.append(number)
        return [1, 2] if number == 1 else [2], 3

    with pytest.raises(OrderMoved, match="never had as many rows as the server counts"):
        read(style, answer)
    assert requested == [1, 2] * 20


def test_a_total_that_is_never_reached_is_a_failure() -> None:
    """The number of times that the read starts over is bounded."""
    with pytest.raises(ReadFailure, match="never had as many rows as the server counts"):
        read(
            PageNumber(page_size=5, total=in_response("$.total"), query=PLACES),
            lambda number, size: ([1] * (number == 1), 7),
        )


def test_a_response_without_its_total_is_a_failure() -> None:
    """Nothing would confirm that the read is complete."""
    paginator = PageNumber(page_size=5, total=in_response("$.sum")).paginate(GET)
    with pytest.raises(ReadFailure, match=r"no total number of rows at \$\.sum"):
        paginator.advance(page([1], {"total": 1}))


@pytest.mark.parametrize("total", ["3", "3.0", 3.0])
def test_a_total_can_be_text(total: Any) -> None:
    """It counts like a number; an empty page after it is not requested."""
    paginator = PageNumber(page_size=5, total=in_response("$.total")).paginate(GET)
    paginator.advance(page([1, 2, 3], {"total": total}))
    assert paginator.request is None


@pytest.mark.parametrize("total", [None, in_response("$.total")])
def test_a_list_that_moves_is_another_failure(total: Any) -> None:
    """It can be read again, unlike a list of a server that ignores the page."""
    dice = random.Random(1)

    def answer(number: int, size: int) -> tuple[list[int], int]:
        rows = dice.sample(range(12), 12)
        return rows[(number - 1) * size : number * size], 12 + number % 2

    with pytest.raises(OrderMoved):
        for _ in range(100):
            read(PageNumber(page_size=4, total=total, query=PLACES), answer)


@pytest.mark.parametrize("gone", [0, 1, 17, 40, 90])
@pytest.mark.parametrize("added", [0, 1, 17, 90])
def test_a_resumed_read_misses_no_row(gone: int, added: int) -> None:
    """Though rows came and went before its position."""
    style, rows = PageNumber(page_size=10), list(range(200))
    paginator, found = style.paginate(GET), set[Any]()
    for turn in range(100):
        if paginator.request is None:
            break
        number = sent(paginator.request).query["page"]
        found |= {key for key, _ in paginator.advance(page(rows[(number - 1) * 10 : number * 10]))}
        if turn == 10:
            del rows[:gone]
            rows[0:0] = range(1000, 1000 + added)
            paginator = style.paginate(GET, paginator.position)
    assert paginator.request is None
    assert found >= set(range(200))


def test_with_a_total_a_read_cannot_resume() -> None:
    """All rows must be read in one go to be counted."""
    style = PageNumber(page_size=1, total=in_response("$.total"))
    paginator = style.paginate(GET)
    paginator.advance(page([1], {"total": 2}))
    assert paginator.position is None
    assert not style.resumable
    assert PageNumber().resumable


@pytest.mark.parametrize("place", ["$.pages", "X-WP-TotalPages"])
@pytest.mark.parametrize("count", [0, 1, 10, 11])
def test_the_number_of_pages_ends_the_list(place: str, count: int) -> None:
    """No page past the last one is requested, wherever the first one is and though pages are short."""
    for first in (0, 1):
        style = PageNumber(page_size=5, first=first, pages=in_response(place))
        paginator, found, requests = style.paginate(GET), list[Any](), 0
        rows, pages = list(range(count)), -(-count // 5)
        while paginator.request is not None:
            at = (sent(paginator.request).query["page"] - first) * 5
            answer = replace(page(rows[at : at + 5], {"pages": pages}), headers={"X-WP-TotalPages": str(pages)})
            found += [key for key, _ in paginator.advance(answer)]
            requests += 1
        assert (found, requests) == (rows, max(1, pages))


def test_a_page_can_be_empty_if_others_follow() -> None:
    """Some servers remove rows from a page that the caller must not see. But not from page after page without end."""
    for following in ({"pages": 3}, {"more": True}):
        style = PageNumber(page_size=2, pages=in_response("$.pages"), more=in_response("$.more"))
        paginator = style.paginate(GET)
        for keys, document in (([1, 2], following), ([], following), ([3], {"pages": 3, "more": False})):
            assert paginator.request is not None
            assert [key for key, _ in paginator.advance(page(keys, document))] == keys
        assert paginator.request is None
        paginator = style.paginate(GET)
        for _ in range(100):
            paginator.advance(page([], {"pages": 10**9, "more": True}))
        with pytest.raises(ReadFailure, match="101 pages in a row are empty"):
            paginator.advance(page([], {"pages": 10**9, "more": True}))


def test_a_number_of_pages_that_is_too_low_is_not_believed() -> None:
    """A page with rows is there, whatever the number. The list is then read until a page is empty."""
    for wrong in ({"pages": 0}, {"pages": 1, "more": True}):
        style = PageNumber(page_size=2, pages=in_response("$.pages"), more=in_response("$.more"))
        paginator = style.paginate(GET)
        for keys, said in (([1, 2], wrong), ([3, 4], wrong), ([], {})):
            assert paginator.request is not None
            paginator.advance(page(keys, said))
        assert paginator.request is None


def test_with_a_total_the_number_of_pages_does_not_end_the_list() -> None:
    """Rows that are missing from all pages have moved, so the read starts over."""
    paginator = PageNumber(page_size=2, pages=in_response("$.pages"), total=in_response("$.total")).paginate(GET)
    for keys, number in (([1, 2], 1), ([2], 2), ([1, 2], 1), ([3], 2)):
        assert sent(paginator.request).query["page"] == number
        paginator.advance(page(keys, {"pages": 2, "total": 3}))
    assert paginator.request is None


def test_a_page_past_the_end_counts_as_empty() -> None:
    """With a total, it is the end only if no row is missing. Only pages after the first can be past the end."""
    for total, requests in ((None, 3), (in_response("$.total"), 5)):
        paginator, number = PageNumber(page_size=2, total=total, past_the_end=(400, 404)).paginate(GET), 0
        pages = [[1, 2], [2, 3], None, [1, 2], [3, 4]] if total else [[1, 2], [3], None]
        for keys in pages:
            assert paginator.request is not None
            is_first = sent(paginator.request).query["page"] == 1
            assert sent(paginator.request).past_the_end == (() if is_first else (400, 404))
            number += 1
            refused = Page([], is_past_the_end=True)
            paginator.advance(refused if keys is None else page(keys, {"total": 4}))
        assert (paginator.request, number) == (None, requests)


def test_a_position_past_the_end_is_looked_for_before_it() -> None:
    """The list has become shorter since: a rejected page has none of its rows."""
    style = PageNumber(page_size=2, past_the_end=(404,))
    paginator = style.paginate(GET, str(Bookmark.at(9, [17])))
    asked = []
    for _ in range(9):
        number = sent(paginator.request).query["page"]
        asked.append(number)
        paginator.advance(page([number * 2 - 1, number * 2]) if number < 3 else Page([], is_past_the_end=True))
        if paginator.request is None:
            break
    assert asked == [9, 8, 10, 7, 11, 1, 2, 3]


@pytest.mark.parametrize(
    "style",
    [
        PageNumber(page_size=2, past_the_end=(404,), pages=in_response("$.pages")),
        PageNumber(page_size=2, past_the_end=(404,), total=in_response("$.total")),
        Offset(page_size=2, past_the_end=(404,), total=in_response("$.total")),
        Offset(page_size=2, past_the_end=(404,), end=in_response("$.end")),
    ],
)
def test_a_list_that_moves_ends_where_the_response_says_so(style: PageNumber | Offset) -> None:
    """Nor is a page past the last one requested of it. A total is believed on a short page only."""
    paginator = style.paginate_unjoined(GET)
    paginator.advance(page([1, 2], {"pages": 2, "total": 2, "end": False}))
    assert sent(paginator.request).past_the_end == (404,)
    paginator.advance(page([2], {"pages": 2, "total": 3, "end": True}))
    assert paginator.request is None
