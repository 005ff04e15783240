"""What a sync may spend, and how fast: counted for all threads together."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from typing import Final

from engine.spec.dialect import Limits, RateLimit

_WON_BACK: Final = 0.1  # of a retry, by a request that succeeds


class BudgetExhausted(Exception):
    """A limit is reached. ``reason`` says which; ``key`` is its name in the document."""

    def __init__(self, reason: str, key: str) -> None:
        super().__init__(reason)
        self.reason = reason
        self.key = key


class Budget:
    """The requests, retries and seconds of one sync."""

    def __init__(self, limits: Limits, clock: Callable[[], float] = time.monotonic) -> None:
        self._limits = limits
        self._clock = clock
        self._began = clock()
        self._requests = 0
        self._retries = float(limits.retries)
        self._lock = threading.Lock()

    def request(self) -> None:
        """A request is to be sent.

        Raises:
            BudgetExhausted: it is one too many, or too late.
        """
        self.wait(0.0)
        most = self._limits.requests
        with self._lock:
            if most is not None and self._requests >= most:
                raise BudgetExhausted(f"the sync has sent {most:,} requests, as many as it may", "requests")
            self._requests += 1

    def wait(self, seconds: float) -> None:
        """So many seconds are to be waited.

        Raises:
            BudgetExhausted: the sync would last too long.
        """
        most = self._limits.duration
        if most is not None and self._clock() - self._began + seconds > most.total_seconds():
            raise BudgetExhausted(f"the sync would last longer than {most}, as long as it may", "duration")

    def retry(self) -> None:
        """A request is to be tried again.

        Raises:
            BudgetExhausted: too many were.
        """
        with self._lock:
            if self._retries < 1:
                raise BudgetExhausted(
                    f"the sync has spent its {self._limits.retries:,} retries: the server fails too often", "retries"
                )
            self._retries -= 1

    def succeeded(self) -> None:
        """A request succeeded."""
        with self._lock:
            self._retries = min(self._retries + _WON_BACK, float(self._limits.retries))


class RateLimiter:
    """When the next request may be sent. A server that asks for a pause is left alone by every thread."""

    def __init__(self, rate: RateLimit | None, clock: Callable[[], float] = time.monotonic) -> None:
        self._interval = rate.per.total_seconds() / rate.requests if rate else 0.0
        self._clock = clock
        self._next = clock()
        self._lock = threading.Lock()

    def turn(self) -> float:
        """Take a turn, and answer 0; or answer how many seconds to wait before asking for one again."""
        with self._lock:
            now = self._clock()
            if now < self._next:
                return self._next - now
            self._next = now + self._interval
            return 0.0

    def pause(self, seconds: float) -> None:
        """Nobody sends anything for so many seconds."""
        with self._lock:
            self._next = max(self._next, self._clock() + seconds)
