"""Pagination style `single`."""

from __future__ import annotations

from engine.declare.types import Endpoint
from engine.pagination.single import Single
from engine.requests import Page, Request


def test_one_answer_is_the_whole_list() -> None:
    """One request, all of its records, no second request."""
    paginator = Single().paginate(Request(Endpoint("GET", "/x")))
    assert paginator.request == Request(Endpoint("GET", "/x"))
    assert paginator.advance(Page([(1, {"id": 1})])) == [(1, {"id": 1})]
    assert paginator.request is None
