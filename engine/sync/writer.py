"""Writing to the destination: rows in order, checkpoints in between."""

from __future__ import annotations

import time
from collections.abc import Callable, Collection
from dataclasses import dataclass, replace
from functools import partial
from typing import Final

from engine.destination import Destination
from engine.rows.mapping import Row
from engine.spec.dialect import Stream
from engine.spec.partitions import Partition
from engine.state import CLOSED_MAX, Key, KeyValue, State, StreamState, Surplus

CHECKPOINT_ROWS: Final = 10_000
CHECKPOINT_SECONDS: Final = 60.0


class Writer:
    """The only place that writes. The state of a checkpoint never covers a row that was not written before it.

    Args:
        destination: Receives rows and checkpoints.
        state: The state of the last sync.
        checkpoint_rows: A checkpoint is due after this many rows.
        checkpoint_seconds: A checkpoint is due after this many seconds, if there is anything new.
    """

    def __init__(self, destination: Destination, state: State, checkpoint_rows: int, checkpoint_seconds: float) -> None:
        self._state = state
        self._progress: dict[StreamWriter, Callable[[], StreamState]] = {}
        self._destination = destination
        self._checkpoint_rows = checkpoint_rows
        self._checkpoint_seconds = checkpoint_seconds
        self._saved = state
        self._rows = 0
        self._last = time.monotonic()
        self._waiting: list[_Waiting] = []
        self.truncated: set[str] = set()
        """The tables that were truncated in this sync."""

    def of(self, stream: Stream, partition: Partition | None = None) -> StreamWriter:
        """What writes the rows and the state of one stream, of one partition if the connection has any."""
        return StreamWriter(self, stream) if partition is None else PartitionWriter(self, stream, partition)

    def upsert(self, table: str, row: Row) -> None:
        """Insert or replace a row."""
        self._destination.upsert(table, row)
        self._rows += 1

    def delete(self, table: str, keys: Row) -> None:
        """Soft-delete a row."""
        self._destination.delete(table, keys)
        self._rows += 1

    def truncate(self, table: str) -> None:
        """Soft-delete all rows of a table. A later upsert revives its row.

        A truncate deletes by the time of the sync, so checkpoints separate it from the rows before and after it.
        """
        if self._rows:
            self._checkpoint()
        self._destination.truncate(table)
        self._rows += 1
        self.truncated.add(table)

    def start_over(self, stream: str, after: Callable[[StreamState], StreamState]) -> None:
        """Let all partitions read a stream from the start. ``after``: what is left of the state of each."""
        for key, partition in self.state.partitions.items():
            if stream in partition.streams:
                self.state = self.state.with_stream(stream, after(partition.streams[stream]), key)

    @property
    def state(self) -> State:
        """The state that covers everything written so far."""
        self._settle()
        return self._state

    @state.setter
    def state(self, state: State) -> None:
        self._state = state

    def _settle(self) -> None:
        """Make the states of the passes in progress."""
        progress, self._progress = self._progress, {}
        for stream, state in progress.items():
            self._state = self._state.with_stream(stream.name, state(), stream.partition)

    def save(self, stream: StreamWriter, state: StreamState) -> None:
        """Note the state of a stream, which covers only rows that were written. A checkpoint follows when it is due."""
        self.state = self.state.with_stream(stream.name, state, stream.partition)
        self.checkpoint_if_due()

    def progress(self, stream: StreamWriter, state: Callable[[], StreamState]) -> bool:
        """Like :meth:`save`, for every batch of a pass: the state is made when it is needed.

        Returns whether a checkpoint followed.
        """
        self._progress[stream] = state
        return self.checkpoint_if_due()

    def wait(self, waiting: _Waiting) -> None:
        """Write rows once a checkpoint lists them: together with those of others, as soon as one is due."""
        self._waiting.append(waiting)
        self.checkpoint_if_due()

    def write_waiting(self) -> None:
        """Write the rows that wait for a checkpoint that lists them."""
        waiting, self._waiting = self._waiting, []
        for one in waiting:
            self.state = self.state.with_stream(one.stream.name, one.listing(), one.stream.partition)
        if waiting:
            self.checkpoint()
        for one in waiting:
            one.write()

    def checkpoint_if_due(self) -> bool:
        """Checkpoint if that is due, and write the rows that wait for it. Returns whether it was."""
        if not self.is_due(sum(one.rows for one in self._waiting)):
            return False
        if self._waiting:
            self.write_waiting()
        else:
            self.checkpoint()
        return True

    def is_due(self, waiting: int = 0) -> bool:
        """Whether a checkpoint is due, once so many waiting rows are written too."""
        late = time.monotonic() - self._last >= self._checkpoint_seconds
        return late or self._rows + waiting >= self._checkpoint_rows

    def checkpoint(self) -> None:
        """Make everything written so far durable, with the state that covers it, if there is anything new."""
        if self._rows or self.state != self._saved:
            self._checkpoint()

    def checkpoint_rows(self) -> None:
        """Make rows durable, if any were written. A state that moved without any row waits for the next checkpoint."""
        if self._rows:
            self._checkpoint()

    def _checkpoint(self) -> None:
        self._destination.checkpoint(self.state.dump())
        self._saved = self.state
        self._rows = 0
        self._last = time.monotonic()


