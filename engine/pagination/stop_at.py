"""A walk that stops early: newest first, until a row is older than asked for."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from engine.failures import ReadFailure
from engine.instants import parse_instant
from engine.jsonpath import JsonPath
from engine.pagination.paginator import Paginator
from engine.requests import KeyedRecord, Page, Request


class StopAt:
    """Another walk over a list that is sorted by an instant, newest first, cut off where rows become older.

    The instant may be null in no row: a database sorts nulls first or last as it likes, so the request must leave them
    out.
    """

    position = None

    def __init__(self, paginator: Paginator, field: JsonPath, oldest: datetime) -> None:
        self._paginator = paginator
        self._field = field
        self._oldest = oldest
        self._last: datetime | None = None
        self.request: Request | None = paginator.request

    def advance(self, page: Page) -> Sequence[KeyedRecord]:
        """The new entries of the page that are not older."""
        fresh = []
        older = False
        for keyed in self._paginator.advance(page):
            instant = self._instant(keyed)
            if instant < self._oldest:
                older = True
            else:
                fresh.append(keyed)
        self.request = None if older else self._paginator.request
        return fresh

    def _instant(self, keyed: KeyedRecord) -> datetime:
        value = self._field.get(keyed[1])
        try:
            return parse_instant(value)
        except (TypeError, ValueError, OverflowError):
            raise ReadFailure(f"a record has no instant at {self._field.text}, until which its list is read") from None
