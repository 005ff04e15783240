"""RedactingLog: whole lines from several threads, without secrets."""

from __future__ import annotations

import threading
import time
from concurrent.futures import ThreadPoolExecutor

from engine.log import RedactingLog


class Slow:
    """A slow log that notices if two threads write at once."""

    def __init__(self) -> None:
        self.lines: list[str] = []
        self.torn = False
        self._writing = threading.Event()

    def info(self, message: str) -> None:
        """Keep a line."""
        self.torn |= self._writing.is_set()
        self._writing.set()
        time.sleep(0.002)
        self.lines.append(message)
        self._writing.clear()

    warning = info


def test_lines_of_several_threads_are_not_torn() -> None:
    """Each line is written whole, and without secrets."""
    log = Slow()
    redacting = RedactingLog(log, lambda text: text.replace("secret", "***"))
    with ThreadPoolExecutor(4) as pool:
        list(pool.map(lambda n: (redacting.info if n % 2 else redacting.warning)(f"secret {n}"), range(40)))
    assert not log.torn
    assert sorted(log.lines) == sorted(f"*** {n}" for n in range(40))
