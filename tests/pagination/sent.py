"""Requests as they are sent, and places in responses as streams.yaml writes them."""

from __future__ import annotations

from engine.declare.response import ResponsePlace
from engine.jsonpath import compile_path
from engine.requests import Request


def sent(request: Request | None) -> Request:
    """The request with values in place of its variables."""
    assert request is not None
    return request.written_out()


def in_response(path: str) -> ResponsePlace:
    """A JSONPath in the body, or the name of a header."""
    return ResponsePlace(path=compile_path(path)) if path.startswith("$") else ResponsePlace(header=path)
