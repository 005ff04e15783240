"""Reading: which records of a stream have changed, and what a pass over them leaves in the state."""

from __future__ import annotations

from collections.abc import Callable, Collection, Hashable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Any, Final

from engine.jsonpath import JsonPath
from engine.pagination import Paginator
from engine.requests import Record
from engine.state import RECENT_MAX, PassState, ReconcileState, StreamState, fingerprint

_CLOCK_RESOLUTION: Final = timedelta(seconds=2)  # a Date header has no fractions of a second


@dataclass(frozen=True)
class ListRequest:
    """A list to read: its paginator, the paths of the records in a response, and the key of a record.

    ``parent``: the parent record, if this is the list of its children. ``may_be_missing``: whether "not found" means an
    empty list, as for the children of a parent that was just deleted.
    """

    paginator: Paginator
    records: Sequence[JsonPath]
    key: Callable[[Record], Hashable]
    parent: Record | None = None
    may_be_missing: bool = False


class StateAhead(Exception):
    """The saved state is ahead of the server's clock, so changes cannot be determined from it."""


class ChangeFilter:
    """Lets through the records that changed since the last complete pass over an incremental stream.

    A resumed pass keeps the start that it had before the interruption.

    A record has changed if its cursor is at or after ``since``, or if it has no cursor, and if the destination does not
    have this version of its row yet.

    Args:
        state: The stream's state after the last complete pass or, to resume a pass, at its last checkpoint.
        lookback: How far before the start of this pass the next one looks for changes.
        is_open: Whether a record is open, so that its key is kept in the state.
        volatile: Columns that do not count when two versions of a row are compared.
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
        self._has_begun = state.current_pass is not None
        self.start: datetime | None = None
        """When the pass began, by the server's clock; None if the server sends no dates."""
        self._recent_from: datetime | None = None
        self._start_at(state.current_pass.began if state.current_pass else None)

    def _start_at(self, start: datetime | None) -> None:
        self.start = start
        # A later response may show that the pass began a moment earlier, and `since` of the next pass moves with it.
        self._recent_from = start - self._lookback - _CLOCK_RESOLUTION if start is not None else None

    def page_requested(self, at: datetime | None) -> None:
        """Note when a page was requested, by the server's clock. The earliest request is the start of the pass.

        Raises:
            StateAhead: the saved state is ahead of the server's clock.
        """
        if not self._has_begun:
            self._has_begun = True
            self._start_at(at)
        elif self.start is not None and at is not None and at < self.start:
            self._start_at(at)
        since = self._before.since
        if self.start is not None and since is not None and self.start < since - _CLOCK_RESOLUTION:
            raise StateAhead

    def observe(self, key: Hashable, record: Record) -> None:
        """Note whether a record is open. Every record that is read must be observed."""
        if isinstance(key, tuple) and self._is_open(record):
            self._open.add(key[0])
        elif isinstance(key, tuple):
            self._open.discard(key[0])

    @property
    def open(self) -> frozenset[str]:
        """The keys of the rows that are open, as far as this pass has read."""
        return frozenset(self._open)

    @property
    def has_unsaved_open(self) -> bool:
        """Whether open rows were observed that the saved state does not list yet.

        The state must list a row before it is sent. Otherwise a destination that keeps what was written after the last
        checkpoint of a failed sync could hold an open row that is never looked up again.
        """
        return not self._open <= self._saved_open

    def forget(self, key: str) -> None:
        """Drop a deleted row from the open ones."""
        self._open.discard(key)

    def in_window(self, cursor: datetime | None) -> bool:
        """Whether a record with this cursor can be a change. One comparison rules out most of a history."""
        return cursor is None or self._before.since is None or cursor >= self._before.since

    def not_yet_delivered(self, row: Mapping[str, Any], cursor: datetime | None) -> bool:
        """Whether the destination does not have this version of a row in the window yet."""
        is_recent = cursor is not None and self._recent_from is not None and cursor >= self._recent_from
        if not is_recent and not self._before.recent:
            return True
        version = fingerprint(row, self._volatile)
        if is_recent and len(self._recent) < RECENT_MAX:
            self._recent.add(version)
        return version not in self._before.recent

    def final_state(self, reconcile: ReconcileState | None = None) -> StreamState:
        """The state after this pass, once it has been read to its confirmed end.

        Without a server clock, ``since`` stays: the next pass reads the same changes again and loses none.
        """
        after = replace(self._before, current_pass=None, open=self.open, reconcile=reconcile)
        if self.start is None:
            return after
        return replace(after, since=self.start - self._lookback, recent=frozenset(self._recent))

    def checkpoint_state(self, position: str | None) -> StreamState:
        """The state in the middle of this pass. ``position``: where the pass can be resumed, if it can."""
        current_pass = PassState(self.start, position) if self.start is not None and position is not None else None
        self._saved_open |= self._open
        return replace(self._before, current_pass=current_pass, open=self._before.open | self._open)
