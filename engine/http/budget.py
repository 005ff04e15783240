"""What one sync may spend: requests, retries and time, counted for all threads together."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from typing import Final

from engine.failures import Failure, LimitReached
from engine.http.errors import RequestError
from engine.spec.dialect import Limits

_RETRY_EARNED: Final = 0.1  # by each successful request


class BudgetExhausted(RequestError):
    """A limit of ``api.limits`` is reached; ``part`` is its keypath."""


class Budget:
    """The requests, retries and seconds that a sync has left."""

    def __init__(self, limits: Limits, clock: Callable[[], float] = time.monotonic) -> None:
        self._limits = limits
        self._clock = clock
        self._began = clock()
        self._requests = 0
        self._retries = float(limits.retries)
        self._lock = threading.Lock()

    @property
    def requests_left(self) -> int | None:
        """How many requests the sync may still send; None if there is no limit."""
        return None if self._limits.requests is None else self._limits.requests - self._requests

    def spend_request(self) -> None:
        """Count a request that is about to be sent.

        Raises:
            BudgetExhausted: it would be one too many, or too late.
        """
        self.check_time(0.0)
        most = self._limits.requests
        with self._lock:
            if most is not None and self._requests >= most:
                raise BudgetExhausted(
                    f"the sync has sent {most:,} requests, its limit", "api.limits.requests", failure=LimitReached
                )
            self._requests += 1

    def spend_retry(self, failure: type[Failure] = Failure) -> None:
        """Count a retry.

        Args:
            failure: What the request fails with if it is not retried.

        Raises:
            BudgetExhausted: there were too many.
        """
        with self._lock:
            if self._retries < 1:
                most = self._limits.retries
                raise BudgetExhausted(
                    f"the sync has used up its {most:,} retries: the server fails too often",
                    "api.limits.retries",
                    failure=failure,
                )
            self._retries -= 1

    def earn_retry(self) -> None:
        """Count a successful request. Ten of them earn one retry, up to the limit."""
        with self._lock:
            self._retries = min(self._retries + _RETRY_EARNED, float(self._limits.retries))

    def check_time(self, seconds: float) -> None:
        """Check that the sync has so many seconds left.

        Raises:
            BudgetExhausted: it has not.
        """
        most = self._limits.duration
        if most is not None and self._clock() - self._began + seconds > most.total_seconds():
            raise BudgetExhausted(
                f"the sync would take longer than {most}, its limit", "api.limits.duration", failure=LimitReached
            )
