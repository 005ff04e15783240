"""One stream's part of a sync: the first pass over the whole list, later passes over changes, reconciliation, and full
refreshes.
"""

from __future__ import annotations

import math
from collections.abc import Hashable, Sequence
from concurrent.futures import Executor, Future
from dataclasses import replace
from datetime import datetime, timedelta, timezone
from typing import Final

from engine.log import Log
from engine.nouns import counted
from engine.reading import ChangeFilter, StateAhead
from engine.reading.changes import DeletedRow, already_delivered, is_open
from engine.requests import KeyedRecord
from engine.state import ReconcileState, StreamState
from engine.sync.reader import StreamReader
from engine.sync.spool import Spool
from engine.sync.writer import Writer

_EARLIEST: Final = datetime.min.replace(tzinfo=timezone.utc)


class StreamSync:
    """Syncs one stream, once."""

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
        """Read the stream to its end; returns the number of rows sent.

        Raises:
            NotFound: the server has no such endpoint.
            Failure: the stream could not be read completely.
        """
        sent = self._full_refresh() if self.stream.sync_mode == "full_refresh" else self._incremental()
        for warning in self._mapping.mismatch_warnings():
            self._log.warning(warning)
        self._info(f"{counted(self._reader.progress.rows, 'rows')} read, {sent:,} synced")
        return sent

    def read_ahead(self, executor: Executor) -> None:
        """Start to read a full refresh in another thread. Nothing is written before :meth:`run`."""
        self._ahead = executor.submit(self._read_whole_list, None)

    def _incremental(self) -> int:
        before = self._state()
        try:
            return self._pass(before)
        except StateAhead:
            self._log.warning(
                f"{self.stream.name}: the saved state is ahead of the server's clock (last sync started after "
                f"{before.since:%Y-%m-%d %H:%M:%S} UTC); one of the two is wrong, so changes cannot be determined and "
                "the whole list is re-sent"
            )
        return self._pass(StreamState(open=before.open))

    def _pass(self, before: StreamState) -> int:
        incremental = self.stream.incremental
        if incremental is not None and before.since is not None and before.current_pass is None:
            return self._changes_pass(before, before.since)
        sent = self._full_pass(before)
        if before.current_pass is None:
            return sent
        # Otherwise, what changed since the resumed pass began would wait for the next sync.
        after = self._state()
        if incremental is not None and after.since is not None:
            return sent + self._changes_pass(after, after.since)
        return sent + self._full_pass(after)

    def _state(self) -> StreamState:
        return self._writer.state.streams.get(self.stream.name, StreamState())

    def _filter(self, before: StreamState) -> ChangeFilter:
        is_kept = (lambda record: True) if self.stream.remembers_all else is_open(self.stream.incremental)
        return ChangeFilter(before, self._lookback, is_kept, self._mapping.volatile)

    def _full_pass(self, before: StreamState) -> int:
        """Read the whole list, from its start or from where an interrupted pass stopped."""
        since = f"rows changed since {before.since:%Y-%m-%d %H:%M:%S} UTC" if before.since else "all rows (first sync)"
        position = before.current_pass.position if before.current_pass else None
        resumed = f", resuming at {position}" if position else ""
        self._info(f"reading {self._what}, {since}{resumed}")
        changes = self._filter(before)
        sent = 0
        for batch in self._reader.read_all(position, on_page=changes.page_requested):
            sent += self._send(changes, batch.records, position=position)
            self._reader.progress.read(len(batch.records), batch.counted)
            position = batch.position or position
            self._writer.checkpoint_when_due(self.stream, changes.checkpoint_state(position))
        self._reader.check_endpoint_exists()
        self._complete(changes, before.reconcile)
        return sent

    def _changes_pass(self, before: StreamState, since: datetime) -> int:
        """Read what can have changed since the last complete pass, and a slice of the list for reconciliation."""
        self._info(f"requesting changes since {since:%Y-%m-%d %H:%M:%S} UTC from {self._what}")
        changes = self._filter(before)
        seen: set[Hashable] = set()
        sent = deleted = 0
        self._reader.previously_open = () if self.stream.remembers_all else before.open
        for found in self._reader.read_changes(since, changes.page_requested, seen):
            if isinstance(found, DeletedRow):
                self._delete(changes, found.key)
                deleted += 1
            else:
                sent += self._send(changes, found)
                self._reader.progress.read(len(found), 0)
            self._writer.checkpoint_when_due(self.stream, changes.checkpoint_state(None))
        self._reader.check_endpoint_exists()
        if self.stream.remembers_all:
            restored, gone = self._find_deleted(changes)
            sent, deleted = sent + restored, deleted + gone
        if deleted:
            self._info(f"{counted(deleted, 'rows')} gone from the server: soft-deleted")
        reconcile = before.reconcile
        declared = self.stream.reconcile
        if declared is not None and changes.start is not None:
            reconcile = reconcile or ReconcileState(changes.start, since)
            if self.stream.deleted == "keep":
                reconciled, reconcile = self._reconcile(changes, changes.start, seen, reconcile, declared.every)
                sent += reconciled
            elif changes.start - reconcile.began >= declared.every:
                self._info("re-sending the whole list to soft-delete rows that are gone")
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
        """Re-read a slice of the whole list for changes that no query found; returns the rows sent and the new state.

        After the slice, the share of the list that was read is the share of the round's time that has elapsed. Once the
        time is over, the slice is the rest of the list.
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
        changed = self._reader.parent_changed(since, self._lookback)
        delivered = already_delivered(self.stream.incremental, self._lookback, self._reader.accepted)
        cursor_of = self._mapping.cursor
        for batch in self._reader.read_all(position, on_page=changes.page_requested, ahead=False, of=changed):
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
                f"reconciled {rows - reconcile.rows:,} of {counted(total, 'rows')}: {counted(sent, 'changes')} that no "
                "query had found"
            )
        if ended:
            return sent, ReconcileState(max(now, reconcile.began + every), reconcile.began)
        return sent, replace(reconcile, position=position, rows=rows)

    def _find_deleted(self, changes: ChangeFilter) -> tuple[int, int]:
        """If the server's count differs from the number of known rows, read the whole list to find deleted rows.

        Returns the number of rows sent, which were unknown, and the number of rows deleted.
        """
        known, total = {(key,) for key in changes.open}, self._reader.count()
        if total == len(known):
            return 0, 0
        counts = "has no count" if total is None else f"counts {total:,}"
        self._info(
            f"{counted(len(known), 'rows')} known, but the server {counts}: reading the whole list to find deleted rows"
        )
        existing, sent = set[Hashable](), 0
        for batch in self._reader.read_all(on_page=changes.page_requested):
            existing.update(key for key, _ in batch.records)
            unknown = [(key, record) for key, record in batch.records if key not in known]
            sent += self._send(changes, unknown, since=_EARLIEST)
            self._reader.progress.read(len(batch.records), 0)
            self._writer.checkpoint_when_due(self.stream, changes.checkpoint_state(None))
        gone = known - existing
        for (key,) in sorted(gone):
            self._delete(changes, key)
        return sent, len(gone)

    def _delete(self, changes: ChangeFilter, key: str) -> None:
        self._writer.delete(self._table, {self.stream.primary_key[0]: key})
        changes.forget(key)

    def _send(
        self,
        changes: ChangeFilter,
        records: Sequence[KeyedRecord],
        *,
        position: str | None = None,
        since: datetime | None = None,
    ) -> int:
        """Write the rows of those records that are changes; returns their number.

        Args:
            changes: Decides which records are changes.
            records: The records of a page.
            position: The position before these records, up to which everything was sent.
            since: If changes can have been missed: the start of the window to use instead of the pass's own.
        """
        mapping, rows = self._mapping, []
        for key, record in records:
            changes.observe(key, record)
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
                f"{self.stream.name}: the server's responses have no Date header, so the next sync reads the same "
                "changes again"
            )
        self._writer.complete(self.stream, changes.final_state(reconcile))

    def _full_refresh(self, changes: ChangeFilter | None = None) -> int:
        """Replace the rows of the table by the whole list.

        The list is read to its end first, so a read that fails halfway deletes nothing.
        """
        sent = 0
        with self._ahead.result() if self._ahead else self._read_whole_list(changes) as rows:
            if changes is not None:
                # A truncate deletes by sync time: this checkpoint separates it from the rows that were sent before it.
                self._writer.complete(self.stream, changes.checkpoint_state(None))
            self._writer.truncate(self._table)
            for row in rows:
                self._writer.upsert(self._table, row)
                sent += 1
        if changes is None:
            self._writer.complete(self.stream, None)
        return sent

    def _read_whole_list(self, changes: ChangeFilter | None) -> Spool:
        """The rows of the whole list, read to its confirmed end."""
        self._info(f"reading {self._what}, all rows")
        mapping, spool = self._mapping, Spool()
        batches = self._reader.read_all(on_page=changes.page_requested) if changes else self._reader.read_all()
        for batch in batches:
            rows = []
            for key, record in batch.records:
                rows.append(row := mapping.row(record))
                if changes is not None:
                    changes.observe(key, record)
                    changes.not_yet_delivered(row, mapping.cursor(record))
            spool.extend(rows)
            self._reader.progress.read(len(rows), batch.counted)
        self._reader.check_endpoint_exists()
        return spool

    @property
    def _what(self) -> str:
        stream = self.stream
        if stream.endpoint is None and stream.parent is not None:
            return f"the records of {stream.parent.stream}"
        return str(stream.endpoint)
