"""Full refresh: the whole list, read to its end and proven, then compared with what the destination has.

Only rows that changed are sent, and rows that are gone are deleted. For a list of more rows than the state remembers, a
digest of all rows decides between nothing and everything.

A list whose order is not stable proves nothing: while it is read, a row can move to a page that was read already. Such
a list is read until two readings agree, or three if rows would be deleted. New rows can come for ever, so in the end it
is enough if the readings agree on the rows that are gone. Of more rows than fit the memory, each reading stands alone,
and readings agree if digests of their keys do. No row is deleted that only one reading of an unstable list did not
have.
"""

from __future__ import annotations

from collections.abc import Hashable, Iterator, Mapping
from types import TracebackType
from typing import Final

from engine.failures import OrderMoved
from engine.reading.backfill import read_all
from engine.reading.source import Source
from engine.reading.spool import Spool
from engine.requests import Record
from engine.rows.mapping import Row
from engine.state import KNOWN_MAX, KNOWN_TOTAL, UNKNOWN_VERSION, Digest, Key, KnownRows, fingerprint

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
        self._digest, self._keys = Digest(), Digest()
        self._versions: dict[Key, bytes] | None = {}  # of all readings; None if there are too many
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
        return self._known is not None and self._known.digest == self._fingerprint

    def deleted(self) -> list[Key] | None:
        """The keys of rows that are gone; None if the state does not know which rows there were.

        If children were skipped, no row counts as gone.
        """
        if self._has_gaps:
            return []
        known, found = self._known_versions, self._versions
        return None if known is None or found is None else [key for key in known if key not in found]

    def changed(self) -> Iterator[Row]:
        """The rows that the destination does not have in this version; all rows if the state does not know."""
        known, found = self._known_versions, self._versions
        for key, version, row in self._rows:
            if found is None or (found[key] == version and (known is None or known.get(key) != version)):
                yield row

    def state(self, elsewhere: int) -> KnownRows:
        """What the destination has once these rows are there. ``elsewhere``: the rows known of other partitions."""
        versions = self._versions
        if self._has_gaps:
            known = self._known_versions
            versions = {**known, **versions} if known is not None and versions is not None else None
        return KnownRows(
            self._fingerprint, versions if versions is not None and _can_be_kept(versions, elsewhere) else None
        )

    @property
    def _has_gaps(self) -> bool:
        """Whether the destination can have rows that were not read, because children were skipped."""
        return self._known is not None and self._source.has_gaps

    @property
    def _fingerprint(self) -> str:
        """The digest of the rows, which differs from that of a whole list if it has gaps."""
        return f"{self._digest.hex()}{' with gaps' if self._has_gaps else ''}"

    def state_meanwhile(self, elsewhere: int) -> KnownRows:
        """What the destination can be said to have while these rows are written: of those that change, only the keys.

        A sync that is killed may have written some of them, so the next one sends and deletes them whatever they are.
        """
        known, found = {} if self._known is None else self._known.versions, self._versions
        if known is None or found is None or not _can_be_kept(found, elsewhere):
            return KnownRows("")
        unchanged = {key: version for key, version in known.items() if found.get(key) == version}
        meanwhile = {**dict.fromkeys((*known, *found), UNKNOWN_VERSION), **unchanged}
        return KnownRows("", meanwhile)

    @property
    def _known_versions(self) -> Mapping[Key, bytes] | None:
        return self._known.versions if self._known is not None else None

    def _read(self) -> None:
        """Read the list, and again for as long as a reading may have missed rows."""
        if self._read_once(shared=True) or self.deleted():
            self._read_until_settled()
        for key, version in (self._versions or {}).items():
            self._digest.add(key, version)

    def _read_until_settled(self) -> None:
        """Read the list again until enough readings agree."""
        agreeing = agreeing_on_gone = 0
        for _ in range(_MAX_READINGS - 1):
            if agreeing >= self._readings_that_confirm():
                return
            before, gone = self._extent, self._gone()
            self._read_once()
            agreeing = agreeing + 1 if self._source.is_stable or self._extent == before else 0
            agreeing_on_gone = agreeing_on_gone + 1 if gone is not None and gone == self._gone() else 0
        if max(agreeing, agreeing_on_gone) < self._readings_that_confirm():
            raise OrderMoved(
                f"{self._source.stream.name}: {_MAX_READINGS} readings of {self._source.stream.endpoint} each found "
                "rows that none before had found: name a stable sort in the request."
            )

    @property
    def _extent(self) -> int | str:
        """The number of rows that were found so far or, of too many, a digest of the keys that the last reading had."""
        return self._keys.hex() if self._versions is None else len(self._versions)

    def _gone(self) -> list[Key] | None:
        """The keys of rows that are gone, of which a first sync knows none; None if only a digest is known."""
        return [] if self._known is None else self.deleted()

    def _readings_that_confirm(self) -> int:
        """How many further readings must find no further row: more if rows that were only missed would be deleted."""
        deleted = self.deleted()
        if self._source.is_stable or (self._versions is None and self.is_unchanged):
            return 1 if deleted else 0
        return 1 if deleted == [] else 2

    def _read_once(self, *, shared: bool = False) -> bool:
        """Read the list once; returns whether it, or the list of any parent, has more than one page.

        ``shared``: whether a reading by another stream will do. Each further reading asks the server.
        """
        is_long = False
        if self._versions is None:
            self._rows.clear()
            self._digest, self._keys = Digest(), Digest()
        for batch in read_all(self._source, shared=shared):
            is_long = is_long or (batch.continues and bool(batch.records or batch.counted))
            rows = [row for keyed in batch.records if (row := self._noted(*keyed)) is not None]
            self._rows.extend(rows)
            self._source.progress.read(len(rows), batch.counted)
        return is_long

    def _noted(self, key: Hashable, record: Record) -> tuple[Key, bytes, Row] | None:
        """The row of a record, unless it becomes none or an earlier reading had the same."""
        assert isinstance(key, tuple)
        if not self._source.mapping.is_row(record):
            return None
        row = self._source.mapping.row(record)
        version = fingerprint(row, self._source.mapping.volatile)
        if self._versions is None:
            self._add(key, version)
        elif self._versions.get(key) == version:
            return None
        else:
            self._versions[key] = version
            if len(self._versions) > _PROVABLE_MAX:
                for known, its_version in self._versions.items():
                    self._add(known, its_version)
                self._versions = None
        return key, version, row

    def _add(self, key: Key, version: bytes) -> None:
        self._digest.add(key, version)
        self._keys.add(key, b"")


def _can_be_kept(versions: Mapping[Key, bytes], elsewhere: int) -> bool:
    """Whether the state can hold the versions of these rows: there are not too many, and JSON has their keys."""
    if len(versions) > KNOWN_MAX or len(versions) + elsewhere > KNOWN_TOTAL:
        return False
    return all(isinstance(part, (str, int)) for key in versions for part in key)
