"""Where the engine says what it does."""

from __future__ import annotations

from typing import Protocol


class Log(Protocol):
    """The part of the Fivetran SDK's ``Logging`` that the engine uses, so that it can be given as it is."""

    def info(self, message: str) -> None:
        """What is read, and how far it is."""

    def warning(self, message: str) -> None:
        """What was retried, skipped or did not fit."""
