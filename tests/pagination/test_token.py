"""Pagination style `token`, and walks that stop early."""

from __future__ import annotations

from datetime import datetime, timezone
from typing import Any

import pytest

from engine.declare.types import Endpoint
from engine.failures import ReadFailure
from engine.jsonpath import compile_path
from engine.pagination.offset import Offset
from engine.pagination.stop_at import StopAt
from engine.pagination.token import Token
from engine.requests import Page, Request

FIRST = Request(Endpoint("POST", "/events/filter"), body={"limit": 2})
NEXT = Endpoint("GET", "/events/filter/next")


def page(*keys: int, token: Any = None) -> Page:
    return Page([(key, {"id": key}) for key in keys], {"next": token})


def style(endpoint: Endpoint | None = NEXT) -> Token:
    return Token(token=compile_path("$.next"), parameter="page-token", endpoint=endpoint)


def test_follows_the_token_of_a_link_on_its_own_server() -> None:
    """Only the token of a link is used, so that the key goes to no other host; a page without one is the last."""
    paginator = style().paginate(FIRST)
    assert paginator.request == FIRST
    assert [key for key, _ in paginator.advance(page(1, 2, token="http://elsewhere/api/x?page-token=a%3D%3D&z=1"))] == [
        1,
        2,
    ]
    assert paginator.request == Request(NEXT, {"page-token": "a=="})
    assert [key for key, _ in paginator.advance(page(2, 3, token="b"))] == [3]
    assert paginator.request == Request(NEXT, {"page-token": "b"})
    assert paginator.advance(page()) == []
    assert paginator.request is None


def test_a_token_after_the_last_record_is_not_used() -> None:
    """Where the answer says how many there are: some servers end with a token that they refuse."""
    paginator = Token(
        token=compile_path("$.next"), parameter="t", endpoint=NEXT, total=compile_path("$.total")
    ).paginate(FIRST)
    assert len(paginator.advance(Page([(1, {}), (2, {})], {"next": "a", "total": 3}))) == 2
    assert paginator.request == Request(NEXT, {"t": "a"})
    assert len(paginator.advance(Page([(3, {})], {"next": "broken", "total": 3}))) == 1
    assert paginator.request is None


def test_a_token_in_the_same_request() -> None:
    """Without an endpoint of its own the token joins the request."""
    paginator = style(None).paginate(Request(Endpoint("GET", "/x"), {"limit": 2}))
    paginator.advance(page(1, token="t"))
    assert paginator.request == Request(Endpoint("GET", "/x"), {"limit": 2, "page-token": "t"})


@pytest.mark.parametrize(("token", "words"), [(5, "not a text"), ("http://x/y?other=1", 'no parameter "page-token"')])
def test_a_token_that_cannot_be_used_is_a_failure(token: Any, words: str) -> None:
    """Never the end."""
    with pytest.raises(ReadFailure, match=words):
        style().paginate(FIRST).advance(page(1, token=token))


def test_a_token_that_does_not_advance_is_a_failure() -> None:
    """Pages that go round in a circle would be read for ever."""
    paginator = style().paginate(FIRST)
    paginator.advance(page(1, token="a"))
    with pytest.raises(ReadFailure, match="circle"):
        paginator.advance(page(2, token="a"))


def newest_first(*minutes: int | None) -> Page:
    entries = [(m, {"at": None if m is None else f"2024-05-01T10:{m:02}:00Z"}) for m in minutes]
    return Page(entries)


def until(minute: int) -> StopAt:
    paginator = Offset(page_size=3).paginate(FIRST)
    return StopAt(paginator, compile_path("$.at"), datetime(2024, 5, 1, 10, minute, tzinfo=timezone.utc))


def test_stops_where_rows_are_older() -> None:
    """Rows at the bound belong to it; the request after an older row is not made."""
    paginator = until(30)
    assert len(paginator.advance(newest_first(50, 40, 35))) == 3
    assert paginator.request is not None
    assert [key for key, _ in paginator.advance(newest_first(35, 30, 29))] == [30]
    assert paginator.request is None


def test_a_null_is_a_failure() -> None:
    """Databases sort nulls first or last as they like; the request must leave them out."""
    with pytest.raises(ReadFailure, match=r"no instant at \$\.at"):
        until(30).advance(newest_first(None, 50))
