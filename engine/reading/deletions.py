"""Rows that are gone from a list of which all keys are remembered.

The server's count shows that there are any. A count can be wrong, so what matters is how wrong it is: as long as it
exceeds the number of known rows by as much as it did when the list was last read, no row is gone.
"""

from __future__ import annotations

from collections.abc import Hashable, Iterator
from datetime import datetime, timedelta
from typing import Final

from engine.nouns import counted
from engine.reading.backfill import read_all
from engine.reading.batch import Batch, DeletedRow
from engine.reading.source import Source
from engine.state import Surplus

_LASTS: Final = timedelta(days=1)  # how long a wrong count is relied on: it may not count at all


def may_have_deleted(total: int | None, known: int, surplus: Surplus | None, now: datetime | None) -> bool:
    """Whether rows can be gone.

    Args:
        total: The server's count; None if it has none.
        known: The number of rows that the destination has.
        surplus: How wrong the count was when the list was last read; None if it was right.
        now: The start of this sync.
    """
    if total is None:
        return True
    if surplus is None:
        return total != known
    is_recent = now is not None and timedelta(0) <= now - surplus.found < _LASTS
    return total - known != surplus.rows or not is_recent


def find_deleted(source: Source, known: frozenset[str], total: int | None) -> Iterator[Batch | DeletedRow]:
    """Read the whole list, because the server's count suggests that rows are gone.

    Yields the rows that were unknown and then, once a second reading does not have them either, the rows that are gone.
    """
    counts = "has no count" if total is None else f"counts {total:,}"
    source.info(
        f"{counted(len(known), 'rows')} known, but the server {counts}: reading the whole list to find deleted rows"
    )
    existing = set[Hashable]()
    yield from _unknown(source, known, existing)
    if any((key,) not in existing for key in known):
        yield from _unknown(source, known, existing)
    yield from (DeletedRow((key,)) for key in sorted(known) if (key,) not in existing)
    if total is not None and total > len(existing):
        source.warning(
            f"the server counts {counted(total, 'rows')}, but its list has {len(existing):,}; the list is believed"
        )


def _unknown(source: Source, known: frozenset[str], existing: set[Hashable]) -> Iterator[Batch]:
    """The records of the list that are not known. ``existing`` receives the keys of all."""
    for batch in read_all(source):
        unknown = [keyed for keyed in batch.records if keyed[0] not in existing and keyed[0][0] not in known]  # type: ignore[index]
        existing.update(key for key, _ in batch.records)
        yield Batch(unknown, batch.asked_at)
