"""Full refresh: the whole list, read to its end and proven, then compared with what the destination has.

Only rows that changed are sent, and rows that are gone are deleted. For a list of more rows than the state remembers, a
digest of all rows decides between nothing and everything.

A list whose order is not stable proves nothing: while it is read, a row can move to a page that was read already. Such
a list is read until two readings agree, or three if rows would be deleted. No row is deleted that only one reading did
not have.
"""

from __future__ import annotations

from collections.abc import Hashable, Iterator
from types import TracebackType
from typing import Final

from engine.failures import OrderMoved
from engine.reading.backfill import read_all
from engine.reading.source import Source
from engine.reading.spool import Spool
from engine.requests import Record
from engine.rows.mapping import Row
from engine.state import KNOWN_MAX, Digest, Key, KnownRows, fingerprint

_MAX_READINGS: Final = 6
_PROVABLE_MAX: Final = 100_000  # rows whose versions are kept in memory while a list is read


class WholeList:
    """All rows of a list, as a context manager: on disk, with their versions in memory.

    Args:
        source: The stream.
        known: What the last full refresh left.

    Raises:
        OrderMoved: after many readings, each of which found further rows.
        Failure: the list could not be read completely.
    """

    def __init__(self, source: Source, known: KnownRows | None) -> None:
        self._source = source
        self._known = known
        self._rows: Spool[tuple[Key, bytes, Row]] = Spool()
        self._digest = Digest()
        self._versions: dict[Key, bytes] | None = {}
        self._read()

    def __enter__(self) -> WholeList:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._rows.__exit__(kind, error, trace)

    @property
    def is_unchanged(self) -> bool:
        """Whether the destination has exactly these rows."""
        return self._known is not None and self._known.digest == self._digest.hex()

    def deleted(self) -> list[Key] | None:
        """The keys of rows that are gone; None if the state does not know which rows there were."""
        known = self._known.versions if self._known is not None else None
        return None if known is None else [key for key in known if not self._has(key)]

    def changed(self) -> Iterator[Row]:
        """The rows that the destination does not have in this version; all rows if the state does not know."""
        known = (self._known.versions if self._known is not None else None) or {}
        for key, version, row in self._rows:
            if known.get(key) != version and (self._versions is None or self._versions[key] == version):
                yield row

    def state(self) -> KnownRows:
        """What the destination has once these rows are there."""
        kept = self._versions
        if kept is None or len(kept) > KNOWN_MAX or not all(_can_be_kept(key) for key in kept):
            kept = None
        return KnownRows(self._digest.hex(), kept)

    def _has(self, key: Key) -> bool:
        return self._versions is None or key in self._versions

    def _read(self) -> None:
        """Read the list, and again for as long as a reading may have missed rows."""
        is_long, agreeing = self._read_once(), 0
        for _ in range(_MAX_READINGS - 1):
            if not is_long or self._versions is None or agreeing >= self._readings_that_confirm():
                break
            before = len(self._versions)
            self._read_once()
            agreeing = agreeing + 1 if self._versions is not None and len(self._versions) == before else 0
        else:
            raise OrderMoved(
                f"{self._source.stream.name}: {_MAX_READINGS} readings of {self._source.stream.endpoint} each found "
                "rows that none before had found: name a stable sort in the request."
            )
        for key, version in (self._versions or {}).items():
            self._digest.add(key, version)

    def _readings_that_confirm(self) -> int:
        """How many further readings must find no further row: more if rows that were only missed would be deleted."""
        deleted = self.deleted()
        if self._source.is_stable:
            return 1 if deleted else 0
        return 1 if deleted == [] else 2

    def _read_once(self) -> bool:
        """Read the list once; returns whether it, or the list of any parent, has more than one page."""
        is_long = False
        for batch in read_all(self._source):
            is_long = is_long or (batch.continues and bool(batch.records or batch.counted))
            rows = [row for keyed in batch.records if (row := self._noted(*keyed)) is not None]
            self._rows.extend(rows)
            self._source.progress.read(len(rows), batch.counted)
        return is_long

    def _noted(self, key: Hashable, record: Record) -> tuple[Key, bytes, Row] | None:
        """The row of a record, unless an earlier reading had the same."""
        assert isinstance(key, tuple)
        row = self._source.mapping.row(record)
        version = fingerprint(row, self._source.mapping.volatile)
        if self._versions is None:
            self._digest.add(key, version)
        elif self._versions.get(key) == version:
            return None
        else:
            self._versions[key] = version
            if len(self._versions) > _PROVABLE_MAX:
                for known, its_version in self._versions.items():
                    self._digest.add(known, its_version)
                self._versions = None
        return key, version, row


def _can_be_kept(key: Key) -> bool:
    return all(isinstance(part, (str, int)) for part in key)
