"""What a sync writes to."""

from __future__ import annotations

from typing import Any, Protocol


class Destination(Protocol):
    """The part of the Fivetran SDK's ``Operations`` that a sync uses, so that it can be given as it is.

    Rows hold datetime objects for UTC_DATETIME and objects (not JSON text) for JSON columns.
    """

    def upsert(self, table: str, data: dict[str, Any]) -> None:
        """Insert a row, or replace the one with its primary key."""

    def delete(self, table: str, keys: dict[str, Any]) -> None:
        """Soft-delete the row with these values of the primary key, if there is one."""

    def truncate(self, table: str) -> None:
        """Soft-delete the rows that are in the table now; an upsert that follows revives its row."""

    def checkpoint(self, state: dict[str, Any]) -> None:
        """Make everything so far durable, and remember the state for the next sync."""
