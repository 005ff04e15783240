"""The sync: reads each stream to its proven end, writes what changed, and checkpoints what is proven.

The cursor of a stream moves once, after its last page. Checkpoints in between make rows durable and remember how far
the pass is, where its pagination can go on from there; a sync that is stopped anywhere loses nothing.
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any, Final

from engine.destination import Destination
from engine.failures import Failure, NotFound, ReadFailure
from engine.http.client import Client, Undeclared
from engine.log import Log
from engine.paging import Walk
from engine.reading import ChangeFilter
from engine.reading.changes import Ask, Changes, ChangesPass, Gone
from engine.requests import Answer, Entry, Page, Record, Request
from engine.rows.mapping import Row, RowMapping
from engine.spec.jsonpath import JsonPath
from engine.spec.load import Connection
from engine.spec.model import Stream
from engine.state import State, StreamState, SweepState, load_state

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

    def delete(self, table: str, keys: Row) -> None:
        self._destination.delete(table, keys)
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
        before = self._state()
        strategy: Changes | None = self._stream.read
        if strategy is not None and before.since is not None and before.under_way is None:
            return self._changes_pass(before, before.since, strategy)
        sent = self._whole_pass(before)
        if before.under_way is None:
            return sent
        # What changed since the resumed pass began would wait for the next sync.
        after = self._state()
        if strategy is not None and after.since is not None:
            return sent + self._changes_pass(after, after.since, strategy)
        return sent + self._whole_pass(after)

    def _state(self) -> StreamState:
        return self._writer.state.streams.get(self._stream.name, StreamState())

    def _filter(self, before: StreamState) -> ChangeFilter:
        is_open = self._stream.read.is_open if self._stream.read else lambda record: False
        return ChangeFilter(before, self._connection.document.api.overlap, is_open)

    def _whole_pass(self, before: StreamState) -> int:
        """Read the whole list, from its beginning or from where an interrupted pass was."""
        stream = self._stream
        since = f"rows changed since {before.since:%Y-%m-%d %H:%M:%S} UTC" if before.since else "all rows (first sync)"
        position = before.under_way.position if before.under_way else None
        resumed = f", going on at {position}" if position else ""
        self._tell(f"reading {stream.endpoint}, {since}{resumed}")
        changes = self._filter(before)
        walk = self._whole_list(position)
        sent = 0
        for answer, entries in self._read(Ask(walk), whole=True):
            changes.asked(answer.asked_at)
            sent += self._send(changes, entries)
            self._writer.checkpoint_when_due(stream, changes.so_far(walk.position))
        self._complete(changes, before.sweep)
        return sent

    def _changes_pass(self, before: StreamState, since: datetime, strategy: Changes) -> int:
        """Read what can have changed since the last complete pass, and a slice of the sweep."""
        stream = self._stream
        self._tell(f"asking {stream.endpoint} for changes since {since:%Y-%m-%d %H:%M:%S} UTC")
        changes = self._filter(before)

        def read(ask: Ask) -> Iterator[Sequence[Entry]]:
            for answer, entries in self._read(ask):
                changes.asked(answer.asked_at)
                yield entries

        pagination = self._connection.document.api.pagination
        asking = ChangesPass(strategy, stream, pagination, since, before.open, self._tell)
        sent = deleted = 0
        for found in asking.run(read):
            if isinstance(found, Gone):
                self._writer.delete(stream.destination_table, {stream.primary_key[0]: found.key})
                changes.gone(found.key)
                deleted += 1
            else:
                sent += self._send(changes, found)
            self._writer.checkpoint_when_due(stream, changes.so_far(None))
        if deleted:
            self._tell(f"{deleted:,} rows that were open are gone, and soft-deleted")
        sweep = before.sweep
        if strategy.sweep is not None and changes.start is not None:
            sweep = sweep or SweepState(changes.start, since)
            swept, sweep = self._sweep(changes, changes.start, asking, sweep, strategy, strategy.sweep.every)
            sent += swept
        self._complete(changes, sweep)
        return sent

    def _sweep(
        self,
        changes: ChangeFilter,
        now: datetime,
        asking: ChangesPass,
        sweep: SweepState,
        strategy: Changes,
        every: timedelta,
    ) -> tuple[int, SweepState]:
        """Look at a slice of the whole list for changes that no query sees; answers with the rows sent.

        The slice is as much of the list as has passed of the round's time: all that is left, when that is over.
        """
        elapsed = now - sweep.began
        total = self._progress.count() if elapsed > timedelta(0) or not every else None
        if not total:
            return 0, sweep
        due = total * (elapsed / every) if elapsed < every else math.inf
        overlap = self._connection.document.api.overlap
        walk, rows, sent = self._whole_list(sweep.position), sweep.rows, 0
        pages = self._read(Ask(walk))
        while rows < due and walk.request is not None:
            _, entries = next(pages)
            rows += len(entries)
            unseen = [
                (key, record)
                for key, record in entries
                if key not in asking.seen and not strategy.was_found(record, self._mapping.cursor(record), overlap)
            ]
            sent += self._send(changes, unseen, sweep.previous - overlap)
            self._writer.checkpoint_when_due(self._stream, changes.so_far(None))
        if rows > sweep.rows:
            self._tell(f"swept {rows - sweep.rows:,} of {total:,} rows for changes that no query sees: {sent:,} found")
        if walk.request is None:
            return sent, SweepState(max(now, sweep.began + every), sweep.began)
        return sent, replace(sweep, position=walk.position, rows=rows)

    def _send(self, changes: ChangeFilter, entries: Sequence[Entry], since: datetime | None = None) -> int:
        """Write the rows of the entries that are changes (since an instant, in a sweep); answers with their number."""
        mapping, sent = self._mapping, 0
        for key, record in entries:
            changes.look(key, record)
            cursor = mapping.cursor(record)
            may_be_new = changes.may_be_new(cursor) if since is None or cursor is None else cursor >= since
            if may_be_new and changes.is_new(row := mapping.row(record), cursor):
                self._writer.upsert(self._stream.destination_table, row)
                sent += 1
        return sent

    def _complete(self, changes: ChangeFilter, sweep: SweepState | None) -> None:
        if changes.start is None:
            self._log.warning(
                f"{self._stream.name}: the server's answers carry no Date header, so the next sync looks at "
                "the same changes again"
            )
        self._writer.complete(self._stream, changes.complete(sweep))

    def _tell(self, line: str) -> None:
        self._log.info(f"{self._stream.name}: {line}")

    def _full_refresh(self) -> int:
        """Read the whole set first: nothing is deleted by a read that does not reach its end."""
        stream, mapping = self._stream, self._mapping
        self._tell(f"reading {stream.endpoint}, all rows")
        rows: list[Row] = []
        for _, entries in self._read(Ask(self._whole_list()), whole=True):
            rows.extend(mapping.row(record) for _, record in entries)
        self._writer.truncate(stream.destination_table)
        for row in rows:
            self._writer.upsert(stream.destination_table, row)
        self._writer.complete(stream, None)
        return len(rows)

    def _whole_list(self, position: str | None = None) -> Walk:
        stream = self._stream
        walk: Walk = stream.pagination.walk(Request(stream.endpoint, stream.query or {}, stream.body), position)
        return walk

    def _read(self, ask: Ask, *, whole: bool = False) -> Iterator[tuple[Answer, Sequence[Entry]]]:
        """Each answer of a list, and its entries that are new. Ends only when the list is proven to be whole."""
        walk, first = ask.walk, True
        paths = (ask.records,) if ask.records else self._stream.records or ()
        key_of = ask.key.get if ask.key else self._mapping.key
        while walk.request is not None:
            request = walk.request
            answer = self._ask(request, paths, first)
            document, records = answer.value
            try:
                page = Page([(key_of(record), record) for record in records], document)
                fresh = walk.take(page)
            except ReadFailure as failure:
                raise ReadFailure(
                    f"{self._stream.name}: {request} at {self._client.url(request)}: {failure}."
                ) from None
            if ask.records is None:
                self._progress.read(page, len(fresh), whole=whole)
            first = False
            yield answer, fresh

    def _ask(self, request: Request, paths: Sequence[JsonPath], first: bool) -> Answer:
        try:
            return self._client.ask(
                self._stream.name, request, lambda document: (document, records_in(document, paths))
            )
        except NotFound as not_found:
            if first:
                raise
            raise Failure(f"{not_found} The endpoint answered before in this sync; sync again.") from None


def records_in(document: Any, paths: Sequence[JsonPath]) -> list[Record]:
    """The list of records in an answer, by the first declared shape that is a list of objects.

    Raises:
        Undeclared: the answer has none of the shapes.
    """
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

    def read(self, page: Page, fresh: int, *, whole: bool) -> None:
        """A page came with so many new rows. Logged every few seconds."""
        page_size = getattr(self._stream.pagination, "page_size", math.inf)
        if whole and self.rows == 0 and len(page.entries) >= page_size:
            self._total = self.count()  # more pages are to come, so a percentage is worth a request
            if self._total is not None:
                self._log.info(f"{self._stream.name}: {self._total:,} rows to read")
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

    def count(self) -> int | None:
        """The number of records by the server; None where it does not say."""
        if self._stream.count is None:
            return None
        try:
            answer = self._client.ask(self._stream.name, Request(self._stream.count, body={}), _whole_number)
        except Failure as failure:
            self._log.warning(f"{failure} Progress is told without a percentage.")
            return None
        total: int = answer.value
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
