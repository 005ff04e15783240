"""Pagination that stops early: newest rows first, until a row is older than an instant."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import datetime

from engine.failures import ReadFailure
from engine.jsonpath import JsonPath
from engine.pagination.paginator import Paginator
from engine.requests import KeyedRecord, Page, Record, Request


class StopAtPaginator:
    """Wraps the paginator of a list that is sorted by a timestamp, newest first; stops at the first older row.

    No row may lack the timestamp: databases sort nulls first or last as they like, so the request must exclude them.

    Args:
        paginator: Reads the list.
        field: The timestamp in a record.
        oldest: The oldest instant that is wanted.
        instant_at: Returns a record's timestamp, None if it has none.
    """

    one_record = False

    def __init__(
        self, paginator: Paginator, field: JsonPath, oldest: datetime, instant_at: Callable[[Record], datetime | None]
    ) -> None:
        self._paginator = paginator
        self._field = field
        self._oldest = oldest
        self._instant_at = instant_at
        self.request: Request | None = paginator.request

    @property
    def position(self) -> str | None:
        """The position of the wrapped paginator."""
        return self._paginator.position

    def shrink(self) -> bool:
        """Let the wrapped paginator request fewer rows."""
        shrunk = self._paginator.shrink()
        self.request = self._paginator.request
        return shrunk

    def advance(self, page: Page) -> Sequence[KeyedRecord]:
        """Take in a page; returns its new records that are not older.

        Raises:
            ReadFailure: a record lacks the timestamp, or as the wrapped paginator raises it.
        """
        records = self._paginator.advance(page)
        wanted = [keyed for keyed in records if self._instant(keyed) >= self._oldest]
        self.request = self._paginator.request if len(wanted) == len(records) else None
        return wanted

    def _instant(self, keyed: KeyedRecord) -> datetime:
        instant = self._instant_at(keyed[1])
        if instant is None:
            raise ReadFailure(f"a record has no timestamp at {self._field.text}, the path in stop_at")
        return instant
