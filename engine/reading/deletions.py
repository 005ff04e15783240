"""Rows that are gone from a list of which all keys are remembered."""

from __future__ import annotations

from collections.abc import Hashable, Iterator

from engine.nouns import counted
from engine.reading.backfill import read_all
from engine.reading.batch import Batch, DeletedRow
from engine.reading.source import Source


def find_deleted(source: Source, known: frozenset[str]) -> Iterator[Batch | DeletedRow]:
    """If the server's count differs from the number of known rows, read the whole list.

    Yields the rows that were unknown and then, once a second reading does not have them either, the rows that are gone.
    """
    total = source.count()
    if total == len(known):
        return
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
