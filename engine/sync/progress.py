"""Tells how far a stream is."""

from __future__ import annotations

import time
from typing import Final

from engine.log import Log
from engine.spec.dialect import Stream

PROGRESS_SECONDS: Final = 10.0


class Progress:
    """Counts the rows read, and says every few seconds how far that is of what there is."""

    def __init__(self, stream: Stream, log: Log) -> None:
        self._stream = stream
        self._log = log
        self._total: int | None = None
        self._counted = 0
        self._began = self._reported_at = time.monotonic()
        self.rows = 0

    def expect(self, total: int) -> None:
        """So many records are to come, by the server's count."""
        self._total = total
        self._log.info(f"{self._stream.name}: {total:,} rows to read")

    def read(self, rows: int, counted: int) -> None:
        """So many new rows came, after so many more of the records that :meth:`expect` counts."""
        self.rows += rows
        self._counted += counted
        now = time.monotonic()
        if now - self._reported_at >= PROGRESS_SECONDS:
            self._reported_at = now
            self._log.info(f"{self._stream.name}: {self.rows:,} {self._share(now)}rows read")

    def _share(self, now: float) -> str:
        if not self._total:
            return ""
        share = min(1.0, self._counted / self._total)
        left = (now - self._began) * (1 - share) / share if share else 0.0
        return f"of {self._total:,} ({share:.0%}, about {left:.0f} s to go) "
