"""Writing to the destination: rows in order, checkpoints in between."""

from __future__ import annotations

import time
from typing import Final

from engine.destination import Destination
from engine.rows.mapping import Row
from engine.spec.dialect import Stream
from engine.state import State, StreamState

CHECKPOINT_ROWS: Final = 10_000
CHECKPOINT_SECONDS: Final = 60.0


class Writer:
    """The only place that writes. The state of a checkpoint never covers a row that was not written before it.

    Args:
        destination: Receives rows and checkpoints.
        state: The state of the last sync.
        checkpoint_rows: A checkpoint is due after this many rows.
        checkpoint_seconds: A checkpoint is due after this many seconds, if there are any rows.
    """

    def __init__(self, destination: Destination, state: State, checkpoint_rows: int, checkpoint_seconds: float) -> None:
        self.state = state
        self._destination = destination
        self._checkpoint_rows = checkpoint_rows
        self._checkpoint_seconds = checkpoint_seconds
        self._rows = 0
        self._last = time.monotonic()

    def upsert(self, table: str, row: Row) -> None:
        """Insert or replace a row."""
        self._destination.upsert(table, row)
        self._rows += 1

    def delete(self, table: str, keys: Row) -> None:
        """Soft-delete a row."""
        self._destination.delete(table, keys)
        self._rows += 1

    def truncate(self, table: str) -> None:
        """Soft-delete all rows of a table. A later upsert revives its row."""
        self._destination.truncate(table)

    def checkpoint_when_due(self, stream: Stream, state: StreamState) -> None:
        """Checkpoint after enough rows or seconds. ``state`` covers only rows of the stream that were written."""
        self.state = self.state.with_stream(stream.name, state)
        seconds = time.monotonic() - self._last
        if self._rows >= self._checkpoint_rows or (self._rows and seconds >= self._checkpoint_seconds):
            self.checkpoint()

    def complete(self, stream: Stream, state: StreamState | None) -> None:
        """Checkpoint with this state of a stream. None: the stream keeps no state."""
        if state is not None:
            self.state = self.state.with_stream(stream.name, state)
        self.checkpoint()

    def checkpoint(self) -> None:
        """Make everything written so far durable."""
        self._destination.checkpoint(self.state.dump())
        self._rows = 0
        self._last = time.monotonic()
