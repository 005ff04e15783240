"""The rate that a server accepts, learned from the requests that it throttles."""

from __future__ import annotations

from typing import Final

_LONGER: Final = 1.25  # the interval after a pause, as a multiple of the one before it
_SHORTER: Final = 0.03  # the part by which an accepted request shortens the interval, if a pause costs one request
_SHORTER_AT_MOST: Final = 0.5
_STILL_KNOWN: Final = 20  # pauses after which the last limit says nothing any more
_NEGLIGIBLE: Final = 0.001  # seconds
_PAUSE_AT_LEAST: Final = 0.001  # seconds


class AdaptiveInterval:
    """The seconds between requests: longer after each pause, and shorter with each request that is accepted.

    After a pause, the interval is the one at which the requests since the pause before would have needed none. From
    there it shrinks, so slowly that pauses take a small part of the time: the more requests a pause costs, the slower.
    The further it is below the last limit, the faster, because then the limit must have been a passing one.

    Args:
        least: The declared interval, in seconds. It is never shorter.
        now: The time, in monotonic seconds.
    """

    def __init__(self, least: float, now: float) -> None:
        self.seconds = least
        self._least = least
        self._limit: float | None = None  # the interval after the last pause; None if there was none shortly before it
        self._pause = 0.0  # how long the last pause was
        self._resumed_at = now
        self._accepted = 0  # requests since then

    def count_accepted(self) -> None:
        """Note that a request was accepted."""
        self._accepted += 1

    def resume(self, now: float, pause: float) -> None:
        """Set the interval when the first request after a pause of so many seconds was accepted."""
        elapsed = now - self._resumed_at
        is_known = self.seconds > self._least or elapsed < _STILL_KNOWN * self._pause
        # A pause was long enough for one request, so the interval need not be longer.
        sustained = min(elapsed / max(self._accepted, 1), pause)
        self.seconds = max(self.seconds * _LONGER, sustained, self._least)
        self._limit = self.seconds if is_known else None
        self._pause, self._resumed_at, self._accepted = max(pause, _PAUSE_AT_LEAST), now, 0

    def shorten(self) -> None:
        """Shorten the interval after a request was accepted."""
        if self.seconds <= self._least:
            return
        part = _SHORTER_AT_MOST
        if self._limit is not None:
            requests_in_a_pause = max(self._pause / self.seconds, 1)
            part = min(_SHORTER / requests_in_a_pause * (self._limit / self.seconds) ** 2, _SHORTER_AT_MOST)
        self.seconds *= 1 - part
        if self.seconds < max(self._least, _NEGLIGIBLE):
            self.seconds = self._least
