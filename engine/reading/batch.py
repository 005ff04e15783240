"""What every algorithm yields: batches of records, and rows that are gone."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from engine.requests import KeyedRecord


@dataclass(frozen=True)
class Batch:
    """Records of one response.

    ``asked_at``: when the response was requested, by the server's clock; None if the server sends no dates.
    ``position``: where another reading could resume after these records; None if it would have to start over.
    ``counted``: how many of the records in the stream's count were read for this batch. A child stream has its parent's
    count. ``continues``: whether the response is not the first page of its list. ``of_new``: whether the records belong
    to a row of the parent that is new, so that they are new whatever their cursor.
    """

    records: Sequence[KeyedRecord] = ()
    asked_at: datetime | None = None
    position: str | None = None
    counted: int = 0
    continues: bool = False
    of_new: bool = False


@dataclass(frozen=True)
class DeletedRow:
    """The primary key of a row that is in the destination and no longer on the server."""

    key: tuple[Any, ...]


Found = Batch | DeletedRow
"""What a reading of changes yields."""
