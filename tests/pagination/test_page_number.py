"""Pagination style `page_number`: a total confirms that the read is complete."""

from __future__ import annotations

import random
from typing import Any

import pytest

from engine.declare.types import Endpoint
from engine.declare.values import JsonValue
from engine.failures import OrderMoved, ReadFailure
from engine.jsonpath import compile_path
from engine.pagination.page_number import PageNumber
from engine.requests import Page, Request
from tests.pagination.sent import sent

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
@pytest.mark.parametrize("total", [None, compile_path("$.total")])
def test_reads_every_row_once(first: int, count: int, total: Any) -> None:
    """Whatever the number of rows, and with or without a total."""
    rows = list(range(count))
    style = PageNumber(page_size=5, first=first, total=total, query=PLACES)
    assert read(style, lambda p, s: (rows[(p - first) * s : (p - first + 1) * s], count)) == rows


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

    found = read(PageNumber(page_size=7, total=compile_path("$.total"), query=PLACES), answer)
    assert len(found) == len(set(found))
    assert set(range(100)) - gone <= set(found)


def test_a_server_that_ignores_the_page_is_a_failure() -> None:
    """The same rows again are neither the end nor new rows."""
    with pytest.raises(ReadFailure, match=r"ignores \$page") as caught:
        read(PageNumber(page_size=5, query=PLACES), lambda number, size: ([1, 2, 3], None))
    assert caught.type is ReadFailure


def test_a_total_that_is_never_reached_is_a_failure() -> None:
    """The number of times that the read starts over is bounded."""
    with pytest.raises(ReadFailure, match="never had as many rows as the server counts"):
        read(
            PageNumber(page_size=5, total=compile_path("$.total"), query=PLACES),
            lambda number, size: ([1] * (number == 1), 7),
        )


def test_a_response_without_its_total_is_a_failure() -> None:
    """Nothing would confirm that the read is complete."""
    paginator = PageNumber(page_size=5, total=compile_path("$.sum")).paginate(GET)
    with pytest.raises(ReadFailure, match=r"no total number of rows at \$\.sum"):
        paginator.advance(page([1], {"total": 1}))


@pytest.mark.parametrize("total", ["3", "3.0", 3.0])
def test_a_total_can_be_text(total: Any) -> None:
    """It counts like a number; an empty page after it is not requested."""
    paginator = PageNumber(page_size=5, total=compile_path("$.total")).paginate(GET)
    paginator.advance(page([1, 2, 3], {"total": total}))
    assert paginator.request is None


@pytest.mark.parametrize("total", [None, compile_path("$.total")])
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
    style = PageNumber(page_size=1, total=compile_path("$.total"))
    paginator = style.paginate(GET)
    paginator.advance(page([1], {"total": 2}))
    assert paginator.position is None
    assert not style.resumable
    assert PageNumber().resumable
