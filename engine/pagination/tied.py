"""Rows of one timestamp by offset, though the server's sort may not tell them apart.

PostgreSQL then orders them differently for each limit and offset: pages can join, and still have some rows twice and
others never. So the rows are counted. If fewer were found than there are, they are read again with pages of another
size, until as many were found.
"""

from __future__ import annotations

from collections.abc import Hashable, Sequence
from dataclasses import replace
from typing import Final

from engine.failures import OrderMoved, ReadFailure
from engine.pagination.offset import Offset
from engine.pagination.paginator import CountingPaginator
from engine.requests import KeyedRecord, Page, Request

_MAX_READINGS: Final = 30


class TiedPaginator:
    """Reads them, several times if need be. Only the first reading can be resumed, and counts the rows from there on.

    Args:
        style: The style.
        request: The request of these rows.
        position: Where an earlier paginator stopped.
    """

    one_record = False

    def __init__(self, style: Offset, request: Request, position: str | None) -> None:
        self._style = style
        self._template = request
        self._found: set[Hashable] = set()
        self._readings = 1
        self._reading: CountingPaginator = style.paginate(request, position)
        self.request: Request | None = self._reading.request

    @property
    def position(self) -> str | None:
        """Where the first reading could be resumed."""
        return self._reading.position

    def shrink(self) -> bool:
        """Halve the pages."""
        shrunk = self._reading.shrink()
        self.request = self._reading.request
        return shrunk

    def advance(self, page: Page) -> Sequence[KeyedRecord]:
        """Take in a page; returns the records that no earlier page had.

        Raises:
            ReadFailure: there are further rows after many readings.
        """
        try:
            records = self._reading.advance(page)
        except OrderMoved:
            self._read_again()
            return ()
        new = [keyed for keyed in records if keyed[0] not in self._found]
        self._found.update(key for key, _ in new)
        self.request = self._reading.request
        if self.request is None and len(self._found) < self._reading.length:
            self._read_again()
        return new

    def _read_again(self) -> None:
        if self._readings == _MAX_READINGS:
            raise ReadFailure(
                f"{_MAX_READINGS} readings of the rows of one timestamp found {len(self._found)}, and there are more: "
                "name a sort in tie_breaker that tells them apart"
            )
        smaller = replace(self._style, page_size=max(1, self._style.page_size - self._readings))
        self._reading = smaller.paginate_unjoined(self._template)
        self._readings += 1
        self.request = self._reading.request
