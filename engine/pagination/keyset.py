"""Pagination style ``keyset``: what comes after the last value seen.

For lists that are sorted by an instant that never changes for a row and that the server can filter by. Depth costs
nothing, rows that come and go hide no others, and a walk goes on from a single value, so it can be stopped anywhere.

The filter is inclusive: each page begins again with the rows of the last instant, which are left out by their keys.
When a page does not get past its first instant, that instant is read whole, by offset, and the walk goes on one
microsecond later. The end is proven by a request that brings nothing.

A walk can be halved, while it is under way, into slices: each is a walk of its own with an upper bound, so that several
can be read at once. Positions are written ``2024-05-01T10:00:00.000000Z`` or, with an upper bound, ``FROM..TO``.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Hashable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, ClassVar, Final

from engine.declare.blocks import key
from engine.declare.types import BODY_PATH, JSON_PATH, PARAMETER
from engine.declare.values import Integer, JsonObject, JsonValue
from engine.failures import ReadFailure
from engine.instants import format_instant, parse_instant
from engine.jsonpath import JsonPath
from engine.pagination.offset import Offset
from engine.pagination.paginator import Paginator
from engine.requests import KeyedRecord, Page, Request

_STEP: Final = timedelta(microseconds=1)  # the finest instant that is told apart


@dataclass(frozen=True, kw_only=True)
class Keyset:
    """Each page starts where the last one ended, by a filter on a timestamp that never changes for a row.

    The stream's body names the ascending sort by that timestamp. If more rows share a timestamp than fit a page, they
    are read by offset, in the order that `tie_breaker` names.
    """

    resumable: ClassVar[bool] = True
    one_record: ClassVar[bool] = False

    field: JsonPath = key(JSON_PATH, "JSONPath of the timestamp in a record. It must never be null.")
    after: str = key(BODY_PATH, "Where the request takes the lower bound, inclusive.")
    before: str = key(BODY_PATH, "Where the request takes the upper bound, inclusive.")
    tie_breaker: Mapping[str, JsonValue] | None = key(
        JsonObject(),
        "Keys of the body while rows of one timestamp are read by offset: a stable sort. Without it, no offset is "
        "sent, and more rows of one timestamp than fit a page are a failure.",
        default=None,
    )
    page_size: int = key(Integer(1), "Number of rows per page. At least 2 are requested.", default=100)
    limit_key: str = key(PARAMETER, "The request's parameter for the page size.", default="limit")
    offset_key: str = key(PARAMETER, "The request's parameter for the offset.", default="offset")

    def paginate(self, request: Request, position: str | None = None) -> KeysetPaginator:
        """Start at the first row, or at a position that an earlier walk had reached."""
        return KeysetPaginator(self, request, position)


class KeysetPaginator:
    """One reading of a list, or of a slice of it."""

    def __init__(self, style: Keyset, request: Request, position: str | None) -> None:
        at, _, end = (position or "").partition("..")
        self._style = style
        self._template = request.with_values({style.limit_key: max(2, style.page_size)})
        self._at: datetime | None = parse_instant(at) if at else None
        self._end: datetime | None = parse_instant(end) if end else None  # exclusive
        self.density = 0.0
        """Of the last page: rows a second of the instants at which they lie."""
        self.taken = 0
        """How many rows it has brought."""
        self._seen: set[Hashable] = set()  # the keys of the rows of that instant
        self._tied: Paginator | None = None  # reads that instant by offset
        self.request: Request | None = self._after(self._at)

    @property
    def position(self) -> str | None:
        """The last instant reached: another walk that starts there misses nothing."""
        if self._at is None:
            return None
        return format_instant(self._at) + (f"..{format_instant(self._end)}" if self._end else "")

    def left(self, until: datetime) -> timedelta:
        """The time from where it stands to its end, or to an instant if it has none."""
        if self.request is None or self._at is None:
            return timedelta(0)
        return (self._end or until) - self._at

    def halve(self, until: datetime) -> KeysetPaginator:
        """End this walk half-way to its end, or to an instant if it has none; answers with a walk over the rest.

        A page that was asked for before may reach into that rest, and is cut off there.
        """
        assert self._at is not None
        middle = self._at + self.left(until) / 2
        end = format_instant(self._end) if self._end else ""
        rest = KeysetPaginator(self._style, self._template, f"{format_instant(middle)}..{end}")
        rest.density, self._end = self.density, middle
        return rest

    def _after(self, at: datetime | None) -> Request:
        bounds = {}
        if at is not None:
            bounds[self._style.after] = format_instant(at)
        if self._end is not None:
            bounds[self._style.before] = format_instant(self._end - _STEP)
        return self._template.with_at(bounds)

    def advance(self, page: Page) -> Sequence[KeyedRecord]:
        """Take the next page of the slice, or of the instant that is read whole."""
        fresh = self._advance(page) if self._tied is None else self._advance_tied(self._tied, page)
        self.taken += len(fresh)
        return fresh

    def _advance(self, page: Page) -> Sequence[KeyedRecord]:
        if not page.records:
            self.request = None
            return ()
        instants = [self._instant(record) for _, record in page.records]
        self._check_order(instants)
        if instants[-1] == self._at:
            return self._start_tied(self._at, page)
        if self._end is not None and instants[-1] >= self._end:
            self.request = None
            own = page.records[: bisect_left(instants, self._end)]
            return [keyed for keyed in own if keyed[0] not in self._seen]
        fresh = [keyed for keyed in page.records if keyed[0] not in self._seen]
        if instants[-1] > instants[0]:
            self.density = len(instants) / (instants[-1] - instants[0]).total_seconds()
        self._at = instants[-1]
        self._seen = {keyed[0] for keyed, instant in zip(page.records, instants, strict=True) if instant == self._at}
        self.request = self._after(self._at)
        return fresh

    def _start_tied(self, at: datetime, page: Page) -> Sequence[KeyedRecord]:
        """A page that did not get past its first instant: read that instant whole, by offset."""
        style = self._style
        if style.tie_breaker is None:
            if len(page.records) >= style.page_size:
                raise ReadFailure(
                    f"{len(page.records)} records share the instant {format_instant(at)}, which is as many as a page "
                    'holds, and without the key "tie_breaker" their list cannot be read past it'
                )
            self._go_on_after(at)
            return self._unseen(page.records)
        window = self._template.with_at({style.after: format_instant(at), style.before: format_instant(at)})
        offset = Offset(page_size=style.page_size, limit_key=style.limit_key, offset_key=style.offset_key)
        self._tied = offset.paginate(window.with_values(style.tie_breaker))
        self.request = self._tied.request
        return self._unseen(page.records)

    def _go_on_after(self, at: datetime) -> None:
        after = at + _STEP
        self.request = None if self._end is not None and after >= self._end else self._after(after)

    def _advance_tied(self, tied: Paginator, page: Page) -> Sequence[KeyedRecord]:
        records = tied.advance(page)
        self.request = tied.request
        if self.request is None:
            assert self._at is not None
            self._tied = None
            self._go_on_after(self._at)
        return self._unseen(records)

    def _unseen(self, records: Sequence[KeyedRecord]) -> Sequence[KeyedRecord]:
        fresh = [keyed for keyed in records if keyed[0] not in self._seen]
        self._seen.update(k for k, _ in fresh)
        return fresh

    def _instant(self, record: Mapping[str, Any]) -> datetime:
        value = self._style.field.get(record)
        try:
            return parse_instant(value)
        except (TypeError, ValueError, OverflowError):
            raise ReadFailure(
                f"a record has no instant at {self._style.field.text}, by which its list is read"
            ) from None

    def _check_order(self, instants: Sequence[datetime]) -> None:
        first = instants[0] if self._at is None else self._at
        if list(instants) != sorted(instants) or instants[0] < first:
            raise ReadFailure(
                f"the records are not sorted by {self._style.field.text}, or the server ignores {self._style.after}: "
                "name the ascending sort in the stream's body, and the filter that the server knows"
            )
