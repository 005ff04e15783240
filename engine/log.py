"""Where the engine says what it does."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Protocol


class Log(Protocol):
    """The part of the Fivetran SDK's ``Logging`` that the engine uses, so that it can be given as it is."""

    def info(self, message: str) -> None:
        """What is read, and how far it is."""

    def warning(self, message: str) -> None:
        """What was retried, skipped or did not fit."""


@dataclass(frozen=True)
class Discreet:
    """A log that passes lines on without the secrets in them."""

    log: Log
    redact: Callable[[str], str] = field(repr=False)

    def info(self, message: str) -> None:
        """Pass it on."""
        self.log.info(self.redact(message))

    def warning(self, message: str) -> None:
        """Pass it on."""
        self.log.warning(self.redact(message))
