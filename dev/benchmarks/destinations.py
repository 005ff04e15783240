"""Destinations that store nothing, so that only the engine is measured."""

from __future__ import annotations

import queue
import threading
from dataclasses import dataclass, field
from types import TracebackType
from typing import Any


@dataclass
class Counting:
    """Counts rows, and keeps the last state."""

    rows: int = 0
    deleted: int = 0
    state: dict[str, Any] = field(default_factory=dict)

    def upsert(self, table: str, data: dict[str, Any]) -> None:
        """Count a row."""
        self.rows += 1

    def delete(self, table: str, keys: dict[str, Any]) -> None:
        """Count a deletion."""
        self.deleted += 1

    def truncate(self, table: str) -> None:
        """Nothing is stored."""

    def checkpoint(self, state: dict[str, Any]) -> None:
        """Keep the state."""
        self.state = state


class Queued(Counting):
    """Takes rows as production does: through a queue of so many, which another thread empties."""

    def __init__(self, size: int = 100) -> None:
        super().__init__()
        self._queue: queue.Queue[dict[str, Any] | None] = queue.Queue(size)
        self._thread = threading.Thread(target=self._empty, daemon=True)

    def __enter__(self) -> Queued:
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._queue.put(None)
        self._thread.join()

    def _empty(self) -> None:
        while self._queue.get() is not None:
            self.rows += 1
            self._queue.task_done()

    def upsert(self, table: str, data: dict[str, Any]) -> None:
        """Wait for room, and hand a row over."""
        self._queue.put(data)

    def checkpoint(self, state: dict[str, Any]) -> None:
        """Wait until all rows are taken, and keep the state."""
        self._queue.join()
        self.state = state


class Silence:
    """A log that keeps nothing."""

    def info(self, message: str) -> None:
        """Say nothing."""

    def warning(self, message: str) -> None:
        """What should not happen in a benchmark.

        Raises:
            RuntimeError: always; a sync with warnings is not the one that is to be measured.
        """
        raise RuntimeError(message)
