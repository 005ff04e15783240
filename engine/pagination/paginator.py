"""The interfaces of a pagination style and of the paginator that it starts."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Protocol

from engine.requests import KeyedRecord, Page, Record, Request

IsLater = Callable[[Record], bool]
"""Whether a record changed after the pass began, so that the next pass reads it."""


class Paginator(Protocol):
    """One reading of one list."""

    request: Request | None
    """The next request; None once the list has been read to its confirmed end."""

    @property
    def position(self) -> str | None:
        """Where another paginator could resume and miss nothing; None if it would have to start over.

        It contains no white space. A comma joins the positions of paginators that read a part each.
        """

    @property
    def one_record(self) -> bool:
        """Whether the response is one record rather than a list."""

    def advance(self, page: Page) -> Sequence[KeyedRecord]:
        """Take in the response to ``request``; returns the records that no earlier page had.

        Raises:
            OrderMoved: the pages do not join, because the list's order moves.
            ReadFailure: the pages do not add up to a complete list for another reason.
        """

    def shrink(self) -> bool:
        """Request the same page with fewer rows, and all later ones; False if there can be no fewer."""


class CountingPaginator(Paginator, Protocol):
    """One reading of a list by the number of rows before each page."""

    @property
    def length(self) -> int:
        """The number of rows that the list has, as far as it was read, from where the reading began."""


class Style(Protocol):
    """A pagination style with its options."""

    @property
    def resumable(self) -> bool:
        """Whether a later sync can resume at a position. Tokens and links are positions only while the server accepts
        them: whoever resumes at one that is rejected starts over.
        """

    @property
    def page_size(self) -> int | None:
        """The number of rows to request per page; None if the server decides."""

    def paginate(self, request: Request, position: str | None = None, *, is_later: IsLater | None = None) -> Paginator:
        """Start reading the list that ``request`` returns, or resume at a position of an earlier paginator.

        Args:
            request: The request of the list, without its pagination.
            position: The position. One that another style made is ignored.
            is_later: Lets a paginator end where only rows of the next pass follow. Without it, a list that grows as
                fast as it is read has no end.
        """
