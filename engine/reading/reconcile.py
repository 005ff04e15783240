"""Reconciliation: re-reading the whole list, a slice at each sync, for changes that no query found."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from typing import Final

from engine.instants import shifted
from engine.reading.backfill import read_all
from engine.reading.batch import Batch
from engine.reading.changes import query_name
from engine.reading.source import IsLater, Source
from engine.requests import Record
from engine.rows.mapping import instant_reader
from engine.spec.dialect import Stream
from engine.state import RECENT_MAX, Covered, ReconcileState

_STEP: Final = timedelta(microseconds=1)

IsDelivered = Callable[[Record, datetime | None], bool]


def is_delivered(stream: Stream, covered: Covered, lookback: timedelta) -> IsDelivered:
    """A predicate for records and their cursors: whether a query delivered the change that set the cursor.

    A query did if the timestamp that it filters by moved together with the cursor, inside an interval in which the
    query found every change. Up to a tenth of the lookback counts as together; the rest is left for changes that become
    visible late.
    """
    queries = stream.incremental.changes if stream.incremental else ()
    alternatives = [alternative for query in queries for alternative in query.alternatives]
    known = [
        (instant_reader(stream, query.filters_by), covered[query_name(stream, query)])
        for query in alternatives
        if query.filters_by is not None and query_name(stream, query) in covered
    ]
    tolerance = lookback / 10

    def delivered(record: Record, cursor: datetime | None) -> bool:
        if cursor is None:
            return False
        for instant_at, intervals in known:
            at = instant_at(record)
            if at is not None and abs(cursor - at) <= tolerance and any(at in interval for interval in intervals):
                return True
        return False

    return delivered


def parent_changed(parent: Source, since: datetime, delivered: IsDelivered) -> Callable[[Record], bool]:
    """A predicate for parent records: whether the parent changed since an instant in a way that no query finds."""

    def changed(record: Record) -> bool:
        cursor = parent.mapping.cursor(record) if parent.stream.has_instants else None
        return (cursor is None or cursor >= since) and not delivered(record, cursor)

    return changed


def known_until(began: datetime, newest: datetime | None, lookback: timedelta) -> datetime:
    """Until when a reading knows of every change: its start or, if the clock was ahead, the newest change by then."""
    return began if newest is None else min(began, shifted(newest, lookback + _STEP))


@dataclass
class Slice:
    """The slice of a round that is due.

    After it, the share of the list that was read is the share of the round's time that has elapsed. Once the time is
    over, the slice is the rest of the list. The server's count shares out the work; without one, the last round's does,
    and without that, the list is read when the time is over. So it is if rows that are gone are to be found, which one
    reading of the whole list shows.

    Attributes:
        source: The stream.
        before: The round so far.
        every: The time of a round.
        now: The start of this sync, by the server's clock.
        rows: The rows that this slice has read.
        ended: Whether the list was read to its end.
        sent: Fingerprints of row versions that this slice sent or found to be in the destination.
    """

    source: Source
    before: ReconcileState
    every: timedelta
    now: datetime
    rows: int = 0
    ended: bool = False
    sent: set[bytes] = field(default_factory=set)
    _due: float = field(default=math.inf, init=False)  # rows of the round that are to be read once this slice is

    def is_due(self) -> bool:
        """Whether there is anything to read at this sync."""
        elapsed = self.now - self.before.began
        if elapsed <= timedelta(0) and self.every:
            return False
        if elapsed >= self.every:
            return True
        if self.source.stream.finds_deleted:
            return False
        total = self.source.count() or self.before.total or 0
        self._due = total * (elapsed / self.every)
        return self._due > self.before.rows

    def read(self, is_later: IsLater, of: Callable[[Record], bool] | None) -> Iterator[Batch]:
        """The batches of the slice. Each has the position from which the next slice could go on."""
        page = self.source.pagination.page_size or 1
        ahead = self._due - self.before.rows > 2 * page  # otherwise, what is fetched ahead may not be wanted
        for batch in read_all(self.source, self.before.position, ahead=ahead, is_later=is_later, of=of):
            self.rows += batch.counted
            yield batch
            if batch.position is not None and self.before.rows + self.rows >= self._due:
                return
        self.ended = True

    def is_new(self, version: bytes, cursor: datetime | None) -> bool:
        """Whether neither this round nor the one before it knows this version of a row to be in the destination.

        From now on this round does: the caller sends the row if the destination lacks it. A version that the next round
        does not look at is remembered only once.
        """
        is_new = version not in self.before.sent_before and version not in self.before.sent
        is_next = cursor is None or cursor >= shifted(self._next_previous, -self.source.lookback)
        if (is_new or is_next) and len(self.sent) < RECENT_MAX:  # those beyond are sent once more by the next round
            self.sent.add(version)
        return is_new

    @property
    def _next_previous(self) -> datetime:
        """The instant ``previous`` of the next round."""
        return known_until(self.before.began, self.before.newest, self.source.lookback)

    def state(self, position: str | None) -> ReconcileState:
        """The round after this slice."""
        rows = self.before.rows + self.rows
        reached = replace(self.before, position=position, rows=rows) if position else self.before
        return replace(reached, sent=self.before.sent | self.sent)

    def second_reading(self) -> ReconcileState:
        """The round once its list is about to be read again, to confirm which rows are gone."""
        return replace(self.state(None), position=None, rows=0, again=True)

    def next_round(self, newest: datetime | None) -> ReconcileState:
        """The next round, once this one's list was read to its end."""
        began = max(self.now, self.before.began + self.every)
        total, sent = self.before.rows + self.rows, self.before.sent | self.sent
        return ReconcileState(began, self._next_previous, newest=newest, total=total, sent_before=sent)