@dataclass(frozen=True)
class _Waiting:
    """Rows that wait. ``rows``: their number. ``listing``: makes the state that lists them. ``write``: writes them."""

    stream: StreamWriter
    rows: int
    listing: Callable[[], StreamState]
    write: Callable[[], None]


class StreamWriter:
    """Writes the rows of one stream, and keeps its state.

    Args:
        writer: Writes those of all streams.
        stream: The stream.
    """

    partition: str | None = None
    """The key of the partition that it is in."""
    upsert: Callable[[Row], None]
    """Insert or replace a row."""

    def __init__(self, writer: Writer, stream: Stream) -> None:
        self.name = stream.name
        self._writer = writer
        self._table = stream.destination_table
        self._primary_key = stream.primary_key
        self.upsert = partial(writer.upsert, self._table)

    def delete(self, key: Key) -> None:
        """Soft-delete the row with a primary key."""
        self._writer.delete(self._table, dict(zip(self._primary_key, key, strict=True)))

    def truncate(self) -> None:
        """Soft-delete all rows."""
        self._writer.truncate(self._table)

    @property
    def was_synced(self) -> bool:
        """Whether the state has the stream, so that a sync has read it before."""
        return self.name in self._writer.state.streams_of(self.partition)

    @property
    def state(self) -> StreamState:
        """The state that covers everything written so far."""
        return self._writer.state.streams_of(self.partition).get(self.name, StreamState())

    def save(self, state: StreamState) -> None:
        """Note the state, which covers only rows that were written. A checkpoint follows when it is due."""
        self._writer.save(self, state)

    def progress(self, state: Callable[[], StreamState]) -> bool:
        """Like :meth:`save`, for every batch of a pass: the state is made when it is needed.

        Returns whether a checkpoint followed.
        """
        return self._writer.progress(self, state)

    def note_closed(self, children: Collection[str], keys: Collection[KeyValue]) -> None:
        """Let streams of children look up rows of this stream that are no longer open, once they are read."""
        for name in children:
            before = self._writer.state.streams_of(self.partition).get(name, StreamState())
            closed = before.closed_parents.union(keys)
            if before.since is not None and len(closed) <= CLOSED_MAX:
                after = replace(before, closed_parents=closed)
                self._writer.state = self._writer.state.with_stream(name, after, self.partition)

    def write_once_listed(self, rows: int, listing: Callable[[], StreamState], write: Callable[[], None]) -> None:
        """Write rows once a checkpoint lists them: now or, if there are partitions, with those of others.

        ``rows``: their number. ``listing``: makes the state that lists them. ``write``: writes them.
        """
        self.save(listing())
        self.checkpoint()
        write()

    def write_waiting(self) -> None:
        """Write the rows that wait for a checkpoint."""

    def is_due(self, waiting: int = 0) -> bool:
        """Whether a checkpoint is due, once so many waiting rows are written too."""
        return self._writer.is_due(waiting)

    def checkpoint(self) -> None:
        """Make everything written so far durable, with the state that covers it, if there is anything new."""
        self._writer.checkpoint()

    def checkpoint_rows(self) -> None:
        """Make rows durable, if any were written. A state that moved without any row waits for the next checkpoint."""
        self._writer.checkpoint_rows()

    def checkpoint_pass(self) -> None:
        """Make a pass durable that took long."""
        self._writer.checkpoint()

    def start_over(self, surplus: Surplus | None = None, made_by: str | None = None) -> bool:
        """If partitions share the table, forget in all of them how far the stream was read.

        Whoever reads it next truncates the table first. Returns whether partitions share it. ``surplus``, ``made_by``:
        what their states have from now on.
        """
        return False

    def truncate_for_all(self) -> None:
        """Soft-delete all rows, also those of other partitions."""
        self.truncate()

    def others(self) -> list[StreamState]:
        """The states of the stream in other partitions, which fill the same table."""
        return []

    def known_elsewhere(self) -> int:
        """The number of rows of full refreshes that the states of other partitions have."""
        return 0


