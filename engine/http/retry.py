"""Retries: exponential backoff with jitter, Retry-After, and a budget that all threads share."""

from __future__ import annotations

import random
import threading
from collections.abc import Callable
from typing import TypeVar

from engine.http.budget import Budget
from engine.http.errors import RequestError
from engine.http.rate_limiter import RateLimiter
from engine.http.transport import TransportError
from engine.log import Log
from engine.spec.dialect import Retry

T = TypeVar("T")


class Retrying:
    """Makes attempts until one succeeds, within ``api.retry`` and ``api.limits``. Shared by all threads."""

    def __init__(self, retry: Retry, budget: Budget, rate_limiter: RateLimiter, log: Log) -> None:
        self._retry = retry
        self._budget = budget
        self._rate_limiter = rate_limiter
        self._log = log
        self._connected = False
        self._stopped = threading.Event()

    def run(self, name: str, attempt: Callable[[], T]) -> T:
        """Return the result of the first attempt that succeeds.

        Args:
            name: The request, for log lines.
            attempt: Sends it. A transient :class:`RequestError` is retried; whatever else it raises is not.

        Raises:
            RequestError: The error is not transient, the last attempt failed, the server requests too long a wait, a
                budget is exhausted, or :meth:`stop` was called.
        """
        number, may_be_idle = 1, self._connected
        while True:
            self._wait_for_turn()
            try:
                result = attempt()
            except RequestError as error:
                if may_be_idle and isinstance(error, TransportError) and error.dropped:
                    # Servers close idle connections at any time. That is no failure, and does not count as an attempt.
                    may_be_idle = False
                    self._log.info(f"{name}: the server had closed the idle connection; sending the request again")
                    continue
                if not error.transient:
                    raise
                self._prepare_retry(name, number, error)
                number += 1
            else:
                self._connected = True
                self._budget.earn_retry()
                return result

    def stop(self) -> None:
        """Make threads that wait give up at once, and send no further request."""
        self._stopped.set()

    def _wait_for_turn(self) -> None:
        while (seconds := self._rate_limiter.try_acquire()) > 0:
            self._sleep(seconds)
        self._check_stopped()
        self._budget.spend_request()

    def _prepare_retry(self, name: str, number: int, error: RequestError) -> None:
        """Wait after a failed attempt, or raise if there must be no other."""
        attempts = self._retry.attempts
        if number == attempts:
            reason = f"{error.reason}; gave up after {attempts} attempts"
            raise RequestError(reason, error.part, failure=error.failure) from error
        seconds = self._wait(number, error)
        self._budget.spend_retry(error.failure)
        if error.throttled:
            self._rate_limiter.pause(seconds)  # the server would reject the other threads' requests too
        self._log.warning(f"{name}: {error.reason}; attempt {number} of {attempts}, retrying in {seconds:.1f} s")
        if not error.throttled:
            self._sleep(seconds)

    def _wait(self, number: int, error: RequestError) -> float:
        """The seconds to wait after a failed attempt: what the server requests, or exponential backoff with jitter."""
        longest = self._retry.retry_after_max.total_seconds()
        if error.retry_after is not None and error.retry_after > longest:
            raise RequestError(
                f"{error.reason}; the server requests a wait of {error.retry_after:.0f} s, more than "
                f"retry_after_max ({longest:.0f} s)",
                "api.retry.retry_after_max",
            ) from error
        if error.retry_after:
            return error.retry_after
        backoff = self._retry.wait_initial.total_seconds() * 2.0 ** (number - 1)
        # Up to a half less, so that threads which failed together do not come back together.
        return min(backoff, self._retry.wait_max.total_seconds()) * random.uniform(0.5, 1.0)

    def _sleep(self, seconds: float) -> None:
        self._budget.check_time(seconds)
        self._stopped.wait(seconds)
        self._check_stopped()

    def _check_stopped(self) -> None:
        if self._stopped.is_set():
            raise RequestError("canceled because the sync is ending", part=None)
