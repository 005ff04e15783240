"""Destinations that store nothing, so that only the engine is measured."""

from __future__ import annotations

import json
import queue
import threading
from typing import Any


class Counting:
    """Counts rows, and keeps the last state."""

    def __init__(self) -> None:
        self.rows = 0
        self.state: dict[str, Any] = {}

    def upsert(self, table: str, data: dict[str, Any]) -> None:
        """Count a row."""
        self.rows += 1

    def delete(self, table: str, keys: dict[str, Any]) -> None:
        """Nothing is stored."""

    def truncate(self, table: str) -> None:
        """Nothing is stored."""

    def checkpoint(self, state: dict[str, Any]) -> None:
        """Keep the state."""
        self.state = state


class Queued(Counting):
    """Takes rows as production does: through a bounded queue that another thread empties."""

    def __init__(self, size: int = 100) -> None:
        super().__init__()
        self._queue: queue.Queue[dict[str, Any]] = queue.Queue(size)
        threading.Thread(target=self._take_rows, daemon=True).start()

    def _take_rows(self) -> None:
        while True:
            self._queue.get()
            self.rows += 1
            self._queue.task_done()

    def upsert(self, table: str, data: dict[str, Any]) -> None:
        """Wait for space in the queue, and put a row."""
        self._queue.put(data)

    def checkpoint(self, state: dict[str, Any]) -> None:
        """Wait until all rows are taken, and keep the state."""
        self._queue.join()
        self.state = state


class Detailed(Counting):
    """Counts every operation, and the bytes of each state."""

    def __init__(self) -> None:
        super().__init__()
        self.deletes = self.truncates = 0
        self.states: list[int] = []

    def delete(self, table: str, keys: dict[str, Any]) -> None:
        """Count a deleted row."""
        self.deletes += 1

    def truncate(self, table: str) -> None:
        """Count a truncate."""
        self.truncates += 1

    def checkpoint(self, state: dict[str, Any]) -> None:
        """Keep the state, and its size as JSON."""
        super().checkpoint(state)
        self.states.append(len(json.dumps(state)))


class StrictLog:
    """A log that drops messages and accepts no warning."""

    def info(self, message: str) -> None:
        """Drop a message."""

    def warning(self, message: str) -> None:
        """Fail.

        Raises:
            RuntimeError: always; a sync with warnings is not the sync to measure.
        """
        raise RuntimeError(message)
