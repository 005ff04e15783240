"""One stream's share of a sync: the first pass over the whole list, later ones over what can have changed, the sweep,
and the full refresh.
"""

from __future__ import annotations

import math
from collections.abc import Hashable, Sequence
from concurrent.futures import Executor, Future
from dataclasses import replace
from datetime import datetime, timedelta, timezone
from typing import Final

from engine.log import Log
from engine.reading import ChangeFilter, StateAhead
from engine.reading.changes import DeletedRow, already_delivered, is_open
from engine.requests import KeyedRecord
from engine.state import ReconcileState, StreamState
from engine.sync.reader import StreamReader
from engine.sync.spool import Spool
from engine.sync.writer import Writer

_ALWAYS: Final = datetime.min.replace(tzinfo=timezone.utc)


class StreamSync:
    """One stream, once."""

    def __init__(self, reader: StreamReader, lookback: timedelta, writer: Writer, log: Log) -> None:
        self.stream = reader.stream
        self._reader = reader
        self._ahead: Future[Spool] | None = None
        self._table = reader.stream.destination_table
        self._mapping = reader.mapping
        self._lookback = lookback
        self._writer = writer
        self._log = log
        self._info = reader.info

    def run(self) -> int:
        """Read the stream to its end; answers with the number of rows sent.

        Raises:
            NotFound: the server has no such endpoint.
            Failure: it could not be read whole.
        """
        sent = self._full_refresh() if self.stream.sync_mode == "full_refresh" else self._incremental()
        for type_mismatch in self._mapping.type_mismatches():
            self._log.warning(type_mismatch)
        self._info(f"{self._reader.progress.rows:,} rows read, {sent:,} synced")
        return sent

    def read_ahead(self, executor: Executor) -> None:
        """Begin to read a full refresh, in another thread. Nothing is written before :meth:`run`."""
        self._ahead = executor.submit(self._read_whole, None)

    def _incremental(self) -> int:
        before = self._state()
        try:
            return self._pass(before)
        except StateAhead:
            self._log.warning(
                f"{self.stream.name}: the saved state says that the last sync began after {before.since}, and the "
                "server's clock is not that far yet. It went wrong then or is wrong now, so nothing tells what has "
                "changed since: the whole list is read and sent again"
            )
        return self._pass(StreamState(open=before.open))

    def _pass(self, before: StreamState) -> int:
        incremental = self.stream.incremental
        if incremental is not None and before.since is not None and before.under_way is None:
            return self._changes_pass(before, before.since)
        sent = self._whole_pass(before)
        if before.under_way is None:
            return sent
        # What changed since the resumed pass began would wait for the next sync.
        after = self._state()
        if incremental is not None and after.since is not None:
            return sent + self._changes_pass(after, after.since)
        return sent + self._whole_pass(after)

    def _state(self) -> StreamState:
        return self._writer.state.streams.get(self.stream.name, StreamState())

    def _filter(self, before: StreamState) -> ChangeFilter:
        of_interest = (lambda record: True) if self.stream.remembers_all else is_open(self.stream.incremental)
        return ChangeFilter(before, self._lookback, of_interest, self._mapping.volatile)

    def _whole_pass(self, before: StreamState) -> int:
        """Read the whole list, from its beginning or from where an interrupted pass was."""
        since = f"rows changed since {before.since:%Y-%m-%d %H:%M:%S} UTC" if before.since else "all rows (first sync)"
        position = before.under_way.position if before.under_way else None
        resumed = f", going on at {position}" if position else ""
        self._info(f"reading {self._what}, {since}{resumed}")
        changes = self._filter(before)
        sent = 0
        for batch in self._reader.whole(changes.asked, position):
            sent += self._send(changes, batch.records, position=position)
            self._reader.progress.read(len(batch.records), batch.counted)
            position = batch.position or position
            self._writer.checkpoint_when_due(self.stream, changes.checkpoint_state(position))
        self._reader.check_found()
        self._complete(changes, before.reconcile)
        return sent

    def _changes_pass(self, before: StreamState, since: datetime) -> int:
        """Read what can have changed since the last complete pass, and a slice of the sweep."""
        self._info(f"asking {self._what} for changes since {since:%Y-%m-%d %H:%M:%S} UTC")
        changes = self._filter(before)
        seen: set[Hashable] = set()
        sent = deleted = 0
        self._reader.was_open = () if self.stream.remembers_all else before.open
        for found in self._reader.changed(since, changes.asked, seen):
            if isinstance(found, DeletedRow):
                self._writer.delete(self._table, {self.stream.primary_key[0]: found.key})
                changes.gone(found.key)
                deleted += 1
            else:
                sent += self._send(changes, found)
                self._reader.progress.read(len(found), 0)
            self._writer.checkpoint_when_due(self.stream, changes.checkpoint_state(None))
        self._reader.check_found()
        if self.stream.remembers_all:
            more, gone = self._look_for_gone(changes)
            sent, deleted = sent + more, deleted + gone
        if deleted:
            self._info(f"{deleted:,} gone, and soft-deleted")
        reconcile = before.reconcile
        declared = self.stream.reconcile
        if declared is not None and changes.start is not None:
            reconcile = reconcile or ReconcileState(changes.start, since)
            if self.stream.deleted == "keep":
                reconciled, reconcile = self._reconcile(changes, changes.start, seen, reconcile, declared.every)
                sent += reconciled
            elif changes.start - reconcile.began >= declared.every:
                self._info("sending the whole list again, to soft-delete what is gone")
                sent += self._full_refresh(changes)
                reconcile = ReconcileState(changes.start, reconcile.began)
        self._complete(changes, reconcile)
        return sent

    def _reconcile(
        self,
        changes: ChangeFilter,
        now: datetime,
        seen: set[Hashable],
        reconcile: ReconcileState,
        every: timedelta,
    ) -> tuple[int, ReconcileState]:
        """Look at a slice of the whole list for changes that no query sees; answers with the rows sent.

        The slice is as much of the list as has passed of the round's time: all that is left, when that is over.
        """
        elapsed = now - reconcile.began
        total = self._reader.count() if elapsed > timedelta(0) or not every else None
        if not total:
            return 0, reconcile
        due = total * (elapsed / every) if elapsed < every else math.inf
        if reconcile.rows >= due:
            return 0, reconcile
        rows, position, sent, ended = reconcile.rows, reconcile.position, 0, True
        since = reconcile.previous - self._lookback
        changed = self._reader.parent_may_have_changed(since, self._lookback)
        delivered = already_delivered(self.stream.incremental, self._lookback, self._reader.known)
        cursor_of = self._mapping.cursor
        for batch in self._reader.whole(changes.asked, position, ahead=False, of=changed):
            unseen = [
                (key, record)
                for key, record in batch.records
                if key not in seen and not delivered(record, cursor_of(record))
            ]
            sent += self._send(changes, unseen, since=since)
            self._reader.progress.read(len(batch.records), 0)
            rows, position = rows + batch.counted, batch.position
            self._writer.checkpoint_when_due(self.stream, changes.checkpoint_state(None))
            if rows >= due and position is not None:
                ended = False
                break
        if rows > reconcile.rows:
            self._info(
                f"swept {rows - reconcile.rows:,} of {total:,} rows for changes that no query sees: {sent:,} found"
            )
        if ended:
            return sent, ReconcileState(max(now, reconcile.began + every), reconcile.began)
        return sent, replace(reconcile, position=position, rows=rows)

    def _look_for_gone(self, changes: ChangeFilter) -> tuple[int, int]:
        """Where the server counts other rows than are known, look through the whole list for those that are gone.

        Answers with the rows sent, which nobody knew of, and the rows deleted.
        """
        known, counted = {(key,) for key in changes.open}, self._reader.count()
        if counted == len(known):
            return 0, 0
        counts = "does not count" if counted is None else f"counts {counted:,}"
        self._info(f"{len(known):,} rows are known and the server {counts}: looking through the whole list")
        there, sent = set[Hashable](), 0
        for batch in self._reader.whole(changes.asked):
            there.update(key for key, _ in batch.records)
            unknown = [(key, record) for key, record in batch.records if key not in known]
            sent += self._send(changes, unknown, since=_ALWAYS)
            self._reader.progress.read(len(batch.records), 0)
            self._writer.checkpoint_when_due(self.stream, changes.checkpoint_state(None))
        gone = known - there
        for (key,) in sorted(gone):
            self._writer.delete(self._table, {self.stream.primary_key[0]: key})
            changes.gone(key)
        return sent, len(gone)

    def _send(
        self,
        changes: ChangeFilter,
        records: Sequence[KeyedRecord],
        *,
        position: str | None = None,
        since: datetime | None = None,
    ) -> int:
        """Write the rows of the entries that are changes; answers with their number.

        Args:
            changes: Tells which are.
            entries: A page of records with their keys.
            position: Up to where everything before these entries was sent.
            since: Where a change may have been missed, the instant since when.
        """
        mapping, rows = self._mapping, []
        for key, record in records:
            changes.look(key, record)
            cursor = mapping.cursor(record)
            in_window = changes.in_window(cursor) if since is None or cursor is None else cursor >= since
            if in_window and changes.not_yet_delivered(row := mapping.row(record), cursor):
                rows.append(row)
        if rows and changes.has_unsaved_open:
            self._writer.complete(self.stream, changes.checkpoint_state(position))
        for row in rows:
            self._writer.upsert(self._table, row)
        return len(rows)

    def _complete(self, changes: ChangeFilter, reconcile: ReconcileState | None) -> None:
        if changes.start is None:
            self._log.warning(
                f"{self.stream.name}: the server's answers carry no Date header, so the next sync looks at "
                "the same changes again"
            )
        self._writer.complete(self.stream, changes.complete(reconcile))

    def _full_refresh(self, changes: ChangeFilter | None = None) -> int:
        """Send the whole list in the place of what the table holds.

        It is read to its end first: a read that fails half-way deletes nothing.
        """
        sent = 0
        with self._ahead.result() if self._ahead else self._read_whole(changes) as rows:
            if changes is not None:  # what was sent before must not be taken for older than the truncate
                self._writer.complete(self.stream, changes.checkpoint_state(None))
            self._writer.truncate(self._table)
            for row in rows:
                self._writer.upsert(self._table, row)
                sent += 1
        if changes is None:
            self._writer.complete(self.stream, None)
        return sent

    def _read_whole(self, changes: ChangeFilter | None) -> Spool:
        """The rows of the whole list, which was read to its proven end."""
        self._info(f"reading {self._what}, all rows")
        mapping, spool = self._mapping, Spool()
        for batch in self._reader.whole(changes.asked if changes else lambda at: None):
            rows = []
            for key, record in batch.records:
                rows.append(row := mapping.row(record))
                if changes is not None:
                    changes.look(key, record)
                    changes.not_yet_delivered(row, mapping.cursor(record))
            spool.extend(rows)
            self._reader.progress.read(len(rows), batch.counted)
        self._reader.check_found()
        return spool

    @property
    def _what(self) -> str:
        stream = self.stream
        if stream.endpoint is None and stream.parent is not None:
            return f"what {stream.parent.stream} hold"
        return str(stream.endpoint)
