"""Pagination styles `page` and `link`."""

from __future__ import annotations

import random
from typing import Any

import pytest

from engine.declare.types import Endpoint
from engine.failures import ReadFailure
from engine.jsonpath import compile_path
from engine.pagination.link import Link
from engine.pagination.page_number import PageNumber
from engine.requests import Page, Request

GET = Request(Endpoint("GET", "/items"), {"sort": "id"})


def page(keys: list[int], document: Any = None, link: str | None = None) -> Page:
    return Page([(key, {"id": key}) for key in keys], document, link)


def read(style: PageNumber, answer: Any) -> list[int]:
    """Read a list to its end; ``answer`` takes the page's number and gives its keys and the total."""
    paginator, found = style.paginate(GET), list[Any]()
    while paginator.request is not None:
        assert paginator.request.query["sort"] == "id"
        keys, total = answer(paginator.request.query[style.page_key], paginator.request.query[style.size_key])
        found += [key for key, _ in paginator.advance(page(keys, {"total": total}))]
    return found


@pytest.mark.parametrize("first", [0, 1])
@pytest.mark.parametrize("count", [0, 1, 9, 10, 11])
@pytest.mark.parametrize("total", [None, compile_path("$.total")])
def test_every_row_once(first: int, count: int, total: Any) -> None:
    """Whatever the number of rows, with a total or without."""
    rows = list(range(count))
    style = PageNumber(page_size=5, first=first, total=total, page_key="p", size_key="s")
    assert read(style, lambda p, s: (rows[(p - first) * s : (p - first + 1) * s], count)) == rows


@pytest.mark.parametrize("seed", range(50))
def test_with_a_total_no_row_that_stays_is_lost(seed: int) -> None:
    """Rows that are deleted during the read move others to pages that were read already; the read begins again."""
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
    """The same rows again are neither the end nor more rows."""
    with pytest.raises(ReadFailure, match='ignores "page"'):
        read(PageNumber(page_size=5), lambda number, size: ([1, 2, 3], None))


def test_a_total_that_never_fits_is_a_failure() -> None:
    """Loud, and bounded."""
    with pytest.raises(ReadFailure, match="never as many as the server counts"):
        read(PageNumber(page_size=5, total=compile_path("$.total")), lambda number, size: ([1] * (number == 1), 7))


def test_an_answer_without_its_total_is_a_failure() -> None:
    """Nothing proves the read then."""
    paginator = PageNumber(page_size=5, total=compile_path("$.sum")).paginate(GET)
    with pytest.raises(ReadFailure, match=r"no number of rows at \$\.sum"):
        paginator.advance(page([1], {"total": 1}))


@pytest.mark.parametrize("style", [Link(), Link(link=compile_path("$.next"))])
def test_links_are_followed_on_the_own_server(style: Link) -> None:
    """Only the parameters of a link are used; an answer without one is the last."""
    paginator = style.paginate(GET)
    for keys, link in (([1, 2], "https://elsewhere/api/items?after=2&sort=id"), ([2, 3], "?after=3"), ([4], None)):
        paginator.advance(page(keys, {"next": link}, link))
        if link:
            assert paginator.request is not None
            assert paginator.request.endpoint == GET.endpoint
            assert paginator.request.query["after"] == [link.split("after=")[1][0]]
    assert paginator.request is None


@pytest.mark.parametrize(
    ("links", "words"),
    [
        (["/items?a=1", "/items?a=1"], "round in a circle"),
        (["https://h/others?a=1"], "leads to /others, and not to /items"),
        ([5], "is not a text"),
    ],
)
def test_a_link_that_cannot_be_followed_is_a_failure(links: list[Any], words: str) -> None:
    """Never the end."""
    paginator = Link(link=compile_path("$.next")).paginate(GET)
    with pytest.raises(ReadFailure, match=words):
        for number, link in enumerate(links):
            paginator.advance(page([number], {"next": link}))
