"""Pagination style ``keyset``: each page starts at the last timestamp of the page before it.

For lists that are sorted by a timestamp that never changes for a row, if the server can filter by it. Every page costs
the same, however deep it is. Rows that come and go hide no others. A paginator can resume at a single timestamp, so it
can be stopped anywhere.

The filters are inclusive: each page repeats the rows of the last timestamp, which are dropped by their keys. If a page
holds no later timestamp, all rows of that one are read in the style of the ``tie_breaker``, and the paginator continues
a microsecond later. An empty page confirms the end.

Timestamps are known to the microsecond, but a server's can be finer. So no bound is taken to be exact: upper bounds lie
at the next microsecond, and rows that are dated there are left to the reading that starts there.

A list that grows while it is read would have no end. New rows are mostly dated now. So after its first page, the
paginator reads what is dated later than the server's clock, and then returns: up to there, the list no longer grows. If
the rows ahead are new ones, too, it leaves those for later in the same way, until it is ahead of all of them.

A paginator can be split while it is in use. Each part has an upper bound, and several parts can be read at once.
Positions have the form ``2024-05-01T10:00:00.000000Z`` or, with an upper bound, ``FROM..TO``; the first part of a list
is ``..TO``. While the rows of one
timestamp are read, a plus sign follows, and the position among them: ``FROM..TO+1200@KEYS``. While the rows ahead are
read, their position follows after a comma.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Hashable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Any, ClassVar, Final

from engine.declare.blocks import Object, key
from engine.declare.types import JSON_PATH
from engine.declare.values import Integer
from engine.failures import ReadFailure
from engine.instants import EARLIEST, LATEST, clamped, format_instant, parse_instant, shifted
from engine.jsonpath import JsonPath
from engine.pagination.link import Link
from engine.pagination.offset import Offset
from engine.pagination.paginator import IsLater, Paginator
from engine.pagination.placed import Placed
from engine.pagination.single import Single
from engine.pagination.tie_breaker import ListPagination, TieBreaker
from engine.pagination.tied import TiedPaginator
from engine.pagination.token import Token
from engine.requests import KeyedRecord, Page, Request

_STEP: Final = timedelta(microseconds=1)  # the resolution of timestamps
_CLOCK: Final = timedelta(seconds=1)  # the resolution of the server's clock
_TIED: Final = "+"  # in no position of another style


@dataclass(frozen=True, kw_only=True)
class Keyset(Placed):
    """Each page starts where the last one ended, by a filter on a timestamp that never changes for a row.

    The request has its inclusive bounds, `$from` and, if the server has it, `$to`, and names the ascending sort by that
    timestamp. `$size` is sent as `limit`, unless the request writes it out. If more rows share a timestamp than fit a
    page, they are read as `tie_breaker` says. An incremental stream can be read by its `cursor_field`: a row that
    changes meanwhile comes later in the list, or in the next sync.
    """

    resumable: ClassVar[bool] = True
    variables: ClassVar[tuple[str, ...]] = ("size", "from", "to")

    field: JsonPath = key(
        JSON_PATH,
        "JSONPath of the timestamp in a record. It should never be null: rows without one are read only if the sort "
        "puts them first, or if the whole list fits a page.",
    )
    tie_breaker: TieBreaker | None = key(
        Object(TieBreaker),
        "How rows of one timestamp are read, if there are more of them than a page holds. Without it, they are a "
        "failure.",
        default=None,
    )
    page_size: int = key(Integer(1), "Number of rows per page. At least 2 are requested.", default=100)

    @property
    def tie_pagination(self) -> ListPagination:
        """The style that reads the rows of one timestamp. Without a tie breaker, there can be only one."""
        if self.tie_breaker is None:
            return Single(page_size=2)  # fails if there is another row
        declared = self.tie_breaker.pagination
        if isinstance(declared, (Link, Token)) and declared.page_size is None:
            return replace(declared, page_size=self.page_size)
        return declared or Offset(page_size=self.page_size)

    def paginate(
        self, request: Request, position: str | None = None, *, is_later: IsLater | None = None
    ) -> KeysetPaginator:
        """Start at the first row, or resume at a position of an earlier paginator."""
        start = _Part((request.values or {}).get("from"))
        return KeysetPaginator(self, request, _Part.parse(position) or start, is_later)


@dataclass(frozen=True)
class _Part:
    """The part of a list to read. ``after``: inclusive. ``before``: exclusive. None is no bound.

    ``tie``: the position among the rows at ``after`` or, without it, among those that have no timestamp; "" is the
    first of them. None: they are not read one by one.
    """

    after: datetime | None = None
    before: datetime | None = None
    tie: str | None = None

    @staticmethod
    def parse(position: str | None) -> _Part | None:
        """The part that a position stands for; None for that of another style."""
        bounds, is_tied, tie = (position or "").partition(_TIED)
        after, _, before = bounds.partition("..")
        try:
            start = parse_instant(after) if after or not (is_tied or before) else None
            return _Part(start, parse_instant(before) if before else None, tie if is_tied else None)
        except (ValueError, OverflowError):
            return None

    def __str__(self) -> str:
        after = format_instant(self.after) if self.after else ""
        before = f"..{format_instant(self.before)}" if self.before else ""
        return f"{after}{before}" if self.tie is None else f"{after}{before}{_TIED}{self.tie}"


@dataclass(frozen=True)
class _Tie:
    """The reading of rows that share a timestamp; with None, of rows that have none."""

    paginator: Paginator
    instant: datetime | None


@dataclass(frozen=True)
class _Lead:
    """How far a paginator starts ahead of the rows that another one met. ``asked_at``: when that met them."""

    by: timedelta
    asked_at: datetime


class KeysetPaginator:
    """One reading of a list, or of a part of it.

    Args:
        style: The style.
        request: The request of the list.
        part: The part.
        is_later: Whether a record belongs to the next pass.
        lead: Set if another paginator reads up to this one's lower bound.
    """

    one_record = False

    def __init__(
        self,
        style: Keyset,
        request: Request,
        part: _Part,
        is_later: IsLater | None = None,
        lead: _Lead | None = None,
    ) -> None:
        self._style = style
        self._limit = max(2, style.page_size)
        self._template = style.placed(request).bind({"size": self._limit})
        self._reached = part.after
        self._upper = part.before  # exclusive
        self._is_later = is_later
        self._lead = lead
        self._seen: set[Hashable] = set()  # the keys of the rows at the timestamp reached
        self._untimed: set[Hashable] = set()  # the keys of the rows without a timestamp
        self._tie: _Tie | None = None
        self._ahead: KeysetPaginator | None = None  # reads what lies behind the upper bound
        self._largest_page = 0  # of those with more than one timestamp: the server may cut pages below the limit
        self.rows_read = 0
        self.density = 0.0
        """Rows per second of their timestamps, on the last page."""
        self.request: Request | None = self._after(self._reached)
        if part.tie is not None and style.tie_breaker is not None:
            self._read_tie(part.after, part.tie)

    @property
    def position(self) -> str | None:
        """The last timestamp reached, and the position among its rows. A paginator that starts there misses nothing."""
        tie = self._tie_position
        if self._reached is None and not self._is_bounded:
            return str(_Part(tie=tie)) if tie else None
        own = str(_Part(self._reached or EARLIEST, self._upper, tie))
        return own if self._ahead is None else f"{own},{self._ahead.position}"

    @property
    def _tie_position(self) -> str | None:
        """The position among the rows of the timestamp reached. Tokens and links expire, so they are none."""
        tie = self._tie
        if tie is None or (tie.instant is None and self._is_bounded):
            return None
        return (tie.paginator.position or "") if self._style.tie_pagination.resumable else ""

    def remaining(self, end: datetime) -> timedelta:
        """The time between the timestamp reached and the upper bound, or ``end`` if there is no upper bound."""
        if self.request is None or self._reached is None:
            return timedelta(0)
        return (self._upper or end) - self._reached

    def shrink(self) -> bool:
        """Halve the pages. One of a single row cannot show whether others have its timestamp: each is read as a tie."""
        inner = self._ahead or (self._tie.paginator if self._tie else None)
        if inner is not None:
            shrunk = inner.shrink()
            self.request = inner.request
            return shrunk
        if self._limit == 1 or self.request is None:
            return False
        self._limit //= 2
        self._style = replace(self._style, page_size=self._limit)
        self._largest_page = min(self._largest_page, self._limit)
        smaller = {"size": self._limit}
        self._template, self.request = self._template.bind(smaller), self.request.bind(smaller)
        return True

    def split(self, end: datetime) -> KeysetPaginator:
        """Leave the second half of the remaining time to a new paginator, which is returned.

        A page that is already requested can reach into that half. Its rows there are dropped.
        """
        assert self._reached is not None
        middle = self._reached + self.remaining(end) / 2
        rest = KeysetPaginator(self._style, self._template, _Part(middle, self._upper), self._is_later)
        rest.density, rest._largest_page, self._upper = self.density, self._largest_page, middle
        return rest

    def _after(self, instant: datetime | None) -> Request:
        """The request for the rows from an instant on; with None, for the list's first rows, be they dated or not."""
        self._is_bounded = instant is not None
        return self._template.bind({"from": instant, "to": self._upper if self._is_bounded else None})

    def advance(self, page: Page) -> Sequence[KeyedRecord]:
        """Take in a page of the list, of the rows ahead, or of the rows of one timestamp."""
        if self._ahead is not None:
            new = self._advance_ahead(self._ahead, page)
        elif self._tie is not None:
            new = self._advance_tie(self._tie, page)
        else:
            new = self._advance(page)
            self._look_ahead(page.asked_at, new)
        self.rows_read += len(new)
        return new

    def _advance(self, page: Page) -> Sequence[KeyedRecord]:
        if not page.records:
            self.request = None
            return ()
        instants, timed, untimed = self._by_timestamp(page.records)
        if not timed:
            return self._start_untimed(untimed)
        self._check_order(instants)
        if instants[-1] == self._reached:
            return [*self._without_timestamp(untimed), *self._start_tie(self._reached, timed)]
        own = timed if self._upper is None else timed[: bisect_left(instants, self._upper)]
        new = [*self._without_timestamp(untimed), *(keyed for keyed in own if keyed[0] not in self._seen)]
        if len(own) < len(timed):
            self.request = None
            return new
        if instants[-1] > instants[0]:
            self.density = len(instants) / (instants[-1] - instants[0]).total_seconds()
            self._largest_page = max(self._largest_page, len(page.records))
        self._reached = instants[-1]
        self._seen = {keyed[0] for keyed in timed[bisect_left(instants, self._reached) :]}
        self.request = self._after(self._reached)
        return new

    # --- rows ahead --------------------------------------------------------------------------------------------------

    def _look_ahead(self, asked_at: datetime | None, new: Sequence[KeyedRecord]) -> None:
        """Read first what is ahead of the rows that arrive now, unless this page is ahead of them itself."""
        reached = self._reached
        if self._is_later is None or asked_at is None or reached is None or self._upper is not None:
            return
        if self.request is None or self._tie is not None:
            return
        is_ahead = reached >= shifted(asked_at, _CLOCK)
        if is_ahead and not (new and all(self._is_later(record) for _, record in new)):
            return
        before = self._lead or _Lead(timedelta(0), asked_at)
        lead = _Lead(max(_CLOCK, 2 * before.by, 2 * (asked_at - before.asked_at)), asked_at)
        start = shifted(max(asked_at, reached), lead.by)
        self._ahead = KeysetPaginator(self._style, self._template, _Part(start), self._is_later, lead)
        self._upper, self.request = start, self._ahead.request

    def _advance_ahead(self, ahead: KeysetPaginator, page: Page) -> Sequence[KeyedRecord]:
        new = ahead.advance(page)
        self.request = ahead.request
        if self.request is None:
            self._ahead = None
            self.request = self._after(self._reached)
        return new

    # --- rows of one timestamp, and of none ---------------------------------------------------------------------------

    def _start_tie(self, instant: datetime, records: Sequence[KeyedRecord]) -> Sequence[KeyedRecord]:
        """A page with no later timestamp: read all rows of this one."""
        style = self._style
        if style.tie_breaker is None and self._limit > 1:
            if len(records) >= (self._largest_page or self._limit):
                raise ReadFailure(
                    f"{len(records)} records have the timestamp {format_instant(instant)}, which is as many as a page "
                    'holds, so there could be more: declare a "tie_breaker", which says how to read them'
                )
            self._continue_after(instant)
            return self._new(records)
        self._read_tie(instant)
        return ()

    def _start_untimed(self, records: Sequence[KeyedRecord]) -> Sequence[KeyedRecord]:
        """A page without any timestamp: read the list in its own order, until the rows have timestamps."""
        if self._style.tie_breaker is not None:
            self._read_tie(None)
            return ()
        if not self._is_bounded:
            self.request = self._after(EARLIEST)
        elif len(records) < (self._largest_page or self._limit):
            self.request = None
        else:
            raise ReadFailure(
                f"{len(records)} records have no timestamp at {self._style.field.text}, which is as many as a page "
                'holds, so there could be more: declare a "tie_breaker", which says how to read them'
            )
        return self._without_timestamp(records)

    def _read_tie(self, instant: datetime | None, position: str = "") -> None:
        """Read the rows of one timestamp, or those without one in the list's own order, page by page."""
        style, window = self._style, self.request
        assert window is not None
        if instant is not None:
            window = self._template.bind({"from": instant, "to": instant + _STEP if instant < LATEST else None})
            if style.tie_breaker is not None:
                window = window.merged(style.tie_breaker.body, style.tie_breaker.query)
        self._tie = _Tie(self._tie_paginator(window, position or None, instant), instant)
        self.request = self._tie.paginator.request

    def _tie_paginator(self, window: Request, position: str | None, instant: datetime | None) -> Paginator:
        style = self._style.tie_pagination
        if isinstance(style, Offset) and instant is not None:
            return TiedPaginator(style, window, position)
        return style.paginate(window, position)

    def _advance_tie(self, tie: _Tie, page: Page) -> Sequence[KeyedRecord]:
        records = tie.paginator.advance(page)
        self.request = tie.paginator.request
        instants, timed, untimed = self._by_timestamp(records)
        if tie.instant is not None:
            timed = [keyed for keyed, at in zip(timed, instants, strict=True) if at == tie.instant]
            if self.request is None:
                self._tie = None
                self._continue_after(tie.instant)
        elif timed and not self._is_bounded:  # the filter finds these
            self._tie = None
            timed, self.request = [], self._after(EARLIEST)
        elif self._upper is not None:
            timed = [keyed for keyed, at in zip(timed, instants, strict=True) if at < self._upper]
        return [*self._without_timestamp(untimed), *self._new(timed)]

    def _continue_after(self, instant: datetime) -> None:
        following = shifted(instant, _STEP)
        is_end = following == instant or (self._upper is not None and following >= self._upper)
        self._reached = following
        self.request = None if is_end else self._after(following)

    def _new(self, records: Sequence[KeyedRecord]) -> Sequence[KeyedRecord]:
        new = [keyed for keyed in records if keyed[0] not in self._seen]
        self._seen.update(k for k, _ in new)
        return new

    def _without_timestamp(self, records: Sequence[KeyedRecord]) -> Sequence[KeyedRecord]:
        new = [keyed for keyed in records if keyed[0] not in self._untimed]
        self._untimed.update(k for k, _ in new)
        return new

    # --- timestamps --------------------------------------------------------------------------------------------------

    def _by_timestamp(
        self, records: Sequence[KeyedRecord]
    ) -> tuple[Sequence[datetime], Sequence[KeyedRecord], Sequence[KeyedRecord]]:
        """The timestamps, the records that have one, and those that do not."""
        instants, timed, untimed = list[datetime](), list[KeyedRecord](), list[KeyedRecord]()
        for keyed in records:
            instant = self._instant(keyed[1])
            if instant is None:
                untimed.append(keyed)
            else:
                instants.append(instant)
                timed.append(keyed)
        return instants, timed, untimed

    def _instant(self, record: Mapping[str, Any]) -> datetime | None:
        value = self._style.field.get(record)
        try:
            return None if value is None else clamped(value)
        except (TypeError, ValueError):
            raise ReadFailure(
                f"a record has no timestamp at {self._style.field.text}, which the list is paginated by"
            ) from None

    def _check_order(self, instants: Sequence[datetime]) -> None:
        first = instants[0] if self._reached is None else self._reached
        if list(instants) != sorted(instants) or instants[0] < first:
            raise ReadFailure(
                f"the records are not sorted by {self._style.field.text}, or the server ignores $from: check "
                "the ascending sort of the request, and the filters that have $from and $to"
            )
