"""The server's clock, as the Date headers of its responses show it."""

from __future__ import annotations

import threading
from collections import deque
from datetime import datetime, timedelta, timezone
from statistics import median_low
from typing import Final

from engine.http.response import RawResponse

_SAMPLES: Final = 9
_EPOCH: Final = datetime(1970, 1, 1, tzinfo=timezone.utc)


class ServerClock:
    """What time it is on the server, from the last nine dated responses. Several threads may use it at once.

    Each response shows how far the server's clock is ahead of the local one; the median of what they show is used. So
    one wrong date among right ones, such as that of a cached page, changes nothing, and when the server's clock is set,
    the time follows as soon as most responses show it. Of two dates in the middle the earlier is used: a time that is
    too early costs rows that are sent twice, one that is too late loses changes.
    """

    def __init__(self) -> None:
        self._ahead: deque[float] = deque(maxlen=_SAMPLES)  # seconds between the local monotonic clock and the server's
        self._lock = threading.Lock()

    def observe(self, response: RawResponse) -> None:
        """Take in the date of a response, if it has one."""
        date = response.date
        if date is not None:
            with self._lock:
                # The date was written on the way, so this is at most too low: never later than the server's clock.
                self._ahead.append((date - _EPOCH).total_seconds() - response.received_at)

    def time_at(self, instant: float) -> datetime | None:
        """The server's time at an instant of the local monotonic clock; None if no response had a date."""
        with self._lock:
            ahead = median_low(self._ahead) if self._ahead else None
        try:
            return _EPOCH + timedelta(seconds=ahead + instant) if ahead is not None else None
        except OverflowError:  # a date in the year 1 or 9999
            return None
