"""Pagination: which requests together read a whole list, and what proves that it was whole.

A pagination style is a block of streams.yaml that starts walks. A walk is told each page and answers with the records
that are new in it and the next request. It does no I/O.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import ClassVar, Protocol

from engine.requests import Entry, Page, Request


class Walk(Protocol):
    """One reading of one list."""

    request: Request | None
    """The next request; None when the list has been read to its proven end."""

    @property
    def position(self) -> str | None:
        """Where another walk could go on and miss nothing; None when it would have to begin anew."""

    def take(self, page: Page) -> Sequence[Entry]:
        """Take the answer to ``request``; answer with its entries that no earlier page of this walk had.

        Raises:
            ReadFailure: the pages do not add up to a whole list.
        """


class Pagination(Protocol):
    """A pagination style with its options."""

    resumable: ClassVar[bool]
    """Whether its walks have positions."""

    def walk(self, request: Request, position: str | None = None) -> Walk:
        """Start reading the list that ``request`` asks for, or go on from a position of an earlier walk over it."""
