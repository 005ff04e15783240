"""Requests as they are sent."""

from __future__ import annotations

from engine.requests import Request


def sent(request: Request | None) -> Request:
    """The request with values in place of its variables."""
    assert request is not None
    return request.written_out()
