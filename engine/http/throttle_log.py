"""Warnings about a rate limit: one when it begins, then one every ten seconds at most."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from typing import Final

from engine.log import Log
from engine.nouns import counted

_QUIET: Final = 10.0  # seconds


class ThrottleLog:
    """Warns for all threads together that the server throttles requests, and at what rate they were sent."""

    def __init__(self, log: Log, clock: Callable[[], float] = time.monotonic) -> None:
        self._log = log
        self._clock = clock
        self._lock = threading.Lock()
        self._warned_at: float | None = None
        self._unmentioned = 0

    def throttled(self, name: str, reason: str, pause: float, interval: float) -> None:
        """Warn about a request that was throttled, or count it for the next warning.

        Args:
            name: The request.
            reason: What the server returned.
            pause: The seconds for which all requests pause.
            interval: The seconds between requests before.
        """
        with self._lock:
            now = self._clock()
            if self._warned_at is not None and now - self._warned_at < _QUIET:
                self._unmentioned += 1
                return
            others, self._unmentioned, self._warned_at = self._unmentioned, 0, now
        rate = f" at {_rate(interval)}" if interval else ""
        also = f"; {counted(others, 'more requests')} throttled since the last warning" if others else ""
        self._log.warning(f"{name}: {reason}{rate}; all requests pause for {pause:.1f} s{also}")


def _rate(interval: float) -> str:
    """``about 5 requests a second``; a minute or an hour if that makes it at least one."""
    unit, seconds = ("a second", 1) if interval <= 1 else ("a minute", 60) if interval <= 60 else ("an hour", 3600)
    return f"about {counted(max(round(seconds / interval), 1), 'requests')} {unit}"
