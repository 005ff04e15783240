"""Where the engine says what it does."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from threading import Lock
from typing import Protocol


class Log(Protocol):
    """The part of the Fivetran SDK's ``Logging`` that the engine uses, so that it can be given as it is."""

    def info(self, message: str) -> None:
        """What is read, and how far it is."""

    def warning(self, message: str) -> None:
        """What was retried, skipped or did not fit."""


@dataclass(frozen=True)
class RedactingLog:
    """A log that passes lines on without the secrets in them, one at a time whichever thread they come from.

    Texts that are written to a stream by several threads at once can be torn, in the middle of a character too.
    """

    log: Log
    redact: Callable[[str], str] = field(repr=False)
    _lock: Lock = field(default_factory=Lock, repr=False, compare=False)

    def info(self, message: str) -> None:
        """Pass it on."""
        line = self.redact(message)
        with self._lock:
            self.log.info(line)

    def warning(self, message: str) -> None:
        """Pass it on."""
        line = self.redact(message)
        with self._lock:
            self.log.warning(line)
