"""The groups of a sync: the streams of the connection itself, and those of each of its partitions."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator, Sequence
from concurrent.futures import FIRST_EXCEPTION, Executor, wait
from contextlib import ExitStack
from dataclasses import dataclass, field
from functools import partial
from typing import Final

from engine.failures import Failure
from engine.log import Log
from engine.nouns import counted
from engine.reading.full_refresh import WholeList
from engine.reading.pages import PageReader
from engine.reading.progress import PROGRESS_SECONDS
from engine.reading.source import sources
from engine.rows.mapping import RowMapping
from engine.spec.dialect import Stream
from engine.spec.load import ResolvedSpec
from engine.spec.partitions import Partition
from engine.sync.outcome import Outcome, failure_of, synced
from engine.sync.partitions import KnownPartitions
from engine.sync.stream import StreamSync
from engine.sync.writer import Writer

_AHEAD: Final = 64  # full refreshes that are read before their rows are written


@dataclass(frozen=True)
class _Once:
    """Passes each warning on once, whichever partitions have it."""

    log: Log
    warned: set[str] = field(default_factory=set)

    def info(self, message: str) -> None:
        """Log progress."""
        self.log.info(message)

    def warning(self, message: str) -> None:
        """Log a warning that was not logged before."""
        if message not in self.warned:
            self.warned.add(message)
            self.log.warning(message)


@dataclass(frozen=True)
class StreamGroup:
    """The streams that are read below one base URL, and what became of each."""

    syncs: Sequence[StreamSync]
    outcome: Outcome


@dataclass(frozen=True)
class PartitionLog:
    """Puts the name of a partition in front of each line."""

    log: Log
    name: str

    def info(self, message: str) -> None:
        """Log progress."""
        self.log.info(f"{self.name}: {message}")

    def warning(self, message: str) -> None:
        """Log what was retried, skipped or replaced."""
        self.log.warning(f"{self.name}: {message}")


class StreamGroups:
    """The groups of one sync, and what they do together.

    Without partitions there is one. With them, each is a group, and there is one more of the streams that are the same
    in each. All share one client, and so its rate limit; their tables are the same.

    Args:
        resolved: The spec with the settings of the connection.
        pages: Reads lists.
        writer: Writes rows and states.
        log: Receives progress and warnings.

    Raises:
        Failure: the partitions could not be read.
    """

    def __init__(self, resolved: ResolvedSpec, pages: PageReader, writer: Writer, log: Log) -> None:
        self._resolved = resolved
        self._pages = pages
        self._writer = writer
        self._log = log
        self._noun = resolved.partitions.noun if resolved.partitions is not None else ""
        self._groups = [*self._all()]
        for one in {one.stream.name: one for group in self._partitions for one in group.syncs}.values():
            one.start_over_if_changed()

    @property
    def _partitions(self) -> Sequence[StreamGroup]:
        return [group for group in self._groups if group.outcome.partition is not None]

    def _all(self) -> Iterator[StreamGroup]:
        streams, declared = self._resolved.streams, self._resolved.partitions
        if declared is None:
            yield self._group(streams, self._pages)
            return
        chosen = KnownPartitions(self._resolved, declared, self._pages, self._writer, self._log).choose()
        in_each = [stream for stream in streams if self._resolved.spec.is_in_partitions(stream)]
        once = [stream for stream in streams if stream not in in_each]
        if once:  # their paths go up beyond any partition
            yield self._group(once, self._pages.below(chosen[0].base_url) if chosen else self._pages)
        mappings: dict[str, RowMapping] = {}
        warned: set[str] = set()
        for partition in chosen if in_each else ():
            pages = self._pages.below(partition.base_url)
            yield self._group(in_each, pages, partition, mappings, warned)

    def _group(
        self,
        streams: Sequence[Stream],
        pages: PageReader,
        partition: Partition | None = None,
        mappings: dict[str, RowMapping] | None = None,
        warned: set[str] | None = None,
    ) -> StreamGroup:
        log = self._log if partition is None else PartitionLog(self._log, partition.name)
        key, name = (partition.key, partition.name) if partition is not None else (None, None)
        before = self._writer.state.streams_of(key)
        opened = {name: stream.open for name, stream in before.items()}
        source = sources(self._resolved.spec, pages, log, [stream.name for stream in streams], mappings)
        syncs = [StreamSync(source[stream.name], self._writer.of(stream, partition), opened) for stream in streams]
        return StreamGroup(syncs, Outcome(self._resolved, log, name, warned))

    def run(self, background: Executor) -> None:
        """Read what changed: incremental streams, then full refreshes, then what is due to be reconciled.

        What runs refer to, such as their deployment, is read after them, so it is there too.

        Raises:
            Failure: it would meet all streams: the server is down, it rejects the key, or a limit is reached.
        """
        self._read_changes(background)
        for group, one in self._read_ahead(background):
            group.outcome.of(one, one.run)
        self._writer.write_waiting()
        self._send_postponed()
        for group in self._groups:
            for one in group.syncs:
                group.outcome.of(one, one.reconcile)

    def _read_changes(self, background: Executor) -> None:
        """Run the incremental streams: those of a group one by one, and a group while others wait for the server."""
        if len(self._groups) == 1 or self._pages.concurrency == 1:
            for group in self._groups:
                self._run_incremental(group)
            return
        pending = {background.submit(self._in_turn, group) for group in self._groups}
        try:
            while pending:
                done, pending = wait(pending, PROGRESS_SECONDS, FIRST_EXCEPTION)
                for future in done:
                    future.result()
                if pending:
                    self._log.info(f"{counted(len(pending), self._noun)} left to read changes of")
        except BaseException:
            self._pages.turns.end()
            raise

    def _in_turn(self, group: StreamGroup) -> None:
        with self._pages.turns.taken():
            self._run_incremental(group)

    def _run_incremental(self, group: StreamGroup) -> None:
        for one in group.syncs:
            if one.stream.sync_mode != "full_refresh":
                group.outcome.of(one, one.run)

    def _read_ahead(self, background: Executor) -> Iterator[tuple[StreamGroup, StreamSync]]:
        """The full refreshes, which are read concurrently and written one by one."""
        begun: deque[tuple[StreamGroup, StreamSync]] = deque()
        for group in self._groups:
            for one in group.syncs:
                if one.stream.sync_mode == "full_refresh":
                    one.read_ahead(background)
                    begun.append((group, one))
                    if len(begun) > _AHEAD:
                        yield begun.popleft()
        yield from begun

    def _send_postponed(self) -> None:
        """Send the tables again of which not all rows are known that partitions have there."""
        names = {one.stream.name: None for group in self._partitions for one in group.syncs if one.is_postponed}
        for name in names:
            every = [(group, one) for group in self._partitions for one in group.syncs]
            self._send_table([(group, one) for group, one in every if one.stream.name == name])

    def _send_table(self, ones: Sequence[tuple[StreamGroup, StreamSync]]) -> None:
        """Truncate a table and send the rows of all partitions, once all their lists were read to their ends."""
        name = ones[0][1].stream.name
        with ExitStack() as stack:
            lists: list[tuple[StreamSync, WholeList]] = []
            for group, one in ones:
                if name in group.outcome.complete:
                    group.outcome.of(one, partial(_read, one, lists, stack))
            read = {one for one, _ in lists}
            unread = [group.outcome.partition for group, one in ones if one not in read and one.was_synced]
            if not unread:
                ones[0][1].truncate_table()
                for one, rows in lists:
                    one.list_all(rows)
                self._writer.checkpoint()
                for one, rows in lists:
                    one.send_all(rows)
                return
        for group, one in ones:
            if one.is_postponed and not group.outcome.has_failed(name):
                group.outcome.fail(
                    one,
                    Failure(
                        f"{name}: there are too many rows to know which are gone, so the table is truncated and sent "
                        f"again; it is left as it is until the {self._noun} {', '.join(map(str, unread[:10]))} can be "
                        "read, too."
                    ),
                )

    def check(self) -> None:
        """Raise the failures of the streams as one, if there are any.

        Raises:
            Failure: some streams failed, or the server has none of the endpoints.
        """
        outcomes = [group.outcome for group in self._groups]
        log = _Once(self._log)
        for outcome in outcomes:
            for one in outcome.complete.values():
                one.report(log)
        failure = failure_of(outcomes, self._noun)
        if failure is not None:
            raise failure

    def __str__(self) -> str:
        """``150 flow runs, 30 flows, and 10 deployments``"""
        rows = synced(self._resolved, [group.outcome for group in self._groups])
        return f"{rows} of {counted(len(self._partitions), self._noun)}" if self._noun else rows


def _read(one: StreamSync, lists: list[tuple[StreamSync, WholeList]], until: ExitStack) -> None:
    """Add the whole list of a stream, which is kept on disk until then."""
    lists.append((one, until.enter_context(one.whole_list())))
