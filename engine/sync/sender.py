"""Writing one stream's rows: those that are changes, each once, and none that the saved state must list and omits."""

from __future__ import annotations

from collections.abc import Callable, Hashable, Iterable, Sequence
from dataclasses import replace
from datetime import datetime
from functools import partial
from typing import Final

from engine.reading.batch import DeletedRow
from engine.reading.spool import Spool
from engine.reading.window import Window
from engine.requests import KeyedRecord, Record
from engine.rows.mapping import Row, RowMapping
from engine.spec.dialect import Stream
from engine.state import Key, StreamState
from engine.sync.writer import StreamWriter

_HELD: Final = 1000  # rows that are written together, once the state lists them


class Sender:
    """Writes the rows of one stream, and the state that covers them.

    A row that is open, or that can be deleted, is written only once the saved state lists its key. Otherwise a
    destination that keeps what was written after the last checkpoint of a failed sync could hold a row that is never
    looked up again. Rows are held until then, on disk, and many are listed at once, so that the checkpoints do not
    grow with the square of the rows.

    Attributes:
        sent: The number of rows that were written.
        deleted: The number of rows that were deleted.
        excluded: The number of changed records that `where` excludes, whose rows were deleted.
        read: The number of records of passes that were read.
        without_cursor: The number of records that had no cursor.
        first_without_cursor: The key of the first of them.
    """

    def __init__(self, stream: Stream, mapping: RowMapping, writer: StreamWriter) -> None:
        self.sent = self.deleted = self.excluded = self.read = self.without_cursor = 0
        self.first_without_cursor: Hashable = None
        self._stream = stream
        self._mapping = mapping
        self._writer = writer
        self._held: Spool[Row] = Spool()
        self._held_rows = 0
        self._state_after_held: Callable[[], StreamState] | None = None

    @property
    def held(self) -> int:
        """The number of rows that are held."""
        return self._held_rows

    def send(self, window: Window, records: Sequence[KeyedRecord], *, since: datetime | None = None) -> None:
        """Write the rows of those records that are changes, and delete those that a change has excluded from the table.

        A row that is open counts as changed if the state did not list it, whatever its cursor: it was not sent. So does
        any row that the destination is known to lack.

        Args:
            window: The window of the pass.
            records: The records of a batch.
            since: If changes can have been missed: the start of the window to use instead of the pass's own.
        """
        rows = []
        excluded: list[Key] = []
        for key, record in records:
            cursor = self._cursor_of(key, record)
            window.count(self._mapping.counter(record))
            included = window.includes(cursor) if since is None or cursor is None else cursor >= since
            if self._mapping.is_row(record):
                is_lacking = window.observe(key, record)
                if included or is_lacking or window.has_opened(key):
                    row = self._mapping.row(record)
                    if window.is_new(row, cursor) or is_lacking:
                        rows.append(row)
            elif window.may_have(key) or (included and window.excludes_anew(self._mapping.row(record), cursor)):
                assert isinstance(key, tuple)
                excluded.append(key)
        if rows:
            self._write_once_listed(window, rows)
        if excluded:
            self._exclude(window, excluded)

    def _cursor_of(self, key: Hashable, record: Record) -> datetime | None:
        """The cursor of a record that was read, which is counted."""
        self.read += 1
        cursor = self._mapping.cursor(record)
        if cursor is None and self._stream.has_instants:
            self.without_cursor += 1
            self.first_without_cursor = self.first_without_cursor or key
        return cursor

    def save(self, window: Window, state: Callable[[], StreamState]) -> None:
        """Note the state that covers everything that was sent. While rows are held, it waits for them."""
        if self._held_rows:
            self._state_after_held = state
        elif self._writer.progress(state):
            window.listed()

    def release(self, window: Window) -> None:
        """Write the rows that are held, after a checkpoint that lists them."""
        if not self._held_rows:
            return
        self._writer.save(self._listing(window))
        self._writer.checkpoint()
        self._write_held(window)
        if self._state_after_held is not None:
            self._writer.save(self._state_after_held())
            self._state_after_held = None

    def finish(self, window: Window, state: Callable[[], StreamState]) -> None:
        """Write the rows that are held at the end of a pass, and save the state after it.

        Those of partitions can wait for those of others, so that a single checkpoint lists them.
        """
        self._state_after_held = None

        def write() -> None:
            self._write_held(window)
            self._writer.save(state())

        if self._held_rows:
            self._writer.write_once_listed(self._held_rows, partial(self._listing, window), write)
        else:
            self._writer.save(state())

    def _listing(self, window: Window) -> StreamState:
        """The state so far, with the keys of the rows that are held."""
        before = self._writer.state
        return replace(before, open=before.open | window.open, keys=window.keys.state())

    def _write_held(self, window: Window) -> None:
        window.listed()
        self.write(self._held)
        window.written()
        self._held.clear()
        self._held_rows = 0

    def delete(self, window: Window, row: DeletedRow) -> None:
        """Soft-delete a row that is gone."""
        self.release(window)
        self.delete_key(row.key)
        window.deleted(row.key)

    def delete_key(self, key: Key) -> None:
        """Soft-delete the row with a primary key."""
        self._writer.delete(key)
        self.deleted += 1

    def truncate(self) -> None:
        """Soft-delete all rows."""
        self._writer.truncate()

    def write(self, rows: Iterable[Row]) -> None:
        """Write rows, whatever the state lists."""
        upsert = self._writer.upsert
        for row in rows:
            upsert(row)
            self.sent += 1

    def _exclude(self, window: Window, keys: Sequence[Key]) -> None:
        """Soft-delete rows that `where` excludes now, whether or not the table has them."""
        self.release(window)
        for key in keys:
            self._writer.delete(key)
            window.deleted(key)
        self.excluded += len(keys)
        window.written()

    def _write_once_listed(self, window: Window, rows: Sequence[Row]) -> None:
        if not window.unlisted_count and not self._held_rows:
            self.write(rows)
            window.written()
            return
        self._held.extend(rows)
        self._held_rows += len(rows)
        many = window.unlisted_count >= max(_HELD, window.listed_count)
        if many or self._writer.is_due(self._held_rows):
            self.release(window)
