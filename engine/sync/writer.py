"""Hands rows to the destination, and makes them durable now and then."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Final

from engine.destination import Destination
from engine.rows.mapping import Row
from engine.spec.dialect import Stream
from engine.state import State, StreamState

CHECKPOINT_ROWS: Final = 10_000
CHECKPOINT_SECONDS: Final = 60.0


class Writer:
    """The only place that writes: rows in order, and checkpoints whose state covers no row that was not written.

    Args:
        destination: Takes rows and checkpoints.
        state: The state that was loaded.
        clock: Seconds, monotonic.
    """

    def __init__(self, destination: Destination, state: State, clock: Callable[[], float] = time.monotonic) -> None:
        self.state = state
        self._destination = destination
        self._clock = clock
        self._rows = 0
        self._last = clock()

    def upsert(self, table: str, row: Row) -> None:
        """Insert or replace a row."""
        self._destination.upsert(table, row)
        self._rows += 1

    def delete(self, table: str, keys: Row) -> None:
        """Soft-delete a row."""
        self._destination.delete(table, keys)
        self._rows += 1

    def truncate(self, table: str) -> None:
        """Soft-delete all rows; what is upserted after it is there again."""
        self._destination.truncate(table)

    def checkpoint_when_due(self, stream: Stream, state: StreamState) -> None:
        """Checkpoint after enough rows or seconds, with the state of a stream whose rows so far were all written."""
        self.state = self.state.with_stream(stream.name, state)
        waited = self._clock() - self._last
        if self._rows >= CHECKPOINT_ROWS or (self._rows and waited >= CHECKPOINT_SECONDS):
            self.checkpoint()

    def complete(self, stream: Stream, state: StreamState | None) -> None:
        """Checkpoint with this state of a stream (None: it has none)."""
        if state is not None:
            self.state = self.state.with_stream(stream.name, state)
        self.checkpoint()

    def checkpoint(self) -> None:
        """Make what was written durable."""
        self._destination.checkpoint(self.state.dump())
        self._rows = 0
        self._last = self._clock()
