"""Writing to the destination: rows in order, checkpoints in between."""

from __future__ import annotations

import time
from collections.abc import Callable
from functools import partial
from typing import Final

from engine.destination import Destination
from engine.rows.mapping import Row
from engine.spec.dialect import Stream
from engine.state import Key, State, StreamState

CHECKPOINT_ROWS: Final = 10_000
CHECKPOINT_SECONDS: Final = 60.0


class Writer:
    """The only place that writes. The state of a checkpoint never covers a row that was not written before it.

    Args:
        destination: Receives rows and checkpoints.
        state: The state of the last sync.
        checkpoint_rows: A checkpoint is due after this many rows.
        checkpoint_seconds: A checkpoint is due after this many seconds, if there is anything new.
    """

    def __init__(self, destination: Destination, state: State, checkpoint_rows: int, checkpoint_seconds: float) -> None:
        self._state = state
        self._progress: tuple[StreamWriter, Callable[[], StreamState]] | None = None
        self._destination = destination
        self._checkpoint_rows = checkpoint_rows
        self._checkpoint_seconds = checkpoint_seconds
        self._saved = state
        self._rows = 0
        self._last = time.monotonic()

    def of(self, stream: Stream) -> StreamWriter:
        """What writes the rows and the state of one stream."""
        return StreamWriter(self, stream)

    def upsert(self, table: str, row: Row) -> None:
        """Insert or replace a row."""
        self._destination.upsert(table, row)
        self._rows += 1

    def delete(self, table: str, keys: Row) -> None:
        """Soft-delete a row."""
        self._destination.delete(table, keys)
        self._rows += 1

    def truncate(self, table: str) -> None:
        """Soft-delete all rows of a table. A later upsert revives its row.

        A truncate deletes by the time of the sync, so checkpoints separate it from the rows before and after it.
        """
        if self._rows:
            self._checkpoint()
        self._destination.truncate(table)
        self._rows += 1

    @property
    def state(self) -> State:
        """The state that covers everything written so far."""
        self._settle()
        return self._state

    def _settle(self) -> None:
        """Make the state of the pass in progress."""
        if self._progress is not None:
            stream, state = self._progress
            self._progress = None
            self._state = self._state.with_stream(stream.name, state())

    def save(self, stream: StreamWriter, state: StreamState) -> None:
        """Note the state of a stream, which covers only rows that were written. A checkpoint follows when it is due."""
        self._state = self.state.with_stream(stream.name, state)
        if self.is_due():
            self.checkpoint()

    def progress(self, stream: StreamWriter, state: Callable[[], StreamState]) -> bool:
        """Like :meth:`save`, for every batch of a pass: the state is made when it is needed.

        Returns whether a checkpoint followed.
        """
        if self._progress is not None and self._progress[0] is not stream:
            self._settle()
        self._progress = stream, state
        if not self.is_due():
            return False
        self.checkpoint()
        return True

    def is_due(self, waiting: int = 0) -> bool:
        """Whether a checkpoint is due, once so many waiting rows are written too."""
        late = time.monotonic() - self._last >= self._checkpoint_seconds
        return late or self._rows + waiting >= self._checkpoint_rows

    def checkpoint(self) -> None:
        """Make everything written so far durable, with the state that covers it, if there is anything new."""
        if self._rows or self.state != self._saved:
            self._checkpoint()

    def checkpoint_rows(self) -> None:
        """Make rows durable, if any were written. A state that moved without any row waits for the next checkpoint."""
        if self._rows:
            self._checkpoint()

    def _checkpoint(self) -> None:
        self._destination.checkpoint(self.state.dump())
        self._saved = self.state
        self._rows = 0
        self._last = time.monotonic()


class StreamWriter:
    """Writes the rows of one stream, and keeps its state.

    Args:
        writer: Writes those of all streams.
        stream: The stream.
    """

    upsert: Callable[[Row], None]
    """Insert or replace a row."""

    def __init__(self, writer: Writer, stream: Stream) -> None:
        self.name = stream.name
        self._writer = writer
        self._table = stream.destination_table
        self._primary_key = stream.primary_key
        self.upsert = partial(writer.upsert, self._table)

    def delete(self, key: Key) -> None:
        """Soft-delete the row with a primary key."""
        self._writer.delete(self._table, dict(zip(self._primary_key, key, strict=True)))

    def truncate(self) -> None:
        """Soft-delete all rows."""
        self._writer.truncate(self._table)

    @property
    def was_synced(self) -> bool:
        """Whether the state has the stream, so that a sync has read it before."""
        return self.name in self._writer.state.streams

    @property
    def state(self) -> StreamState:
        """The state that covers everything written so far."""
        return self._writer.state.streams.get(self.name, StreamState())

    def save(self, state: StreamState) -> None:
        """Note the state, which covers only rows that were written. A checkpoint follows when it is due."""
        self._writer.save(self, state)

    def progress(self, state: Callable[[], StreamState]) -> bool:
        """Like :meth:`save`, for every batch of a pass: the state is made when it is needed.

        Returns whether a checkpoint followed.
        """
        return self._writer.progress(self, state)

    def is_due(self, waiting: int = 0) -> bool:
        """Whether a checkpoint is due, once so many waiting rows are written too."""
        return self._writer.is_due(waiting)

    def checkpoint(self) -> None:
        """Make everything written so far durable, with the state that covers it, if there is anything new."""
        self._writer.checkpoint()

    def checkpoint_rows(self) -> None:
        """Make rows durable, if any were written. A state that moved without any row waits for the next checkpoint."""
        self._writer.checkpoint_rows()
