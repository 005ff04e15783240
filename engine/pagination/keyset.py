"""Pagination style ``keyset``: each page starts at the last timestamp of the page before it.

For lists that are sorted by a timestamp that never changes for a row, if the server can filter by it. Every page costs
the same, however deep it is. Rows that come and go hide no others. A paginator can resume at a single timestamp, so it
can be stopped anywhere.

The filter is inclusive: each page repeats the rows of the last timestamp, which are dropped by their keys. If a page
holds no later timestamp, all rows of that one are read by offset, and the paginator continues a microsecond later. An
empty page confirms the end.

A paginator can be split while it is in use. Each part has an upper bound, and several parts can be read at once.
Positions have the form ``2024-05-01T10:00:00.000000Z`` or, with an upper bound, ``FROM..TO``.
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
from engine.pagination.paginator import IsLater, Paginator
from engine.requests import KeyedRecord, Page, Request

_STEP: Final = timedelta(microseconds=1)  # the resolution of timestamps


@dataclass(frozen=True, kw_only=True)
class Keyset:
    """Each page starts where the last one ended, by a filter on a timestamp that never changes for a row.

    The stream's body names the ascending sort by that timestamp. If more rows share a timestamp than fit a page, they
    are read by offset, in the order that `tie_breaker` names.
    """

    resumable: ClassVar[bool] = True

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

    def paginate(
        self, request: Request, position: str | None = None, *, is_later: IsLater | None = None
    ) -> KeysetPaginator:
        """Start at the first row, or resume at a position of an earlier paginator."""
        return KeysetPaginator(self, request, position)


class KeysetPaginator:
    """One reading of a list, or of a slice of it."""

    one_record = False

    def __init__(self, style: Keyset, request: Request, position: str | None) -> None:
        reached, _, upper = (position or "").partition("..")
        self._style = style
        self._limit = max(2, style.page_size)
        self._template = request.with_values({style.limit_key: self._limit})
        self._reached: datetime | None = parse_instant(reached) if reached else None
        self._upper: datetime | None = parse_instant(upper) if upper else None  # exclusive
        self._seen: set[Hashable] = set()  # the keys of the rows at the timestamp reached
        self._tie: Paginator | None = None  # reads the rows of one timestamp by offset
        self._largest_page = 0  # of those with more than one timestamp: the server may cut pages below the limit
        self.rows_read = 0
        self.density = 0.0
        """Rows per second of their timestamps, on the last page."""
        self.request: Request | None = self._after(self._reached)

    @property
    def position(self) -> str | None:
        """The last timestamp reached. A paginator that starts there misses nothing."""
        if self._reached is None:
            return None
        return format_instant(self._reached) + (f"..{format_instant(self._upper)}" if self._upper else "")

    def remaining(self, end: datetime) -> timedelta:
        """The time between the timestamp reached and the upper bound, or ``end`` if there is no upper bound."""
        if self.request is None or self._reached is None:
            return timedelta(0)
        return (self._upper or end) - self._reached

    def split(self, end: datetime) -> KeysetPaginator:
        """Leave the second half of the remaining time to a new paginator, which is returned.

        A page that is already requested can reach into that half. Its rows there are dropped.
        """
        assert self._reached is not None
        middle = self._reached + self.remaining(end) / 2
        upper = format_instant(self._upper) if self._upper else ""
        rest = KeysetPaginator(self._style, self._template, f"{format_instant(middle)}..{upper}")
        rest.density, rest._largest_page, self._upper = self.density, self._largest_page, middle
        return rest

    def _after(self, instant: datetime | None) -> Request:
        bounds = {}
        if instant is not None:
            bounds[self._style.after] = format_instant(instant)
        if self._upper is not None:
            bounds[self._style.before] = format_instant(self._upper - _STEP)
        return self._template.with_at(bounds)

    def advance(self, page: Page) -> Sequence[KeyedRecord]:
        """Take in a page of the list, or of the rows of one timestamp."""
        new = self._advance(page) if self._tie is None else self._advance_tie(self._tie, page)
        self.rows_read += len(new)
        return new

    def _advance(self, page: Page) -> Sequence[KeyedRecord]:
        if not page.records:
            self.request = None
            return ()
        instants = [self._instant(record) for _, record in page.records]
        self._check_order(instants)
        if instants[-1] == self._reached:
            return self._start_tie(self._reached, page)
        if self._upper is not None and instants[-1] >= self._upper:
            self.request = None
            own = page.records[: bisect_left(instants, self._upper)]
            return [keyed for keyed in own if keyed[0] not in self._seen]
        new = [keyed for keyed in page.records if keyed[0] not in self._seen]
        if instants[-1] > instants[0]:
            self.density = len(instants) / (instants[-1] - instants[0]).total_seconds()
            self._largest_page = max(self._largest_page, len(instants))
        self._reached = instants[-1]
        self._seen = {
            keyed[0] for keyed, instant in zip(page.records, instants, strict=True) if instant == self._reached
        }
        self.request = self._after(self._reached)
        return new

    def _start_tie(self, instant: datetime, page: Page) -> Sequence[KeyedRecord]:
        """A page with no later timestamp: read all rows of this one by offset."""
        style = self._style
        if style.tie_breaker is None:
            if len(page.records) >= (self._largest_page or self._limit):
                raise ReadFailure(
                    f"{len(page.records)} records have the timestamp {format_instant(instant)}, which is as many as a "
                    'page holds, so there could be more: declare a "tie_breaker", a stable sort to read them by offset'
                )
            self._continue_after(instant)
            return self._new(page.records)
        window = self._template.with_at({style.after: format_instant(instant), style.before: format_instant(instant)})
        offset = Offset(page_size=style.page_size, limit_key=style.limit_key, offset_key=style.offset_key)
        self._tie = offset.paginate(window.with_values(style.tie_breaker))
        self.request = self._tie.request
        return self._new(page.records)

    def _continue_after(self, instant: datetime) -> None:
        following = instant + _STEP
        self.request = None if self._upper is not None and following >= self._upper else self._after(following)

    def _advance_tie(self, tie: Paginator, page: Page) -> Sequence[KeyedRecord]:
        records = tie.advance(page)
        self.request = tie.request
        if self.request is None:
            assert self._reached is not None
            self._tie = None
            self._continue_after(self._reached)
        return self._new(records)

    def _new(self, records: Sequence[KeyedRecord]) -> Sequence[KeyedRecord]:
        new = [keyed for keyed in records if keyed[0] not in self._seen]
        self._seen.update(k for k, _ in new)
        return new

    def _instant(self, record: Mapping[str, Any]) -> datetime:
        value = self._style.field.get(record)
        try:
            return parse_instant(value)
        except (TypeError, ValueError, OverflowError):
            raise ReadFailure(
                f"a record has no timestamp at {self._style.field.text}, which the list is paginated by"
            ) from None

    def _check_order(self, instants: Sequence[datetime]) -> None:
        first = instants[0] if self._reached is None else self._reached
        if list(instants) != sorted(instants) or instants[0] < first:
            raise ReadFailure(
                f"the records are not sorted by {self._style.field.text}, or the server ignores {self._style.after}: "
                "check the ascending sort in the stream's body, and the filters in after and before"
            )
