"""A first page that names no other: the list ends there, unless the next page is looked for in the wrong place."""

from __future__ import annotations

from typing import Any

import pytest

from engine.declare.types import Endpoint
from engine.failures import ReadFailure
from engine.pagination import Paginator
from engine.pagination.link import Link
from engine.pagination.token import Token
from engine.requests import Page, Request
from tests.pagination.sent import in_response, sent

TOKEN = Token(token=in_response("$.paging.next"), query={"after": "$token"}, page_size=4)
LINK = Link(link=in_response("$.links.next"), page_size=4)
HEADER = Link(page_size=4)
NAMED: dict[str, Any] = {"token": {"paging": {"next": "t"}}, "link": {"links": {"next": "/x?page=2"}}}
STYLES = pytest.mark.parametrize("style", [TOKEN, LINK, HEADER], ids=["token", "link", "header"])


def page(count: int, document: Any = None, next_link: str | None = None) -> Page:
    records = [(key, {"id": key}) for key in range(count)]
    return Page(records, {"data": [], **(document or {})}, next_link, url="http://shop.test/x")


def begun(style: Token | Link, first: Page) -> Paginator:
    """A paginator that has taken in a first page."""
    paginator = style.paginate(Request(Endpoint("GET", "/x"), {"sort": "id"}))
    paginator.advance(first)
    return paginator


def named(style: Token | Link, count: int) -> Page:
    """A page that names the next one."""
    kind = "token" if isinstance(style, Token) else "link"
    return page(count, NAMED[kind], next_link="/x?page=2" if style is HEADER else None)


@STYLES
def test_a_full_page_is_requested_again_with_one_row_less(style: Token | Link) -> None:
    """If that names the next page, the list has exactly one page. Its rows are not returned a second time."""
    paginator = begun(style, page(4))
    assert sent(paginator.request).query == {"sort": "id", "limit": 3}
    assert paginator.advance(named(style, 3)) == []
    assert paginator.request is None


@STYLES
def test_a_list_that_goes_on_without_a_name_for_it_is_a_failure(style: Token | Link) -> None:
    """The message names the key, and what the response has in its place."""
    paginator = begun(style, page(4))
    with pytest.raises(ReadFailure) as caught:
        paginator.advance(page(3, {"meta": {"after_cursor": "secret", "next": None}}))
    source = "the token at $.paging.next" if isinstance(style, Token) else "the link to the next page"
    message = f"the list has more than 3 rows, but of a page with so many, {source} is missing"
    assert str(caught.value) == f"{message}; the response has $.meta.after_cursor"


@STYLES
@pytest.mark.parametrize(
    "second",
    [page(2), page(0), page(4), Page([], is_past_the_end=True)],
    ids=["a row is gone", "all are gone", "the size is ignored", "the size is rejected"],
)
def test_what_proves_nothing_is_the_end(style: Token | Link, second: Page) -> None:
    """A server can accept certain sizes only, and rows can be deleted."""
    paginator = begun(style, page(4))
    paginator.advance(second)
    assert paginator.request is None


@pytest.mark.parametrize(
    ("style", "first"),
    [
        (TOKEN, page(3)),
        (TOKEN, page(4, {"paging": None})),
        (
            Token(token=in_response("$.paging[*].next"), query={"after": "$token"}, page_size=4),
            page(4, {"paging": None}),
        ),
        (TOKEN, page(4, {"paging": {"next": ""}})),
        (LINK, page(4, {"links": {"next": None}})),
        (Token(token=in_response("X-Next"), query={"after": "$token"}), page(10)),
        (Token(token=in_response("$.next"), query={"after": "$token"}, page_size=1), page(1)),
        (
            Token(token=in_response("$.t"), query={"t": "$token"}, page_size=4, more=in_response("$.m")),
            page(4, {"m": 0}),
        ),
        (Link(page_size=4, end=in_response("$.end")), page(4, {"end": True})),
        (
            Token(token=in_response("$.t"), query={"t": "$token"}, page_size=4, total=in_response("$.n")),
            page(4, {"n": 4}),
        ),
    ],
    ids=["short", "null above", "null above any", "empty", "null", "no size", "one row", "more", "end", "total"],
)
def test_no_second_request_confirms_what_is_clear(style: Token | Link, first: Page) -> None:
    """A page that is not full, a response that says there is no other, and a size that the server decides."""
    assert begun(style, first).request is None


@STYLES
def test_a_later_page_ends_the_list(style: Token | Link) -> None:
    """The path has led to a token or link before, so it is right."""
    paginator = begun(style, named(style, 4))
    records = [(key, {"id": key}) for key in range(4, 8)]
    paginator.advance(Page(records, {}, url="http://shop.test/x"))
    assert paginator.request is None


@STYLES
@pytest.mark.parametrize(
    "document",
    [{"has_more": True}, {"meta": {"hasMore": True}}, {"data": {"issues": {"pageInfo": {"hasNextPage": True}}}}],
    ids=["top", "meta", "graphql"],
)
def test_a_response_that_says_there_are_more_is_believed(style: Token | Link, document: Any) -> None:
    """Whether or not the size of pages is known."""
    for declared in (style, Link(), Token(token=in_response("$.t"), query={"t": "$token"})):
        with pytest.raises(ReadFailure, match=r"says that there are more pages, and the .* is missing"):
            begun(declared, page(2, document))
    assert begun(style, page(2, {"refunds": {"has_more": True}})).request is None


@STYLES
@pytest.mark.parametrize(
    ("document", "place"),
    [
        ({"@odata.nextLink": "https://shop.test/x?$skiptoken=2"}, "$['@odata.nextLink']"),
        ({"paging": {"next_page_url": "/x?page=2"}}, "$.paging.next_page_url"),
    ],
)
def test_a_link_in_another_place_is_not_the_end(style: Token | Link, document: Any, place: str) -> None:
    """Whether or not the size of pages is known: the path is misspelt, or the style is another."""
    for declared in (style, Link(), Token(token=in_response("$.t"), query={"t": "$token"})):
        with pytest.raises(ReadFailure) as caught:
            begun(declared, page(2, document))
        assert f"the response links to the next page at {place}, and the " in str(caught.value)


@pytest.mark.parametrize(
    "document",
    [{"next": None}, {"next": "2"}, {"next_steps": "https://shop.test/help"}, {"user": {"next": "/users/2"}}],
    ids=["null", "no link", "another word", "of a user"],
)
def test_what_only_looks_like_a_link_to_the_next_page_is_the_end(document: Any) -> None:
    """So is a link beside the declared place, if that is there and has none."""
    assert begun(Link(), page(2, document)).request is None
    beside = {"links": {"next": None}, "next": "https://shop.test/x?page=2"}
    assert begun(LINK, page(2, beside)).request is None


def test_smaller_pages_are_confirmed_with_their_own_size() -> None:
    """After a response that was too large."""
    paginator = TOKEN.paginate(Request(Endpoint("GET", "/x")))
    assert paginator.shrink()
    paginator.advance(page(2))
    assert sent(paginator.request).query == {"limit": 1}
