"""The sync's log."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from threading import Lock
from typing import Final, Protocol

_HEAD: Final = 3000  # characters of a long line
_TAIL: Final = 500  # which holds the remedy


class Log(Protocol):
    """The part of the Fivetran SDK's ``Logging`` that the engine uses; the SDK's class can be passed as it is."""

    def info(self, message: str) -> None:
        """Log progress."""

    def warning(self, message: str) -> None:
        """Log what was retried, skipped or replaced."""


def escaped(text: str) -> str:
    """The text with line breaks and control characters as escapes, so that no server can write lines of its own."""
    if text.isprintable():
        return text
    return "".join(c if c.isprintable() else c.encode("unicode_escape").decode() for c in text)


def one_line(text: str) -> str:
    """The text as one line of a log or of an error: without control characters, and without the middle if it is long.

    Secrets are removed before: half of one could be left.
    """
    line = escaped(text)
    if len(line) <= _HEAD + _TAIL:
        return line
    return f"{line[:_HEAD]} ... ({len(line) - _HEAD - _TAIL:,} more characters) ... {line[-_TAIL:]}"


@dataclass(frozen=True)
class RedactingLog:
    """Passes messages on to a log, without secrets, each as one line and one at a time.

    Lines that several threads write to a stream at once can be torn, even in the middle of a character.
    """

    log: Log
    redact: Callable[[str], str] = field(repr=False)
    _lock: Lock = field(default_factory=Lock, repr=False, compare=False)

    def info(self, message: str) -> None:
        """Log progress."""
        line = one_line(self.redact(message))
        with self._lock:
            self.log.info(line)

    def warning(self, message: str) -> None:
        """Log what was retried, skipped or replaced."""
        line = one_line(self.redact(message))
        with self._lock:
            self.log.warning(line)
