"""Requests as messages show them."""

from __future__ import annotations

from engine.declare.types import Endpoint
from engine.requests import Request


def test_a_message_does_not_repeat_a_long_string() -> None:
    """Such as a query in GraphQL. Nor does it show a part of one, which could be half of a secret."""
    query = "query { issues(first: 100) { nodes { id title body } pageInfo { endCursor } } }"
    request = Request(
        Endpoint("POST", "/graphql"), {"limit": 5}, {"query": query, "after": "x" * 60, "filter": {"a": 1}}
    )
    assert str(request) == f"POST /graphql (limit=5, query=({len(query)} characters), after='{'x' * 60}')"
