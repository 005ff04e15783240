"""A walk that stops early: newest first, until a row is older than asked for."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from engine.failures import ReadFailure
from engine.instants import parse_instant
from engine.paging import Walk
from engine.requests import Entry, Page, Request
from engine.spec.jsonpath import JsonPath


class UntilWalk:
    """Another walk over a list that is sorted by an instant, newest first, cut off where rows become older.

    The instant may be null in no row: a database sorts nulls first or last as it likes, so the request must leave them
    out.
    """

    position = None

    def __init__(self, walk: Walk, field: JsonPath, oldest: datetime) -> None:
        self._walk = walk
        self._field = field
        self._oldest = oldest
        self._last: datetime | None = None
        self.request: Request | None = walk.request

    def take(self, page: Page) -> Sequence[Entry]:
        """The new entries of the page that are not older."""
        fresh = []
        older = False
        for entry in self._walk.take(page):
            instant = self._instant(entry)
            if instant < self._oldest:
                older = True
            else:
                fresh.append(entry)
        self.request = None if older else self._walk.request
        return fresh

    def _instant(self, entry: Entry) -> datetime:
        value = self._field.get(entry[1])
        try:
            return parse_instant(value)
        except (TypeError, ValueError, OverflowError):
            raise ReadFailure(f"a record has no instant at {self._field.text}, until which its list is read") from None
