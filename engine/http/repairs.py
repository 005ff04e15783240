"""Warnings about values that were replaced while decoding: one for the first of a kind, and a total at the end."""

from __future__ import annotations

import threading
from collections import Counter
from collections.abc import Mapping

from engine.log import Log
from engine.nouns import counted


class Repairs:
    """Counts repairs for all threads together."""

    def __init__(self, log: Log) -> None:
        self._log = log
        self._counts: Counter[tuple[str, str]] = Counter()
        self._lock = threading.Lock()

    def add(self, stream: str, request: object, repairs: Mapping[str, int]) -> None:
        """Count the repairs of a response; warn about the first of each kind in a stream."""
        for repair, count in repairs.items():
            with self._lock:
                first = not self._counts[stream, repair]
                self._counts[stream, repair] += count
            if first:
                self._log.warning(f"{stream}: {request}: {_phrase(count, repair)}; more are counted")

    def report(self) -> None:
        """Warn with the total of each kind in a stream, unless there was only one."""
        for (stream, repair), count in sorted(self._counts.items()):
            if count > 1:
                self._log.warning(f"{stream}: in total, {_phrase(count, repair)}")


def _phrase(count: int, repair: str) -> str:
    """``1 string contained ...``, from the plural ``strings contained ...``."""
    noun, _, rest = repair.partition(" ")
    return f"{counted(count, noun)} {rest}"
