"""The interfaces of a pagination style and of the paginator that it starts."""

from __future__ import annotations

from collections.abc import Sequence
from typing import ClassVar, Protocol

from engine.requests import KeyedRecord, Page, Request


class Paginator(Protocol):
    """One reading of one list."""

    request: Request | None
    """The next request; None once the list has been read to its confirmed end."""

    @property
    def position(self) -> str | None:
        """Where another paginator could resume and miss nothing; None if it would have to start over."""

    @property
    def one_record(self) -> bool:
        """Whether the response is one record rather than a list."""

    def advance(self, page: Page) -> Sequence[KeyedRecord]:
        """Take in the response to ``request``; returns the records that no earlier page had.

        Raises:
            ReadFailure: the pages do not add up to a complete list.
        """


class Style(Protocol):
    """A pagination style with its options."""

    resumable: ClassVar[bool]
    """Whether its paginators have positions."""

    @property
    def page_size(self) -> int | None:
        """The number of rows to request per page; None if the server decides."""

    def paginate(self, request: Request, position: str | None = None) -> Paginator:
        """Start reading the list that ``request`` returns, or resume at a position of an earlier paginator."""
