"""Pagination style `single`."""

from __future__ import annotations

from engine.paging.single import Single
from engine.requests import Page, Request
from engine.spec.model import Endpoint


def test_one_answer_is_the_whole_list() -> None:
    """One request, all of its records, no second request."""
    walk = Single().walk(Request(Endpoint("GET", "/x")))
    assert walk.request == Request(Endpoint("GET", "/x"))
    assert walk.take(Page([(1, {"id": 1})])) == [(1, {"id": 1})]
    assert walk.request is None