class PartitionWriter(StreamWriter):
    """Writes the rows of one stream of one partition, with its columns, beside those of the other partitions."""

    def __init__(self, writer: Writer, stream: Stream, partition: Partition) -> None:
        super().__init__(writer, stream)
        self.partition = partition.key
        self._columns = dict(partition.columns)
        self.upsert = self._upsert

    def _upsert(self, row: Row) -> None:
        self._writer.upsert(self._table, {**row, **self._columns})

    def delete(self, key: Key) -> None:
        """Soft-delete the row with a primary key."""
        self._writer.delete(self._table, {**dict(zip(self._primary_key, key, strict=True)), **self._columns})

    def truncate(self) -> None:
        """Soft-delete all rows, unless the table can have rows of other partitions: then those of this one are new.

        Rows without a cursor, from a server without a clock, leave no trace in the state. So a table is truncated once.
        """
        if self._table not in self._writer.truncated and not any(state.has_begun for state in self.others()):
            self._writer.truncate(self._table)

    def truncate_for_all(self) -> None:
        """Soft-delete the rows of all partitions, and forget how far the stream was read in each."""
        self.start_over()
        self.checkpoint()
        self._writer.truncate(self._table)

    def start_over(self, surplus: Surplus | None = None, made_by: str | None = None) -> bool:
        """Forget in all partitions how far the stream was read."""

        def after(before: StreamState) -> StreamState:
            opened = before.open if made_by is None else frozenset()
            return StreamState(open=opened, surplus=surplus, made_by=made_by or before.made_by)

        self._writer.start_over(self.name, after)
        return True

    def write_once_listed(self, rows: int, listing: Callable[[], StreamState], write: Callable[[], None]) -> None:
        """Write rows with those of other partitions, once a checkpoint lists them all."""
        self._writer.wait(_Waiting(self, rows, listing, write))

    def write_waiting(self) -> None:
        """Write the rows that wait for a checkpoint."""
        self._writer.write_waiting()

    def checkpoint_rows(self) -> None:
        """Nothing before a checkpoint is due: there can be many partitions."""
        self._writer.checkpoint_if_due()

    checkpoint_pass = checkpoint_rows

    def others(self) -> list[StreamState]:
        """The states of the stream in other partitions, which fill the same table."""
        assert self.partition is not None
        return self._writer.state.of_others(self.name, self.partition)

    def known_elsewhere(self) -> int:
        """The number of rows of full refreshes that the states of other partitions have."""
        return sum(
            len(stream.rows.versions)
            for key, partition in self._writer.state.partitions.items()
            for name, stream in partition.streams.items()
            if (key, name) != (self.partition, self.name) and stream.rows is not None and stream.rows.versions
        )
