"""Reading: which of a stream's records are changes, and when a pass over it is complete."""

from __future__ import annotations

from collections.abc import Callable, Collection, Hashable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Any, Final

from engine.jsonpath import JsonPath
from engine.pagination import Paginator
from engine.requests import Record
from engine.state import RECENT_MAX, PassState, ReconcileState, StreamState, fingerprint

_CLOCK_RESOLUTION: Final = timedelta(seconds=2)  # a Date header counts whole seconds


@dataclass(frozen=True)
class ListRequest:
    """A list to read: the walk over it, where its records stand in an answer, and what identifies each.

    ``parent`` is the record of which they are the children, where it is one. ``may_be_missing``: whether the answer
    "not found" means a list without records, as for children whose parent was just deleted.
    """

    paginator: Paginator
    records: Sequence[JsonPath]
    key: Callable[[Record], Hashable]
    parent: Record | None = None
    may_be_missing: bool = False
    one_record: bool = False


class StateAhead(Exception):
    """The state is dated after the server's own clock: what changed since cannot be told by it."""


class ChangeFilter:
    """One pass over an incremental stream: lets through the records that changed since the last complete pass.

    A pass that was interrupted goes on as itself: it keeps the start that it had.

    A record is a change when its cursor is at or after ``since`` (or when it has none, so that nothing can be told) and
    the destination does not have this very row yet.

    Args:
        state: Where the last complete pass left the stream.
        overlap: How far before this pass's start the next one looks.
        is_open: Tells of a record whether it may still change by itself.
        volatile: Columns whose values make no other version of a row.
    """

    def __init__(
        self,
        state: StreamState,
        lookback: timedelta,
        is_open: Callable[[Record], bool] = lambda record: False,
        volatile: Collection[str] = (),
    ) -> None:
        self._before = state
        self._lookback = lookback
        self._is_open = is_open
        self._volatile = volatile
        self._open = set(state.open)
        self._saved_open = set(state.open)
        self._recent: set[bytes] = set()
        self._asked = state.under_way is not None
        self.start: datetime | None = None
        """When the pass began, by the server's clock; None when the server does not say."""
        self._recent_from: datetime | None = None
        self._start_at(state.under_way.began if state.under_way else None)

    def _start_at(self, start: datetime | None) -> None:
        self.start = start
        # It may still turn out to have been a moment earlier, and the `since` of the next pass with it.
        self._recent_from = start - self._lookback - _CLOCK_RESOLUTION if start is not None else None

    def asked(self, at: datetime | None) -> None:
        """Tell when, by the server's clock, a page was asked for. The earliest page of a pass is its start.

        Raises:
            StateAhead: the server says that it is not yet as late as the state says it was.
        """
        if not self._asked:
            self._asked = True
            self._start_at(at)
        elif self.start is not None and at is not None and at < self.start:
            self._start_at(at)
        since = self._before.since
        if self.start is not None and since is not None and self.start < since - _CLOCK_RESOLUTION:
            raise StateAhead

    def look(self, key: Hashable, record: Record) -> None:
        """Remember whether a record may still change by itself. Tell every record that is looked at."""
        if isinstance(key, tuple) and self._is_open(record):
            self._open.add(key[0])
        elif isinstance(key, tuple):
            self._open.discard(key[0])

    @property
    def open(self) -> frozenset[str]:
        """The keys of the rows that are open, as far as the pass knows."""
        return frozenset(self._open)

    @property
    def has_unsaved_open(self) -> bool:
        """Whether rows were found open that the state does not remember yet.

        The state must before such a row is sent. Otherwise a destination that keeps what came after the last checkpoint
        of a failed sync could hold an open row that nobody looks up again.
        """
        return not self._open <= self._saved_open

    def gone(self, key: str) -> None:
        """The row of this key was deleted."""
        self._open.discard(key)

    def in_window(self, cursor: datetime | None) -> bool:
        """Whether a record with this cursor can be a change; most of a history cannot, which costs one comparison."""
        return cursor is None or self._before.since is None or cursor >= self._before.since

    def not_yet_delivered(self, row: Mapping[str, Any], cursor: datetime | None) -> bool:
        """Whether the row of such a record must be sent."""
        is_recent = cursor is not None and self._recent_from is not None and cursor >= self._recent_from
        if not is_recent and not self._before.recent:
            return True
        version = fingerprint(row, self._volatile)
        if is_recent and len(self._recent) < RECENT_MAX:
            self._recent.add(version)
        return version not in self._before.recent

    def complete(self, reconcile: ReconcileState | None = None) -> StreamState:
        """The state after this pass, which must have been read to its proven end.

        Without a server clock ``since`` stays: the next pass then looks at the same changes again, and loses none.
        """
        after = replace(self._before, under_way=None, open=self.open, reconcile=reconcile)
        if self.start is None:
            return after
        return replace(after, since=self.start - self._lookback, recent=frozenset(self._recent))

    def checkpoint_state(self, position: str | None) -> StreamState:
        """The state in the middle of the pass: where another sync can go on, if it can."""
        under_way = PassState(self.start, position) if self.start is not None and position is not None else None
        self._saved_open |= self._open
        return replace(self._before, under_way=under_way, open=self._before.open | self._open)
