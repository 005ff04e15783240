"""How fast requests may follow each other, counted for all threads together."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

from engine.http.adaptive_interval import AdaptiveInterval
from engine.spec.dialect import RateLimit

_PROBE: Final = 10.0  # seconds after which a probe without a response no longer holds up the other requests
_POLL: Final = 0.02  # seconds between two looks at whether the probe has its response


@dataclass(frozen=True)
class Turn:
    """The right to send one request if ``wait`` is 0; otherwise the seconds to wait before trying again.

    ``pauses``: how many pauses there were before it. A request that was sent before the last one says nothing about
    the rate since then.
    """

    wait: float
    pauses: int


class RateLimiter:
    """Spreads requests evenly over time, at the declared rate or at a lower one that the server accepts.

    When the server throttles a request, all threads pause. Then one request goes first, as a probe, and the others
    follow only when it is accepted, at the rate that :class:`AdaptiveInterval` has learned.

    Args:
        rate: The declared rate.
        clock: Monotonic seconds.
    """

    def __init__(self, rate: RateLimit | None, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._lock = threading.Lock()
        self._next = clock()
        self._interval = AdaptiveInterval(rate.per.total_seconds() / rate.requests if rate else 0.0, self._next)
        self._pauses = 0
        self._in_a_row = 0  # pauses since a request was accepted
        self._throttled_at: float | None = None  # when the first of them began
        self._is_probing = False

    @property
    def interval(self) -> float:
        """The seconds between two requests; 0 if they may follow each other at once."""
        return self._interval.seconds

    @property
    def throttled_for(self) -> float:
        """The seconds for which the server has throttled every request; 0 if it accepted the last one."""
        with self._lock:
            return 0.0 if self._throttled_at is None else self._clock() - self._throttled_at

    def try_acquire(self) -> Turn:
        """Take a turn, or return how long to wait."""
        with self._lock:
            now = self._clock()
            if now < self._next:
                return Turn(_POLL if self._is_probing else self._next - now, self._pauses)
            self._is_probing = self._throttled_at is not None
            self._next = now + (_PROBE if self._is_probing else self._interval.seconds)
            return Turn(0.0, self._pauses)

    def accepted(self, turn: Turn) -> None:
        """Note that the server accepted a request, whatever it responded."""
        with self._lock:
            now = self._clock()
            self._interval.count_accepted()
            if turn.pauses < self._pauses:
                return
            if self._throttled_at is None:
                self._interval.shorten()
                return
            self._interval.resume(now, now - self._throttled_at)
            self._throttled_at, self._in_a_row, self._is_probing = None, 0, False
            self._next = now + self._interval.seconds

    def failed(self, turn: Turn) -> None:
        """Note that a request failed without any word on the rate. If it was the probe, another one may go."""
        with self._lock:
            if self._is_probing and turn.pauses == self._pauses:
                self._is_probing, self._next = False, self._clock()

    def throttled(self, turn: Turn, wait: Callable[[int], float]) -> float:
        """Let all threads pause, because the server throttled a request.

        Args:
            turn: The request's turn.
            wait: The seconds to pause if so many pauses in a row were too short.

        Returns:
            The seconds from now until the next request.
        """
        with self._lock:
            now = self._clock()
            if turn.pauses == self._pauses:  # not one of several that were sent together
                self._pauses += 1
                self._in_a_row += 1
                self._is_probing, self._next = False, now
                if self._throttled_at is None:
                    self._throttled_at = now
            self._next = max(self._next, now + wait(max(self._in_a_row, 1)))
            return self._next - now
