"""Pagination style `page_number`: a total confirms that the read is complete."""

from __future__ import annotations

import random
from typing import Any

import pytest

from engine.declare.types import Endpoint
from engine.failures import ReadFailure
from engine.jsonpath import compile_path
from engine.pagination.page_number import PageNumber
from engine.requests import Page, Request

GET = Request(Endpoint("GET", "/items"), {"sort": "id"})


def page(keys: list[int], document: Any = None) -> Page:
    return Page([(key, {"id": key}) for key in keys], document)


def read(style: PageNumber, answer: Any) -> list[int]:
    """Read a list to its end; ``answer`` returns the keys of a page and the total, by page number and size."""
    paginator, found = style.paginate(GET), list[Any]()
    while paginator.request is not None:
        assert paginator.request.query["sort"] == "id"
        keys, total = answer(paginator.request.query[style.page_key], paginator.request.query[style.size_key])
        found += [key for key, _ in paginator.advance(page(keys, {"total": total}))]
    return found


@pytest.mark.parametrize("first", [0, 1])
@pytest.mark.parametrize("count", [0, 1, 9, 10, 11])
@pytest.mark.parametrize("total", [None, compile_path("$.total")])
def test_reads_every_row_once(first: int, count: int, total: Any) -> None:
    """Whatever the number of rows, and with or without a total."""
    rows = list(range(count))
    style = PageNumber(page_size=5, first=first, total=total, page_key="p", size_key="s")
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

    found = read(PageNumber(page_size=7, total=compile_path("$.total")), answer)
    assert len(found) == len(set(found))
    assert set(range(100)) - gone <= set(found)


def test_a_server_that_ignores_the_page_is_a_failure() -> None:
    """The same rows again are neither the end nor new rows."""
    with pytest.raises(ReadFailure, match='ignores "page"'):
        read(PageNumber(page_size=5), lambda number, size: ([1, 2, 3], None))


def test_a_total_that_is_never_reached_is_a_failure() -> None:
    """The number of times that the read starts over is bounded."""
    with pytest.raises(ReadFailure, match="never had as many rows as the server counts"):
        read(PageNumber(page_size=5, total=compile_path("$.total")), lambda number, size: ([1] * (number == 1), 7))


def test_a_response_without_its_total_is_a_failure() -> None:
    """Nothing would confirm that the read is complete."""
    paginator = PageNumber(page_size=5, total=compile_path("$.sum")).paginate(GET)
    with pytest.raises(ReadFailure, match=r"no total number of rows at \$\.sum"):
        paginator.advance(page([1], {"total": 1}))
