"""The sync's log."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from threading import Lock
from typing import Protocol


class Log(Protocol):
    """The part of the Fivetran SDK's ``Logging`` that the engine uses; the SDK's class can be passed as it is."""

    def info(self, message: str) -> None:
        """Log progress."""

    def warning(self, message: str) -> None:
        """Log what was retried, skipped or replaced."""


@dataclass(frozen=True)
class RedactingLog:
    """Passes lines on to a log, without secrets and one at a time.

    Lines that several threads write to a stream at once can be torn, even in the middle of a character.
    """

    log: Log
    redact: Callable[[str], str] = field(repr=False)
    _lock: Lock = field(default_factory=Lock, repr=False, compare=False)

    def info(self, message: str) -> None:
        """Log progress."""
        line = self.redact(message)
        with self._lock:
            self.log.info(line)

    def warning(self, message: str) -> None:
        """Log what was retried, skipped or replaced."""
        line = self.redact(message)
        with self._lock:
            self.log.warning(line)
