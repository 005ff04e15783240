"""The destination of a sync."""

from __future__ import annotations

from typing import Any, Protocol


class Destination(Protocol):
    """The part of the Fivetran SDK's ``Operations`` that a sync uses, so the SDK's own can be passed in.

    Rows hold datetime objects in UTC_DATETIME columns, and objects rather than JSON strings in JSON columns.
    """

    def upsert(self, table: str, data: dict[str, Any]) -> None:
        """Insert a row, or replace the row with its primary key."""

    def delete(self, table: str, keys: dict[str, Any]) -> None:
        """Soft-delete the row with this primary key, if it exists."""

    def truncate(self, table: str) -> None:
        """Soft-delete every row of the table. A later upsert revives its row."""

    def checkpoint(self, state: dict[str, Any]) -> None:
        """Make everything written so far durable, and save the state for the next sync."""
