"""Servers that throttle requests, and clients of several threads, in a time of their own that passes at once."""

from __future__ import annotations

import heapq
import random
from collections.abc import Callable
from dataclasses import dataclass, field
from itertools import count

from engine.http.rate_limiter import RateLimiter
from engine.spec.dialect import RateLimit

Throttle = Callable[[float], float | None]
"""What a server does with a request at an instant: None if it accepts it; otherwise the wait that it requests, or 0."""

ROUND_TRIP = 0.05


class Spaced:
    """Accepts a request only some time after the one before, each time a little more or less: no burst at all."""

    def __init__(self, seconds: float, *, jitter: float = 0.0, retry_after: float = 0.0) -> None:
        self._bounds = seconds * (1 - jitter), seconds * (1 + jitter)
        self._retry_after = retry_after
        self._random = random.Random(1)
        self._free_at = 0.0

    def __call__(self, now: float) -> float | None:
        """Handle one request."""
        if now < self._free_at:
            return self._retry_after
        self._free_at = now + self._random.uniform(*self._bounds)
        return None


class TokenBucket:
    """Accepts so many requests a second, and as many as the bucket holds at once."""

    def __init__(self, rate: float, burst: float, *, retry_after: float = 0.0) -> None:
        self.rate = rate
        self._burst = burst
        self._retry_after = retry_after
        self._tokens = burst
        self._filled_at = 0.0

    def __call__(self, now: float) -> float | None:
        """Handle one request."""
        self._tokens = min(self._burst, self._tokens + (now - self._filled_at) * self.rate)
        self._filled_at = now
        if self._tokens < 1:
            return self._retry_after
        self._tokens -= 1
        return None


class Window:
    """Accepts so many requests in each window, and says when the next one begins if ``retry_after``."""

    def __init__(self, requests: int, seconds: float, *, retry_after: bool) -> None:
        self._requests = requests
        self._seconds = seconds
        self._retry_after = retry_after
        self._window = -1
        self._accepted = 0

    def __call__(self, now: float) -> float | None:
        """Handle one request."""
        window = int(now / self._seconds)
        if window != self._window:
            self._window, self._accepted = window, 0
        if self._accepted == self._requests:
            return (window + 1) * self._seconds - now if self._retry_after else 0.0
        self._accepted += 1
        return None


@dataclass
class Result:
    """When requests were accepted, when they were throttled, and the longest sum of pauses of one request."""

    accepted: list[float] = field(default_factory=list)
    throttled: list[float] = field(default_factory=list)
    longest_held: float = 0.0

    @property
    def seconds(self) -> float:
        """When the last request was accepted."""
        return self.accepted[-1]


class Threads:
    """Threads that send requests through one rate limiter, each as soon as it may.

    Args:
        server: Receives the requests.
        threads: Their number.
        rate: The declared rate.
    """

    def __init__(self, server: Throttle, threads: int, rate: RateLimit | None = None) -> None:
        self.now = 0.0
        self.limiter = RateLimiter(rate, lambda: self.now)
        self._server = server
        self._random = random.Random(2)
        self._order = count()
        self._waiting: list[tuple[float, int, Callable[[], None]]] = []
        self._held = [0.0] * threads
        self._result = Result()
        self._left = 0

    def send(self, requests: int) -> Result:
        """Send requests until so many were accepted, or for a simulated week."""
        self._result, self._left = Result(), requests
        self._waiting.clear()
        for thread in range(len(self._held)):
            self._next_request(thread)
        while self._waiting and self.now < 7 * 86400:
            self.now, _, step = heapq.heappop(self._waiting)
            step()
        return self._result

    def _after(self, seconds: float, step: Callable[[], None]) -> None:
        # No thread wakes up at the very instant.
        late = self._random.uniform(0, 0.0001)
        heapq.heappush(self._waiting, (self.now + seconds + late, next(self._order), step))

    def _next_request(self, thread: int) -> None:
        if self._left:
            self._left -= 1
            self._held[thread] = 0.0
            self._after(0, lambda: self._try(thread))

    def _try(self, thread: int) -> None:
        turn = self.limiter.try_acquire()
        if turn.wait:
            self._after(turn.wait, lambda: self._try(thread))
            return

        def arrive() -> None:
            wait = self._server(self.now)
            self._after(ROUND_TRIP / 2, lambda: respond(wait))

        def respond(wait: float | None) -> None:
            if wait is None:
                self.limiter.accepted(turn)
                self._result.accepted.append(self.now)
                self._next_request(thread)
                return
            self._result.throttled.append(self.now)
            self._held[thread] += self.limiter.throttled(turn, lambda in_a_row: wait or self._backoff(in_a_row))
            self._result.longest_held = max(self._result.longest_held, self._held[thread])
            self._try(thread)

        self._after(ROUND_TRIP / 2, arrive)

    def _backoff(self, in_a_row: int) -> float:
        """As ``api.retry`` has it by default."""
        return min(2.0 ** min(in_a_row - 1, 64), 60.0) * self._random.uniform(0.5, 1.0)
