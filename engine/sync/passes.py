"""The passes over an incremental stream: the first over the whole list, later ones over changes."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from datetime import datetime
from functools import partial
from typing import Final

from engine.failures import ChangesExpired, Failure
from engine.instants import EARLIEST
from engine.nouns import counted
from engine.reading.backfill import read_all
from engine.reading.batch import DeletedRow
from engine.reading.changes import ChangesPass
from engine.reading.children import SinceLast
from engine.reading.reconcile import known_until
from engine.reading.source import Source
from engine.reading.window import StateAhead, Window
from engine.requests import Record
from engine.state import Keys, KeyValue, PassState, ReconcileState, StreamState, with_intervals
from engine.sync.reconciliation import Reconciliation
from engine.sync.sender import Sender
from engine.sync.writer import StreamWriter

_AHEAD_BELIEVED: Final = 3  # times that the state must be ahead of the clock


class Passes:
    """The passes of one sync over one incremental stream.

    Args:
        source: The stream on the server.
        sender: Writes its rows.
        writer: Keeps its state.
        opened: The keys of rows that were open before this sync, by stream.
    """

    def __init__(
        self, source: Source, sender: Sender, writer: StreamWriter, opened: Mapping[str, frozenset[KeyValue]]
    ) -> None:
        self._source = source
        self._stream = source.stream
        self._sender = sender
        self._writer = writer
        self._opened = opened
        self._window: Window | None = None
        self._changes: ChangesPass | None = None  # of this sync, if it has read changes
        if writer.state.since is None:
            self._leave_parent()

    @property
    def has_no_dates(self) -> bool:
        """Whether the server's responses had no dates."""
        return self._window is not None and self._window.has_no_dates

    @property
    def has_too_many_parents(self) -> bool:
        """Whether the state cannot hold the rows of the parent whose children were read."""
        return self._window is not None and self._window.parents.are_too_many

    def run(self, before: StreamState) -> None:
        """Read all changes, starting from the state of the last sync.

        Raises:
            Failure: the pass could not be completed. The writer's state has what was sent.
        """
        try:
            self._run_from(before)
        except ChangesExpired as expired:
            if before.since is None:  # not changes were read, but the whole list
                raise
            self._source.log.warning(f"{expired} The whole list is read again.")
            self._start_over(before, is_truncated=self._writer.partition is None)

    def _run_from(self, before: StreamState) -> None:
        """Read all changes, or the whole list if the state is ahead of the server's clock."""
        for _ in range(_AHEAD_BELIEVED):  # one response with a wrong date proves nothing
            try:
                self._run(before)
                return
            except StateAhead:
                self._source.forget()
        since = before.since or (before.current_pass and before.current_pass.began)
        self._source.warning(
            f"the saved state is ahead of the server's clock (last sync started after {since:%Y-%m-%d %H:%M:%S} UTC); "
            "one of the two is wrong, so changes cannot be determined and the whole list is re-sent"
        )
        self._start_over(before, is_truncated=False)

    def _start_over(self, before: StreamState, *, is_truncated: bool) -> None:
        """Read the whole list again. Unless it begins with a truncate, the rows that are in the table stay."""
        self._leave_parent()
        fresh = StreamState(made_by=before.made_by, read_by=before.read_by)
        if not is_truncated:
            since = before.since or (before.current_pass and before.current_pass.began)
            fresh = replace(fresh, open=before.open, keys=before.keys, current_pass=PassState(since or EARLIEST, None))
        self._run(fresh)

    def _leave_parent(self) -> None:
        """Keep the parent from holding its changes for this stream, which reads the whole list instead."""
        if self._source.parent is not None:
            self._source.parent.children.discard(self._stream.name)

    def _run(self, before: StreamState) -> None:
        is_first = before.since is None
        is_resumed = before.current_pass is not None and before.current_pass.position is not None
        self._pass(before)
        if is_first or is_resumed:
            self._writer.checkpoint_pass()
        if is_first and is_resumed:  # it began long ago: what changed since then need not wait for the next sync
            self._writer.write_waiting()
            self._pass(self._writer.state)

    def _pass(self, before: StreamState) -> None:
        position = before.current_pass.position if before.current_pass else None
        resumed = before if position is not None else replace(before, current_pass=None)
        if self._stream.finds_deleted and before.since is None and before.current_pass is None:
            resumed = replace(resumed, keys=Keys())  # the table is truncated first
        volatile, has_instants = self._source.mapping.volatile, self._stream.has_instants
        window = Window(
            resumed,
            self._source.lookback,
            self._is_open,
            volatile,
            has_instants=has_instants,
            settling=self._source.settling,
            elsewhere=self._writer.others(),
        )
        self._window = window
        try:
            if self._stream.incremental is None or before.since is None:
                self._backfill(before, window, position)
            else:
                self._read_changes(before, before.since, window, position)
        except (Failure, StateAhead):
            self._sender.release(window)
            raise

    def _is_open(self, record: Record) -> bool:
        opened = self._stream.incremental.open if self._stream.incremental else None
        return opened is not None and opened.includes(record)

    # --- the whole list ----------------------------------------------------------------------------------------------

    def _backfill(self, before: StreamState, window: Window, position: str | None) -> None:
        """Read the whole list, from its start or from where an interrupted pass stopped."""
        since = f"rows changed since {before.since:%Y-%m-%d %H:%M:%S} UTC" if before.since else "all rows (first sync)"
        resumed = position is not None
        self._source.info(f"reading {self._source.what}, {since}{_resuming(window) if resumed else ''}")
        self._changes = None
        truncated = before.current_pass is not None or before.since is not None or not self._promises_deletions
        is_new = self._new_parent(window) if self._stream.parent is not None else None
        since_last = SinceLast(window.parents)
        is_later = window.is_later
        batches = read_all(self._source, position, is_later=is_later, of=is_new, since_last=since_last, shared=True)
        for batch in batches:
            window.asked(batch.asked_at)
            if not truncated and not self._source.exists:
                continue
            if not truncated:
                self._truncate(window)
                truncated = True
            self._sender.send(window, batch.records, since=EARLIEST if batch.of_new else None)
            self._source.progress.read(len(batch.records), batch.counted)
            position = batch.position or position
            self._sender.save(window, partial(window.checkpoint_state, position))
        if not truncated:
            self._truncate(window)
        self._sender.finish(window, partial(self._after_backfill, window))
        if not resumed:
            self._compare_with_count()

    def _after_backfill(self, window: Window) -> StreamState:
        after = window.final_state()
        return after if self._stream.reconcile is not None else replace(after, newest=None)

    def _truncate(self, window: Window) -> None:
        """Mark all rows as deleted: some from before can be gone, and the others are sent again."""
        self._sender.truncate()
        self._writer.save(window.checkpoint_state(None))

    @property
    def _promises_deletions(self) -> bool:
        """Whether rows are deleted: if gone, be it only those that were open, or excluded by `where`."""
        incremental = self._stream.incremental
        has_open = incremental is not None and incremental.open is not None
        return self._stream.deleted == "soft_delete" or has_open or bool(self._stream.where)

    def _compare_with_count(self) -> None:
        """Say so if the list had fewer rows than the server counts, before and after it was read."""
        read, before = self._source.progress.of_total, self._source.progress.total
        if before is None or read >= before:
            return
        after = self._source.count()
        if after is not None and read < after:
            self._source.warning(
                f"the server counts {counted(after, 'rows')}, but its list had {read:,}: some rows are not in the "
                "list, such as those without a value in the field that it is paginated by"
            )

    # --- changes -----------------------------------------------------------------------------------------------------

    def _read_changes(self, before: StreamState, since: datetime, window: Window, position: str | None) -> None:
        """Read what can have changed since the last complete pass."""
        changed = f"requesting changes since {since:%Y-%m-%d %H:%M:%S} UTC from {self._source.what}"
        self._source.routine(f"{changed}{_resuming(window) if position is not None else ''}")
        self._changes = changes = self._changes_pass(self._source, since, before.open, window)
        for found in changes.run(position):
            if isinstance(found, DeletedRow):
                self._sender.delete(window, found)
                continue
            window.asked(found.asked_at)
            if changes.closed:
                self._writer.note_closed(self._source.children, changes.closed)
                changes.closed.clear()
            self._sender.send(window, found.records, since=EARLIEST if found.of_new else None)
            self._source.progress.read(len(found.records), 0)
            self._sender.save(window, partial(window.checkpoint_state, found.position))
        self._sender.finish(window, partial(self._after_changes, before, since, window, changes))

    def _after_changes(self, before: StreamState, since: datetime, window: Window, changes: ChangesPass) -> StreamState:
        covered = {**changes.covered, **(changes.parent.covered if changes.parent and self._stream.parent else {})}
        after = replace(window.final_state(), covered=with_intervals(before.covered, covered))
        if self._stream.reconcile is not None and after.reconcile is None and window.start is not None:
            began = min(since + self._source.lookback, window.start)  # of the last complete pass
            previous = known_until(began, before.newest, self._source.lookback)
            after = replace(after, reconcile=ReconcileState(window.start, previous, newest=window.newest), newest=None)
        return after

    def _changes_pass(
        self, source: Source, since: datetime, opened: frozenset[KeyValue], window: Window
    ) -> ChangesPass:
        """The pass over the changes of a stream and, for the children that it reads, over those of its parent."""
        if source.stream.incremental is None or source.stream.incremental.open is None:
            opened = frozenset()  # a state of an earlier release can have the keys of all rows there
        changes = ChangesPass(
            source,
            since,
            opened,
            parents=window.parents,
            is_later=window.is_later,
            resumed=window.start,
            reconciled=self._stream.reconcile is not None,
            last=window.last if source is self._source else None,
        )
        if source.parent is not None:
            name = source.parent.stream.name
            above = self._opened.get(name, frozenset())
            if source is self._source:
                above |= self._writer.state.closed_parents
            changes.parent = self._changes_pass(source.parent, since, above, window)
            is_new = self._new_parent(window)
            if source is self._source and is_new is not None:
                changes.parent_changed = is_new
        return changes

    def _new_parent(self, window: Window) -> Callable[[Record], bool] | None:
        """Whether the children of a parent's row were not read yet in its version; None if that decides nothing."""
        parent, declared = self._source.parent, self._stream.source
        if parent is None or declared is None or self._stream.asks_each_parent:
            return None
        if not declared.moves_cursor or parent.stream.cursor_field is None:
            return None
        mapping = parent.mapping
        return lambda record: window.is_new_parent(mapping, record)

    # --- reconciliation ----------------------------------------------------------------------------------------------

    def reconcile(self) -> None:
        """Re-read what is due of the list, for changes that no query found and for rows that are gone.

        Raises:
            Failure: it could not be read. The writer's state has what was read of it.
        """
        window, changes = self._window, self._changes
        if not (self._stream.reconcile or self._stream.finds_deleted) or window is None or changes is None:
            return
        if window.start is None or not self._writer.state.has_begun:
            return
        Reconciliation(self._source, self._sender, self._writer, window, changes).run(window.start)


def _resuming(window: Window) -> str:
    assert window.start is not None  # a pass that is resumed has begun
    return f", resuming the pass of {window.start:%Y-%m-%d %H:%M:%S} UTC"
