"""Retries: exponential backoff with jitter, Retry-After, and a budget that all threads share.

A request that the server throttles (429, or 503 with Retry-After) has not failed: it is sent again until it is
accepted, at the rate that the server accepts. What bounds it is time, not the number of attempts.
"""

from __future__ import annotations

import random
import threading
from collections.abc import Callable
from typing import Final, TypeVar

from engine.failures import Failure
from engine.http.budget import Budget
from engine.http.errors import RequestError
from engine.http.rate_limiter import RateLimiter, Turn
from engine.http.throttle_log import ThrottleLog
from engine.http.transport import TransportError
from engine.log import Log
from engine.spec.dialect import Retry

T = TypeVar("T")
_DOUBLINGS: Final = 64  # of a wait, at most: more would overflow


class Retrying:
    """Makes attempts until one succeeds, within ``api.retry`` and ``api.limits``. Shared by all threads."""

    def __init__(self, retry: Retry, budget: Budget, rate_limiter: RateLimiter, log: Log) -> None:
        self._retry = retry
        self._budget = budget
        self._rate_limiter = rate_limiter
        self._log = log
        self._throttle_log = ThrottleLog(log)
        self._connected = False
        self._stopped = threading.Event()

    def run(self, name: str, attempt: Callable[[], T]) -> T:
        """Return the result of the first attempt that succeeds.

        Args:
            name: The request, for log lines.
            attempt: Sends it. A transient :class:`RequestError` is retried; whatever else it raises is not.

        Raises:
            RequestError: The error is not transient, the last attempt failed, the server throttles for too long, a
                budget is exhausted, or :meth:`stop` was called.
        """
        number, may_be_idle, held, shape = 1, self._connected, 0.0, ""
        while True:
            turn = self._wait_for_turn()
            try:
                result = self._in_turn(turn, attempt)
            except RequestError as error:
                if error.throttled:
                    held = self._pause(name, turn, error, held)
                    continue
                if may_be_idle and isinstance(error, TransportError) and error.dropped:
                    # Servers close idle connections at any time. That is no failure, and does not count as an attempt.
                    may_be_idle = False
                    self._log.info(f"{name}: the server had closed the idle connection; sending the request again")
                    continue
                if not error.transient:
                    raise
                if error.shape and error.shape == shape:
                    raise _final(error, "twice in a row") from error
                shape = error.shape
                self._prepare_retry(name, number, error)
                number += 1
            else:
                self._connected = True
                self._budget.earn_retry()
                return result

    def stop(self) -> None:
        """Make threads that wait give up at once, and send no further request."""
        self._stopped.set()

    def _wait_for_turn(self) -> Turn:
        while (turn := self._rate_limiter.try_acquire()).wait > 0:
            self._sleep(turn.wait)
        try:
            self._check_stopped()
            self._budget.spend_request()
        except RequestError:
            self._rate_limiter.failed(turn)
            raise
        return turn

    def _in_turn(self, turn: Turn, attempt: Callable[[], T]) -> T:
        """Make an attempt, and let the rate limiter know whether the server accepted the request."""
        try:
            result = attempt()
        except Failure:
            self._rate_limiter.accepted(turn)  # a definite response, even if it is not the wanted one
            raise
        except RequestError as error:
            if not error.throttled:
                self._rate_limiter.failed(turn)
            raise
        self._rate_limiter.accepted(turn)
        return result

    def _pause(self, name: str, turn: Turn, error: RequestError, held: float) -> float:
        """Let all threads pause after a throttled request, because the server would throttle theirs too.

        Args:
            name: The request.
            turn: Its turn.
            error: What the server returned.
            held: The seconds for which such pauses have held it up so far.

        Returns:
            The same, with this pause.

        Raises:
            RequestError: That is more than ``throttled_max``.
        """
        interval = self._rate_limiter.interval
        pause = self._rate_limiter.throttled(turn, lambda in_a_row: error.retry_after or self._backoff(in_a_row))
        held += pause
        # If nothing at all was accepted for so long, requests that are throttled for the first time fail too.
        total, longest = max(held, self._rate_limiter.throttled_for + pause), self._retry.throttled_max.total_seconds()
        if total > longest:
            wait = (
                f"requests a wait of {error.retry_after:.0f} s" if error.retry_after else "requests no particular wait"
            )
            raise RequestError(
                f"{error.reason}; rate limits would hold up the request for {total:.0f} s, more than throttled_max "
                f"({longest:.0f} s); the server {wait}",
                "api.retry.throttled_max",
            ) from error
        self._throttle_log.throttled(name, error.reason, pause, interval)
        return held

    def _prepare_retry(self, name: str, number: int, error: RequestError) -> None:
        """Wait after a failed attempt, or raise if there must be no other."""
        attempts = self._retry.attempts
        if number == attempts:
            raise _final(error, f"gave up after {attempts} attempts") from error
        seconds = error.retry_after or self._backoff(number)
        self._budget.spend_retry(error.failure)
        self._log.warning(f"{name}: {error.reason}; attempt {number} of {attempts}, retrying in {seconds:.1f} s")
        self._sleep(seconds)

    def _backoff(self, number: int) -> float:
        """The seconds to wait after so many failures in a row: exponential, with jitter."""
        backoff = self._retry.wait_initial.total_seconds() * 2.0 ** min(number - 1, _DOUBLINGS)
        # Up to a half less, so that threads which failed together do not come back together.
        return min(backoff, self._retry.wait_max.total_seconds()) * random.uniform(0.5, 1.0)

    def _sleep(self, seconds: float) -> None:
        self._budget.check_time(seconds)
        self._stopped.wait(seconds)
        self._check_stopped()

    def _check_stopped(self) -> None:
        if self._stopped.is_set():
            raise RequestError("canceled because the sync is ending", part=None)


def _final(error: RequestError, why: str) -> RequestError:
    """The error of the last attempt."""
    said = f". The response: {error.excerpt}" if error.excerpt else ""
    return RequestError(f"{error.reason}; {why}{said}", error.part, failure=error.failure)
