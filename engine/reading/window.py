"""The window of a pass: which records changed since the last complete pass, and what this pass leaves in the state."""

from __future__ import annotations

from collections.abc import Callable, Collection, Hashable, Mapping, Sequence
from dataclasses import replace
from datetime import datetime, timedelta, timezone
from typing import Any, Final

from engine.instants import EARLIEST, shifted
from engine.reading.known_keys import KnownKeys
from engine.reading.known_parents import KnownParents
from engine.requests import Record
from engine.rows.mapping import RowMapping
from engine.state import RECENT_MAX, Counter, Key, KeyValue, PassState, StreamState, fingerprint

CLOCK_RESOLUTION: Final = timedelta(seconds=2)  # a Date header has no fractions of a second


class StateAhead(Exception):
    """The saved state is ahead of the server's clock, so changes cannot be determined from it."""


class Window:
    """Lets through the records that changed since the last complete pass over an incremental stream.

    A record has changed if its cursor is at or after ``since``, or if it has no cursor, and if the destination does not
    have this version of its row yet. A resumed pass keeps the start that it had before the interruption.

    A row that is new is noted as delivered once :meth:`written` says so.

    Args:
        before: The stream's state after the last complete pass or, to resume a pass, at its last checkpoint.
        lookback: How far before the start of this pass the next one looks for changes.
        is_open: Whether a record is open, so that its key is kept in the state.
        volatile: Columns that do not count when two versions of a row are compared.
        has_instants: Whether records have a cursor that is an instant. If not, their versions count as those of now.
        settling: How long children can become visible after their parent changed.
        elsewhere: The states of the stream in other partitions.
        now: This machine's clock. Only how much time passes on it matters, and only if the server sends no dates.
    """

    def __init__(
        self,
        before: StreamState,
        lookback: timedelta,
        is_open: Callable[[Record], bool] = lambda record: False,
        volatile: Collection[str] = (),
        now: Callable[[], datetime] = lambda: datetime.now(timezone.utc),
        *,
        has_instants: bool = True,
        settling: timedelta = timedelta(0),
        elsewhere: Sequence[StreamState] = (),
    ) -> None:
        self._before = before
        self._lookback = lookback
        self._is_open = is_open
        self._volatile = volatile
        self._now = now
        self._has_instants = has_instants
        self._settling = settling
        self.last: Counter = (before.current_pass.last if before.current_pass else None) or before.last
        """The greatest cursor that was read, if cursors are no instants."""
        self._open = set(before.open)
        self._listed = set(before.open)
        self._unlisted: set[KeyValue] = set()
        self._closing: set[KeyValue] = set()  # no longer open, but not written yet
        self._recent: dict[bytes, datetime] = {}
        self._not_written: dict[bytes, datetime] = {}
        self._parents: set[bytes] = set()
        self._has_deleted = False
        self._newest = before.newest if before.since is None else None
        self._newest_parent: datetime | None = None
        self._is_dated = False
        self.keys = KnownKeys(before.keys, sum(map(len, (one.keys for one in elsewhere if one.keys is not None))))
        """The keys of the rows that the destination has, if reconciliation is to find those that are gone."""
        self.parents = KnownParents(
            before.parents,
            is_resumed=before.current_pass is not None,
            elsewhere=sum(len(one.parents) for one in elsewhere),
        )
        """The rows of the parent whose children the destination has, if each is asked for its changes."""
        self.start: datetime | None = before.current_pass.began if before.current_pass else None
        """When the pass began, by the server's clock or, if it sends no dates, by this machine's."""

    # --- the start ---------------------------------------------------------------------------------------------------

    def asked(self, at: datetime | None) -> None:
        """Note when a response was requested, by the server's clock. The earliest is the start of the pass.

        Raises:
            StateAhead: the saved state is ahead of the server's clock.
        """
        if at is None:
            self.start = self.start or self._now()
            return
        current = self._before.current_pass
        instants = (self._before.since, current.began if current else None)
        if any(known is not None and at < known - CLOCK_RESOLUTION for known in instants):
            raise StateAhead
        self.start = at if self.start is None or not (self._is_dated or current) else min(self.start, at)
        self._is_dated = True

    @property
    def has_no_dates(self) -> bool:
        """Whether the server sends no dates, so that the window is judged by the newest cursor."""
        return not self._is_dated

    def is_later(self, cursor: datetime) -> bool:
        """Whether a change happened after the pass began, so that the next pass reads it."""
        return self._is_dated and self.start is not None and cursor >= self.start

    # --- records -----------------------------------------------------------------------------------------------------

    def observe(self, key: Hashable, record: Record) -> bool:
        """Note whether a record is open; returns whether the destination is known to lack its row.

        Every record that is read must be observed.
        """
        if not isinstance(key, tuple):
            return False
        if self._is_open(record):
            self._open.add(key[0])
            if key[0] not in self._listed:
                self._unlisted.add(key[0])
        else:
            self._close(key[0])
        return self.keys.meet(key)

    def deleted(self, key: Key) -> None:
        """Note that a row was deleted."""
        self._has_deleted = True
        self._close(key[0])
        self._closing.discard(key[0])
        self.keys.forget(key)

    def _close(self, key: KeyValue) -> None:
        self._open.discard(key)
        self._unlisted.discard(key)
        if key in self._listed:
            self._listed.discard(key)
            self._closing.add(key)

    @property
    def unlisted_count(self) -> int:
        """The number of rows that the saved state must list before they are written, and does not."""
        return max(len(self._unlisted), self.keys.unlisted_count)

    @property
    def listed_count(self) -> int:
        """The number of rows that the saved state lists."""
        return max(len(self._listed), len(self.keys))

    def listed(self) -> None:
        """Note that the state which lists all rows so far has been saved."""
        self._listed |= self._unlisted
        self._unlisted.clear()
        self.keys.listed()

    @property
    def open(self) -> frozenset[KeyValue]:
        """The keys of the rows that are open, as far as this pass has read."""
        return frozenset(self._open)

    def is_open(self, key: Hashable) -> bool:
        """Whether the row with this key is open, as far as this pass has read."""
        return isinstance(key, tuple) and key[0] in self._open

    def may_have(self, key: Hashable) -> bool:
        """Whether the destination can have the row with this key, as far as the state knows its keys."""
        return self.is_open(key) or key in self.keys

    def has_opened(self, key: Hashable) -> bool:
        """Whether the row with this key is open, and was not when the pass began."""
        return self.is_open(key) and isinstance(key, tuple) and key[0] not in self._before.open

    def count(self, counter: Counter) -> None:
        """Note the cursor of a record that was read, if it is no instant."""
        if counter is not None and (self.last is None or self.last < counter):  # type: ignore[operator]
            self.last = counter

    def includes(self, cursor: datetime | None) -> bool:
        """Whether a record with this cursor can be a change. One comparison rules out most of a history."""
        return cursor is None or self._before.since is None or cursor >= self._before.since

    def is_new(self, row: Mapping[str, Any], cursor: datetime | None) -> bool:
        """Whether the destination does not have this version of a row in the window yet. The caller writes it."""
        if cursor is not None and (self._newest is None or cursor > self._newest):
            self._newest = cursor
        return self._is_unknown(row, cursor)

    def excludes_anew(self, row: Mapping[str, Any], cursor: datetime | None) -> bool:
        """Whether the row of a record that is excluded from the table can be there. The caller deletes it.

        A first pass finds none: it begins with an empty table. If all keys are known, :meth:`may_have` decides.
        """
        known = self._before.since is None or self.keys.are_complete
        return not known and self.is_new({"": "excluded", **row}, cursor)

    def knows(self, version: bytes) -> bool:
        """Whether the destination is known to have this version of a row."""
        return version in self._before.recent or version in self._recent

    def start_over(self) -> None:
        """Note that the whole list is about to be sent to an empty table: no version of a row is there."""
        self.keys.start_over()
        self._before = replace(self._before, recent=frozenset())
        self._recent.clear()
        self._parents.clear()

    def written(self) -> None:
        """Note that the rows which were new have been written."""
        self.keys.written()
        self._closing.clear()
        self._recent |= self._not_written
        self._not_written.clear()
        if len(self._recent) > 2 * RECENT_MAX:
            floor = self._floor()
            recent = [(known, at) for known, at in self._recent.items() if at >= floor]
            self._recent = dict(recent[:RECENT_MAX])

    def is_new_parent(self, parent: RowMapping, record: Record) -> bool:
        """Whether the children of this version of a parent's row were not read yet. The caller reads them.

        A version that may have children which are not visible yet counts as read only by the next pass.
        """
        cursor = parent.cursor(record)
        if cursor is not None and (self._newest_parent is None or cursor > self._newest_parent):
            self._newest_parent = cursor
        if not self.includes(cursor):
            return False
        if not self._is_recent(cursor) and not self._before.recent:
            return True
        version = fingerprint({"": "parent", **parent.row(record)}, parent.volatile)
        settled = self.start is not None and cursor is not None and cursor <= shifted(self.start, -self._settling)
        if settled and self._is_recent(cursor) and len(self._parents) < RECENT_MAX:
            self._parents.add(version)
        return version not in self._before.recent

    def _is_unknown(self, row: Mapping[str, Any], cursor: datetime | None) -> bool:
        if not self._has_instants:
            cursor = self.start
        if not self._is_recent(cursor) and not self._before.recent:
            return True
        version = fingerprint(row, self._volatile)
        is_known = version in self._before.recent
        if cursor is not None and self._is_recent(cursor):
            noted = self._recent if is_known else self._not_written
            noted[version] = cursor
        return not is_known

    def _is_recent(self, cursor: datetime | None) -> bool:
        return cursor is not None and cursor >= self._floor()

    @property
    def newest(self) -> datetime | None:
        """The newest change that is known, no later than the start: every later change is after it."""
        known = [at for at in (self._newest, self._before.since) if at is not None]
        return max(known, default=None) if self.start is None else min(max(known, default=self.start), self.start)

    @property
    def _newest_of_first_pass(self) -> datetime | None:
        if self._before.since is not None:
            return self._before.newest
        return max((at for at in (self._newest, self._newest_parent) if at is not None), default=None)

    def _floor(self) -> datetime:
        """The oldest cursor that the next pass looks at again."""
        since = self._next_since()
        # A later response may show that the pass began a moment earlier, and the next pass looks from there.
        return shifted(since, -CLOCK_RESOLUTION) if since is not None else EARLIEST

    # --- states ------------------------------------------------------------------------------------------------------

    @property
    def _recent_before(self) -> frozenset[bytes]:
        """The versions that the destination had and has; none once a row was deleted, whose version can be one."""
        return frozenset() if self._has_deleted else self._before.recent

    def _next_since(self) -> datetime | None:
        """From where the next pass looks for changes: the start of this one minus the lookback.

        Without a server's clock, the newest cursor stands in for the time now, or that of the parent's rows if there is
        none, and this machine's clock says how long ago the pass began.
        """
        if (self._is_dated or not self._has_instants) and self.start is not None:
            return shifted(self.start, -self._lookback)
        newest = self._newest or self._newest_parent
        if self.start is None or newest is None:
            return self._before.since
        since = shifted(newest, -(self._lookback + max(timedelta(0), self._now() - self.start)))
        return max(since, self._before.since) if self._before.since is not None else since

    def final_state(self) -> StreamState:
        """The state after this pass, once it has been read to its confirmed end."""
        floor = self._floor()
        recent = [version for version, at in self._recent.items() if at >= floor]
        recent = [*recent, *self._parents][:RECENT_MAX]
        if self._before.current_pass is not None:
            recent += list(self._recent_before)[: RECENT_MAX - len(recent)]
        return replace(
            self._before,
            since=self._next_since(),
            recent=frozenset(recent),
            current_pass=None,
            open=self.open,
            keys=self.keys.state(),
            newest=self._newest_of_first_pass,
            parents=self.parents.after_pass(),
            last=self.last,
            # A pass that was resumed can have been behind the lookups when some of them were noted.
            closed_parents=self._before.closed_parents if self._before.current_pass is not None else frozenset(),
        )

    def checkpoint_state(self, position: str | None) -> StreamState:
        """The state in the middle of this pass. ``position``: where the pass can be resumed, if it can."""
        opened = frozenset(self._open | self._listed | self._closing)
        if self.start is None:
            return replace(self._before, open=opened, keys=self.keys.state())
        recent = [*self._recent_before, *self._recent][-RECENT_MAX:]
        return replace(
            self._before,
            current_pass=PassState(self.start, position, self.last),
            open=opened,
            keys=self.keys.state(),
            parents=self.parents.so_far(),
            recent=frozenset(recent),
            newest=self._newest_of_first_pass,
        )
