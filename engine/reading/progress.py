"""The progress of a stream in the log."""

from __future__ import annotations

import time
from typing import Final

from engine.log import Log
from engine.nouns import counted
from engine.spec.dialect import Stream

PROGRESS_SECONDS: Final = 10.0


class Progress:
    """Counts the rows read, and logs every few seconds how many of how many that is."""

    def __init__(self, stream: Stream, log: Log) -> None:
        self._stream = stream
        self._log = log
        self.total: int | None = None
        self.of_total = 0
        self._began = self._reported_at = time.monotonic()
        self.rows = 0

    def expect(self, total: int) -> None:
        """Note how many records there are, by the server's count."""
        self.total = total
        self._log.info(f"{self._stream.name}: {counted(total, 'rows')} to read")

    def read(self, rows: int, of_total: int) -> None:
        """Note that new rows were read. ``of_total``: how many of the records in :meth:`expect` that was."""
        self.rows += rows
        self.of_total += of_total
        now = time.monotonic()
        if now - self._reported_at >= PROGRESS_SECONDS:
            self._reported_at = now
            self._log.info(f"{self._stream.name}: {self._describe(now)}")

    def _describe(self, now: float) -> str:
        if not self.total:
            return f"{counted(self.rows, 'rows')} read"
        share = min(1.0, self.of_total / self.total)
        left = (now - self._began) * (1 - share) / share if share else 0.0
        return f"{self.rows:,} of {counted(self.total, 'rows')} read ({share:.0%}, about {left:.0f} s left)"
