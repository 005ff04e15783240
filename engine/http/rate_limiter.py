"""How fast requests may follow each other, counted for all threads together."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable

from engine.spec.dialect import RateLimit


class RateLimiter:
    """Spreads requests evenly over time, and pauses all threads when the server asks for it."""

    def __init__(self, rate: RateLimit | None, clock: Callable[[], float] = time.monotonic) -> None:
        self._interval = rate.per.total_seconds() / rate.requests if rate else 0.0
        self._clock = clock
        self._next = clock()
        self._lock = threading.Lock()

    def try_acquire(self) -> float:
        """Take a turn and return 0.0; or, if it is too early, return the seconds to wait before trying again."""
        with self._lock:
            now = self._clock()
            if now < self._next:
                return self._next - now
            self._next = now + self._interval
            return 0.0

    def pause(self, seconds: float) -> None:
        """Let no thread send a request for so many seconds."""
        with self._lock:
            self._next = max(self._next, self._clock() + seconds)
