"""The sync: reads each stream to its proven end, writes what changed, and checkpoints what is proven.

The cursor of a stream moves once, after its last page. Checkpoints in between make rows durable and remember how far
the pass is, where its pagination can go on from there; a sync that is stopped anywhere loses nothing.
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any, Final

from engine.destination import Destination
from engine.failures import Failure, NotFound, ReadFailure
from engine.http.client import Client, Undeclared
from engine.log import Log
from engine.reading import ChangeFilter
from engine.requests import Answer, Entry, Page, Record, Request
from engine.rows.mapping import Row, RowMapping
from engine.spec.load import Connection
from engine.spec.model import Stream
from engine.state import State, StreamState, load_state

CHECKPOINT_ROWS: Final = 10_000
CHECKPOINT_SECONDS: Final = 60.0
PROGRESS_SECONDS: Final = 10.0


def sync(connection: Connection, state: Mapping[str, Any], destination: Destination, log: Log) -> None:
    """Copy every stream of a document into a destination.

    Args:
        connection: The document, filled in for one connection.
        state: The state document of the last checkpoint; empty on the first sync.
        destination: Takes rows and checkpoints.
        log: Takes what happens.

    Raises:
        Failure: a stream could not be read whole. Its state, and that of the streams after it, has not moved.
    """
    document = connection.document
    log.info(f"Starting {document.title} sync")
    for advice in connection.settings.advice:
        log.warning(advice)
    writer = _Writer(destination, load_state(state))
    counts: dict[str, int] = {}
    missing: list[str] = []
    with Client(connection, log) as client:
        for stream in document.streams.values():
            try:
                counts[stream.noun] = _StreamSync(connection, stream, client, writer, log).run()
            except NotFound as not_found:
                log.warning(f"{not_found.url} not found; skipping.")
                missing.append(not_found.url)
    if not counts:
        advice = " ".join(connection.settings.advice)
        settings = " and ".join(connection.settings_behind("api.base_url")) or "api.base_url"
        raise Failure(f"none of the endpoints exists: {', '.join(missing)}. Check {settings}. {advice}".rstrip())
    log.info(f"Synced {_listed(counts)}")
    log.info("Sync completed successfully")


class _Writer:
    """Hands rows to the destination and makes them durable now and then."""

    def __init__(self, destination: Destination, state: State, clock: Callable[[], float] = time.monotonic) -> None:
        self.state = state
        self._destination = destination
        self._clock = clock
        self._rows = 0
        self._last = clock()

    def upsert(self, table: str, row: Row) -> None:
        self._destination.upsert(table, row)
        self._rows += 1

    def truncate(self, table: str) -> None:
        self._destination.truncate(table)

    def checkpoint_when_due(self, stream: Stream, state: StreamState) -> None:
        """Checkpoint after enough rows or seconds, with the state of a stream whose rows so far were all written."""
        self.state = self.state.with_stream(stream.name, state)
        waited = self._clock() - self._last
        if self._rows >= CHECKPOINT_ROWS or (self._rows and waited >= CHECKPOINT_SECONDS):
            self.checkpoint()

    def complete(self, stream: Stream, state: StreamState | None) -> None:
        """The stream has been read whole: move its state and checkpoint."""
        if state is not None:
            self.state = self.state.with_stream(stream.name, state)
        self.checkpoint()

    def checkpoint(self) -> None:
        self._destination.checkpoint(self.state.dump())
        self._rows = 0
        self._last = self._clock()


class _StreamSync:
    """One stream, once."""

    def __init__(self, connection: Connection, stream: Stream, client: Client, writer: _Writer, log: Log) -> None:
        self._connection = connection
        self._stream = stream
        self._client = client
        self._writer = writer
        self._log = log
        self._mapping = RowMapping(stream)
        self._progress = _Progress(stream, client, log)

    def run(self) -> int:
        """Read the stream to its end; answers with the number of rows sent."""
        sent = self._incremental() if self._stream.sync_mode == "incremental" else self._full_refresh()
        for misfit in self._mapping.misfits():
            self._log.warning(misfit)
        self._log.info(f"{self._stream.name}: {self._progress.rows:,} rows read, {sent:,} synced")
        return sent

    def _incremental(self) -> int:
        before = self._writer.state.streams.get(self._stream.name, StreamState())
        sent = self._pass(before)
        if before.under_way is not None:  # what changed since the resumed pass began would wait for the next sync
            sent += self._pass(self._writer.state.streams.get(self._stream.name, StreamState()))
        return sent

    def _pass(self, before: StreamState) -> int:
        """One pass over an incremental stream, from its beginning or from where an interrupted one was."""
        stream, mapping = self._stream, self._mapping
        since = f"rows changed since {before.since:%Y-%m-%d %H:%M:%S} UTC" if before.since else "all rows (first sync)"
        position = before.under_way.position if before.under_way else None
        resumed = f", going on at {position}" if position else ""
        self._log.info(f"{stream.name}: reading {stream.endpoint}, {since}{resumed}")
        changes = ChangeFilter(before, self._connection.document.api.overlap)
        sent = 0
        first = True
        for answer, entries, reached in self._pages(position):
            if first:
                changes.began(answer.asked_at)
                first = False
            for _, record in entries:
                cursor = mapping.cursor(record)
                if changes.may_be_new(cursor) and changes.is_new(row := mapping.row(record), cursor):
                    self._writer.upsert(stream.destination_table, row)
                    sent += 1
            self._writer.checkpoint_when_due(stream, changes.so_far(reached))
        after = changes.complete()
        if after.since is None or after.since == before.since:
            self._log.warning(
                f"{stream.name}: the server's answers carry no Date header, so the next sync looks at "
                "the same changes again"
            )
        self._writer.complete(stream, after)
        return sent

    def _full_refresh(self) -> int:
        """Read the whole set first: nothing is deleted by a read that does not reach its end."""
        stream, mapping = self._stream, self._mapping
        self._log.info(f"{stream.name}: reading {stream.endpoint}, all rows")
        rows: list[Row] = []
        for _, entries, _ in self._pages():
            rows.extend(mapping.row(record) for _, record in entries)
        self._writer.truncate(stream.destination_table)
        for row in rows:
            self._writer.upsert(stream.destination_table, row)
        self._writer.complete(stream, None)
        return len(rows)

    def _pages(self, position: str | None = None) -> Iterator[tuple[Answer, Sequence[Entry], str | None]]:
        """Each answer, its entries that are new in this pass, and the position reached with them.

        Ends only when the list is proven to be whole.
        """
        stream = self._stream
        walk = stream.pagination.walk(Request(stream.endpoint, stream.query or {}, stream.body), position)
        first = True
        while walk.request is not None:
            request = walk.request
            answer = self._ask(request, first)
            records: Sequence[Record] = answer.value
            try:
                page = Page([(self._mapping.key(record), record) for record in records])
                fresh = walk.take(page)
            except ReadFailure as failure:
                raise ReadFailure(f"{stream.name}: {request} at {self._client.url(request)}: {failure}.") from None
            self._progress.read(page, len(fresh))
            first = False
            yield answer, fresh, walk.position

    def _ask(self, request: Request, first: bool) -> Answer:
        try:
            return self._client.ask(self._stream.name, request, self._records)
        except NotFound as not_found:
            if first:
                raise
            raise Failure(f"{not_found} The endpoint answered before in this sync; sync again.") from None

    def _records(self, document: Any) -> list[Record]:
        """The list of records in an answer, by the first declared shape that is a list of objects."""
        paths = self._stream.records or ()
        for path in paths:
            found = path.get(document)
            if isinstance(found, list):
                if not all(isinstance(record, dict) for record in found):
                    raise Undeclared(f"a list at {path.text} that holds other things than objects")
                return found
        shape = f"a bare {type(document).__name__}"
        if isinstance(document, dict):
            shape = f"an object with the keys {', '.join(document) or '(none)'}"
        raise Undeclared(f"{shape}, and no list of records at {' or '.join(path.text for path in paths)}")


class _Progress:
    """Counts the rows read, and tells how far a stream is where it declares how to count its records."""

    def __init__(self, stream: Stream, client: Client, log: Log) -> None:
        self._stream = stream
        self._client = client
        self._log = log
        self._total: int | None = None
        self._began = self._told = time.monotonic()
        self.rows = 0

    def read(self, page: Page, fresh: int) -> None:
        """A page came with so many new rows. Logged every few seconds."""
        if self.rows == 0 and len(page.entries) >= getattr(self._stream.pagination, "page_size", math.inf):
            self._total = self._count()  # more pages are to come, so a percentage is worth a request
        self.rows += fresh
        now = time.monotonic()
        if now - self._told >= PROGRESS_SECONDS:
            self._told = now
            self._log.info(f"{self._stream.name}: {self.rows:,} {self._share(now)}rows read")

    def _share(self, now: float) -> str:
        if not self._total:
            return ""
        share = min(1.0, self.rows / self._total)
        left = (now - self._began) * (1 - share) / share if share else 0.0
        return f"of {self._total:,} ({share:.0%}, about {left:.0f} s to go) "

    def _count(self) -> int | None:
        """The number of records by the server; None where it does not say, which costs only the percentage."""
        if self._stream.count is None:
            return None
        try:
            answer = self._client.ask(self._stream.name, Request(self._stream.count, body={}), _whole_number)
        except Failure as failure:
            self._log.warning(f"{failure} Progress is told without a percentage.")
            return None
        total: int = answer.value
        self._log.info(f"{self._stream.name}: {total:,} rows to read")
        return total


def _whole_number(document: Any) -> int:
    if isinstance(document, int) and not isinstance(document, bool):
        return document
    raise Undeclared("something that is not a number of records")


def _listed(counts: Mapping[str, int]) -> str:
    """``150 flow runs, 30 flows, and 10 deployments``"""
    items = [f"{count} {noun.removesuffix('s') if count == 1 else noun}" for noun, count in counts.items()]
    if len(items) < 3:
        return " and ".join(items)
    return f"{', '.join(items[:-1])}, and {items[-1]}"
