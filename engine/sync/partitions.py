"""The partitions of a connection and its state: which are read, which are gone, and what of the state is for others."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import replace

from engine.failures import Failure
from engine.log import Log
from engine.nouns import counted
from engine.reading.pages import PageReader
from engine.reading.partitions import columns_of, find_partitions, selected_partitions
from engine.spec.dialect import Partitions, Stream
from engine.spec.load import ResolvedSpec
from engine.spec.partitions import Partition
from engine.state import Key, Keys, PartitionState, State, StateError, StreamState
from engine.sync.writer import Writer


def check_keys(resolved: ResolvedSpec, before: State) -> None:
    """Refuse a state of tables with other primary keys.

    Raises:
        StateError: the connection was synced without partitions and has some now, or the reverse.
    """
    spec, declared = resolved.spec, resolved.partitions
    columns = tuple(declared.columns) if declared is not None else ()
    synced = [name for name in before.streams if name in spec.streams and spec.is_in_partitions(spec.streams[name])]
    is_new = not before.streams and not before.partitions
    if is_new or (columns == before.partitioned_by and not (columns and synced)):
        return
    noun = spec.api.partitions.noun if spec.api.partitions is not None else "partitions"
    setting = " and ".join(resolved.settings_behind("api.partitions")) or "api.partitions"
    was, now = (f"by {', '.join(of)}" if of else f"without {noun}" for of in (before.partitioned_by, columns))
    raise StateError(
        f"{setting}: this connection was synced {was}, and would now be synced {now}. The primary keys of its tables "
        f"would change, and rows of both kinds be mixed. Set {setting} as it was, or create another connection, whose "
        "tables are in a schema of their own. To change this one, drop its tables in the destination, then start a "
        "historical re-sync."
    )


class KnownPartitions:
    """The partitions that the state knows, held against those that there are.

    Args:
        resolved: The spec.
        declared: How partitions are found.
        pages: Reads their list.
        writer: Keeps the state.
        log: Receives what is odd.
    """

    def __init__(
        self, resolved: ResolvedSpec, declared: Partitions, pages: PageReader, writer: Writer, log: Log
    ) -> None:
        self._resolved = resolved
        self._declared = declared
        self._pages = pages
        self._writer = writer
        self._log = log

    def choose(self) -> list[Partition]:
        """The partitions that are read, which the state has from now on; those that are gone are treated as declared.

        Raises:
            Failure: their list could not be read, has none, or has none of a name that is selected.
        """
        found = self._find()
        there = {one.key for one in found}
        gone = {key: one for key, one in self._writer.state.partitions.items() if key not in there}
        names = {name for key, one in gone.items() for name in (key, one.name)}
        chosen = selected_partitions(self._resolved, self._declared, found, names)
        self._log.info(f"{len(chosen):,} of {counted(len(found), self._declared.noun)} selected")
        self._note_returned(there)
        state = replace(self._writer.state, partitioned_by=tuple(self._declared.columns))
        for one in chosen:
            before = state.partitions.get(one.key, PartitionState())
            state = state.with_partition(one.key, replace(before, name=one.name))
        self._writer.state = state
        self._note_gone(gone)
        return chosen

    def _find(self) -> list[Partition]:
        """All partitions.

        Raises:
            Failure: their list could not be read, or has none. It is more likely that the key has lost its access.
        """
        found = find_partitions(self._resolved, self._declared, self._pages, self._log)
        if not found:
            noun, known = self._declared.noun, len(self._writer.state.partitions)
            before = f", but {known:,} were synced before" if known else ""
            raise Failure(f"{noun}: their list is empty{before}. Check that the key has access to them.")
        return found

    def _note_gone(self, gone: Mapping[str, PartitionState]) -> None:
        """Keep the rows of partitions that are gone, or soft-delete them, as declared."""
        if gone and self._declared.gone == "soft_delete":  # one reading proves nothing
            there = {one.key for one in self._find()}
            self._delete([key for key in gone if key not in there])
            return
        for key, one in gone.items():
            if not one.is_gone:
                self._log.warning(f"{self._named(key, one)} is gone; its rows stay as they are")
                self._writer.state = self._writer.state.with_partition(key, replace(one, is_gone=True))

    def _note_returned(self, there: Collection[str]) -> None:
        """Read on those that were gone. Of those whose rows were being deleted, delete all: a new reading follows."""
        returned = {key: one for key, one in self._writer.state.partitions.items() if one.is_gone and key in there}
        if self._declared.gone == "soft_delete":
            self._delete([*returned])
            return
        for key, one in returned.items():
            self._writer.state = self._writer.state.with_partition(key, replace(one, is_gone=False))

    def _delete(self, keys: Sequence[str]) -> None:
        """Soft-delete the rows of partitions. The state says so first: if the sync is killed, some can be deleted."""
        partitions = {key: replace(self._writer.state.partitions[key], is_gone=True) for key in keys}
        for key, gone in partitions.items():
            self._writer.state = self._writer.state.with_partition(key, gone)
        if keys:
            self._writer.checkpoint()
        for key, gone in partitions.items():
            self._delete_rows(key, gone)

    def _delete_rows(self, key: str, gone: PartitionState) -> None:
        """Soft-delete the rows of a partition, as far as the state knows them."""
        partition = Partition(key, (gone.name,), columns=columns_of(key, self._declared))
        deleted, kept = 0, []
        for stream in self._resolved.streams:
            if self._resolved.spec.is_in_partitions(stream):
                writer = self._writer.of(stream, partition)
                keys, are_all = _rows_that_go(stream, writer.state)
                for row in keys:
                    writer.delete(row)
                deleted += len(keys)
                kept += [] if are_all else [stream.destination_table]
        self._writer.state = self._writer.state.without_partition(key)
        left = f"; those of {', '.join(kept)} are too many to know, and stay until a re-sync" if kept else ""
        self._log.warning(f"{self._named(key, gone)} is gone: {counted(deleted, 'rows')} soft-deleted{left}")

    def _named(self, key: str, one: PartitionState) -> str:
        """``workspaces: production (4e9b...)``"""
        return f"{self._declared.noun}: {f'{one.name} ({key})' if one.name and one.name != key else key}"


def _rows_that_go(stream: Stream, state: StreamState) -> tuple[set[Key], bool]:
    """The keys of the rows that are soft-deleted with their partition, and whether these are all such rows."""
    keys: set[Key] = {(key,) for key in state.open}
    if state.rows is not None:
        return {*keys, *(state.rows.versions or ())}, state.rows.versions is not None
    if not stream.finds_deleted or not state.has_begun:
        return keys, True
    known = state.keys or Keys()
    return keys | known.found | known.missing | known.unsure, state.keys is not None
