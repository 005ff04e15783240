"""Re-reading a list after the changes of a sync: the slice of reconciliation that is due, and rows that are gone."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import datetime, timedelta
from functools import cached_property, partial

from engine.failures import Failure, LimitReached
from engine.instants import shifted
from engine.nouns import counted
from engine.reading.backfill import read_all
from engine.reading.batch import Batch, DeletedRow
from engine.reading.changes import ChangesPass
from engine.reading.deletions import may_have_deleted, surplus_shown
from engine.reading.reconcile import IsDelivered, Slice, is_delivered, parent_changed
from engine.reading.source import Source
from engine.reading.spool import Spool
from engine.reading.window import Window
from engine.requests import Record
from engine.rows.mapping import Row
from engine.state import KEYS_MAX, Key, ReconcileState, StreamState, Surplus, fingerprint
from engine.sync.sender import Sender
from engine.sync.writer import StreamWriter


class Reconciliation:
    """Re-reads what is due of one stream's list, for changes that no query found and, if declared, for deleted rows.

    Rows that are gone are known by their keys, which the state holds. A stream without rounds of reconciliation is read
    for them when the server's count shows that there are any. A row is deleted once two readings missed it: the list
    and a lookup or, without lookups, the list twice. If there are more keys than the state holds, the table is
    truncated and the whole list sent again.

    Args:
        source: The stream on the server.
        sender: Writes its rows.
        writer: Keeps its state.
        window: The window of this sync's pass over changes.
        changes: That pass.
    """

    def __init__(
        self, source: Source, sender: Sender, writer: StreamWriter, window: Window, changes: ChangesPass
    ) -> None:
        self._source = source
        self._stream = source.stream
        self._sender = sender
        self._writer = writer
        self._window = window
        self._changes = changes
        self._total: int | None = None

    def run(self, now: datetime) -> None:
        """Read what is due.

        Args:
            now: The start of this sync.

        Raises:
            Failure: it could not be read. The writer's state has what was read of it.
        """
        declared = self._stream.reconcile
        due = self._due(now, declared.every) if declared is not None else self._due_by_count(now)
        try:
            while due is not None:
                due = self._read(due)
        except Failure:
            self._sender.release(self._window)
            raise

    def _due(self, now: datetime, every: timedelta) -> Slice | None:
        """The slice that is due by time."""
        before = self._writer.state.reconcile
        assert before is not None  # every changes pass leaves one
        if before.began > now + every:  # by a clock that was wrong
            before = replace(before, began=now)
            self._save(self._after(before))
        due = Slice(self._source, before, every, now)
        return due if due.is_due() else None

    def _due_by_count(self, now: datetime) -> Slice | None:
        """The whole list, if the server's count shows that rows are gone or if a reading for that was interrupted."""
        state, keys = self._writer.state, self._window.keys
        self._total = self._source.count()
        known = len(keys) if keys.are_complete else None
        if state.reconcile is None and not may_have_deleted(self._total, known, state.surplus, now):
            return None
        rows = "the rows are not known" if known is None else f"{counted(known, 'rows')} known"
        counts = "has no count" if self._total is None else f"counts {self._total:,}"
        self._source.info(f"{rows}, but the server {counts}: reading the whole list to find deleted rows")
        return Slice(self._source, state.reconcile or ReconcileState(now, now), timedelta(0), now)

    def _after(self, reconcile: ReconcileState | None) -> StreamState:
        """The state after this sync's pass and a part of a round."""
        return replace(self._window.final_state(), covered=self._writer.state.covered, reconcile=reconcile)

    def _save(self, state: StreamState) -> None:
        self._sender.release(self._window)
        self._writer.save(state)

    def _surplus(self, due: Slice) -> Surplus | None:
        """How wrong the server's count is, after a reading of the list that met exactly the rows that were known.

        Only such a reading, begun and ended between two counts that agree, proves a count wrong: with rows that came or
        went meanwhile, it would later hide as many deleted ones. Without proof, what was known stays.
        """
        before, total, known = self._writer.state.surplus, self._total, len(self._window.keys)
        if total is None or (total == known and before is None) or self._window.keys.missing:
            return before
        if due.before.began != due.now or self._source.count() != total:
            return before
        if total > known:
            self._source.warning(
                f"the server counts {counted(total, 'rows')}, but its list has {known:,}; the list is believed"
            )
        return surplus_shown(total - known, before, due.now, self._source.lookback)

    # --- the slice ---------------------------------------------------------------------------------------------------

    def _read(self, due: Slice) -> Slice | None:
        """Read a slice; returns what has to be read next for it to be done."""
        keys = self._window.keys
        if self._stream.finds_deleted and not keys.are_complete:
            self._resend(due)
            return None
        if due.before.position is None and not due.before.again:
            keys.begin_reading()
        sent, deleted = self._sender.sent, self._sender.deleted
        position = self._send_changes(due)
        if due.ended and self._stream.finds_deleted:
            if not self._is_confirmed(due):
                again = replace(due, before=due.second_reading(), rows=0, ended=False, sent=set())
                self._save(self._after(again.before))
                self._writer.checkpoint()
                return again
            self._delete_missing(due, position)
        self._sender.release(self._window)
        if not due.ended:
            self._save(self._after(due.state(position)))
        elif self._stream.reconcile is not None:
            self._save(self._after(due.next_round(self._window.newest)))
        elif (sent, deleted) == (self._sender.sent, self._sender.deleted):
            self._save(replace(self._after(None), surplus=self._surplus(due)))
        else:
            self._save(self._after(None))
        found = counted(self._sender.sent - sent, "changes")
        self._source.info(f"reconciled {counted(due.rows, 'rows')}: {found} that no query had found")
        if self._sender.deleted > deleted:
            gone = counted(self._sender.deleted - deleted, "rows")
            self._source.info(f"{gone} gone from the server: soft-deleted")
        self._writer.checkpoint_rows()
        return None

    def _send_changes(self, due: Slice) -> str | None:
        """Send the changes in a slice; returns the position that it reached."""
        position = due.before.position
        for batch in due.read(self._window.is_later, self._parents_to_reread(due)):
            self._send(due, batch)
            self._source.progress.read(len(batch.records), 0)
            position = batch.position or position
            self._sender.save(self._window, partial(self._after, due.state(position)))
        return position

    def _send(self, due: Slice, batch: Batch) -> None:
        """Send the changes in a batch that neither this sync's pass nor an earlier round has sent."""
        keys, unsent = self._window.keys, []
        for key, record in batch.records:
            assert isinstance(key, tuple)
            is_row = self._source.mapping.is_row(record)
            is_wrong = keys.lacks(key) if is_row else key in keys
            if not self._was_sent(due, key, record) or is_wrong:
                unsent.append((key, record))
            elif is_row:
                keys.meet(key)
        self._sender.send(self._window, unsent, since=self._since(due))

    def _was_sent(self, due: Slice, key: Key, record: Record) -> bool:
        """Whether the destination has a row in this version, as far as it is known. If not, the caller sends it."""
        if self._stream.reconcile is None:  # the list is read for the keys of its rows, not for edits
            return True
        window, mapping, found = self._window, self._source.mapping, key in self._changes.seen
        cursor = mapping.cursor(record)
        if self._is_delivered(record, cursor) or (found and window.is_open(key)):
            return True
        found = found and window.includes(cursor)
        if cursor is not None and cursor < self._since(due):
            return found
        version = fingerprint(mapping.row(record), mapping.volatile)
        if found and not window.knows(version):  # it can have changed again, which the next round finds
            return True
        return not due.is_new(version, cursor) or found

    @cached_property
    def _is_delivered(self) -> IsDelivered:
        return is_delivered(self._stream, self._writer.state.covered, self._source.lookback)

    def _since(self, due: Slice) -> datetime:
        return shifted(due.before.previous, -self._source.lookback)

    def _parents_to_reread(self, due: Slice) -> Callable[[Record], bool] | None:
        """Which parents' children can have changed; None for all, which shows the children that are gone, too."""
        parent = self._source.parent
        if parent is None or self._stream.parent is None or self._stream.finds_deleted:
            return None
        if self._stream.asks_each_parent:  # a change does not move the parent's cursor
            return None
        delivered = is_delivered(parent.stream, self._writer.state.covered, self._source.lookback)
        return parent_changed(parent, self._since(due), delivered)

    # --- rows that are gone ------------------------------------------------------------------------------------------

    @property
    def _has_lookups(self) -> bool:
        return self._stream.incremental is not None and self._stream.incremental.lookup is not None

    def _is_confirmed(self, due: Slice) -> bool:
        """Whether no further reading of the list is needed to tell which rows are gone."""
        keys = self._window.keys
        return keys.are_complete and (due.before.again or self._has_lookups or not keys.missing)

    def _delete_missing(self, due: Slice, position: str | None) -> None:
        """Delete the rows that the list no longer has. An interruption leaves those that are not done as missing.

        A row that this sync has found was there just now. The list can be older, so the next reading decides.
        """
        keys = [key for key in self._window.keys.missing if key not in self._changes.seen]
        lookups = self._changes.look_up([key[0] for key in keys]) if self._has_lookups else None
        found: Iterator[Batch | DeletedRow] = map(DeletedRow, keys) if lookups is None else lookups
        for one in found:
            if isinstance(one, DeletedRow):
                self._sender.delete(self._window, one)
            else:
                self._send(due, one)
            self._sender.save(self._window, partial(self._after, due.state(position)))

    def _resend(self, due: Slice) -> None:
        """Send the whole list again, after a truncate, so that rows that are gone are marked as deleted.

        Raises:
            Failure: a limit does not allow for it.
        """
        too_many = Surplus(0, due.now) if self._stream.reconcile is None else None  # or every sync would do this
        if self._writer.start_over(too_many):
            self._source.info(
                "there are too many rows to know which are gone: the next sync truncates the table and reads the list "
                "from the start, as in all partitions"
            )
            return
        self._check_limit()
        self._source.info("re-sending the whole list to soft-delete rows that are gone")
        mapping, window = self._source.mapping, self._window
        window.start_over()
        spool: Spool[Row] = Spool()
        with spool as rows:
            try:
                for batch in read_all(self._source, is_later=window.is_later):
                    records = [keyed for keyed in batch.records if mapping.is_row(keyed[1])]
                    new = [mapping.row(record) for _, record in records]
                    for (key, record), row in zip(records, new, strict=True):
                        window.observe(key, record)
                        window.is_new(row, mapping.cursor(record))
                    rows.extend(new)
                    self._source.progress.read(len(batch.records), batch.counted)
            except LimitReached as failure:
                raise LimitReached(f"{failure} {self._in_one_sync}, or declare `deleted: keep`.") from None
            self._sender.truncate()
            self._sender.write(rows)
        window.written()
        following = ReconcileState(due.now, due.before.began) if self._stream.reconcile is not None else None
        self._writer.save(replace(self._after(following), surplus=None if window.keys.are_complete else too_many))
        self._writer.checkpoint()

    def _check_limit(self) -> None:
        """Fail before a request is sent if the sync has too few left to read the whole list.

        Raises:
            Failure: it has.
        """
        left = self._source.requests_left
        needed = self._source.requests_needed() if left is not None else None
        if left is not None and needed is not None and needed > left:
            raise Failure(
                f"{self._stream.name}: {self._source.what} takes about {needed:,} requests, and api.limits.requests "
                f"leaves {left:,}. {self._in_one_sync} by at least {needed - left:,}, or declare `deleted: keep`."
            )

    @property
    def _in_one_sync(self) -> str:
        return (
            "To find the rows that are gone, the whole list is read in one sync: once if the state has no keys of its "
            f"rows yet, and again and again if there are more than {KEYS_MAX:,}. Raise the limit"
        )
