"""What a stream's records are asked with: its own list, or the lists of its parents' children; whole, or what can have
changed.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Collection, Hashable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from time import monotonic
from typing import Any, Final

from engine.failures import Failure, NotFound, ReadFailure, RequestRejected
from engine.jsonpath import PARENT
from engine.log import Log
from engine.pagination import Pagination, Paginator
from engine.pagination.keyset import Keyset
from engine.pagination.slices import Slices
from engine.reading import ListRequest
from engine.reading.changes import ChangesPass, DeletedRow, already_delivered
from engine.requests import KeyedRecord, Record, Request
from engine.rows.mapping import RowMapping
from engine.spec.dialect import Parent, Related, Spec, Stream
from engine.sync.pages import Pages, children_in
from engine.sync.progress import Progress

_PAGES_WORTH_SLICING: Final = 20
_PAGES_WORTH_A_SLICE: Final = 2

Asked = Callable[[datetime | None], None]
"""Takes the instant at which a page was asked for, by the server's clock."""


@dataclass(frozen=True)
class Batch:
    """Entries of a list.

    ``position``: where another reading could go on after them; None when it would have to begin anew. ``counted``: how
    many of the records that the stream's count counts this step went past (a child's are its parent's).
    """

    records: Sequence[KeyedRecord]
    position: str | None
    counted: int


def readers(spec: Spec, pages: Pages, log: Log) -> Mapping[str, StreamReader]:
    """A reader for each stream, by its name.

    Incremental streams share the readers of those that feed them, and so what these have found out about the server.
    Full refreshes share none, so that they can be read side by side.
    """
    shared: dict[str, StreamReader] = {}

    def reader(name: str, found: dict[str, StreamReader]) -> StreamReader:
        if name not in found:
            stream = spec.streams[name]
            source = reader(stream.source.stream, found) if stream.source else None
            found[name] = StreamReader(spec, stream, source, pages, log)
        return found[name]

    return {
        name: reader(name, shared if stream.sync_mode == "incremental" else {}) for name, stream in spec.streams.items()
    }


class StreamReader:
    """Reads one stream, and for it the other stream whose rows say what to ask for."""

    def __init__(self, spec: Spec, stream: Stream, source: StreamReader | None, pages: Pages, log: Log) -> None:
        self.stream = stream
        self.mapping = RowMapping(stream)
        self.progress = Progress(stream, log)
        self._spec = spec
        self._source = source
        self._style = 0  # of its pagination styles, the first that the server is not known to refuse
        self._pages = pages
        self._log = log
        self.known: dict[int, int] = {}
        """By the number of a query of its read strategy, which of the alternatives the server knows."""
        self.was_open: Collection[str] = ()
        """The keys of rows that the destination had as open before this sync."""
        self._answered = False  # whether any parent's children were found
        self._missing: NotFound | None = None

    def info(self, line: str) -> None:
        """Log a line about this stream."""
        self._log.info(f"{self.stream.name}: {line}")

    def count(self) -> int | None:
        """The number of records (of its parent's, for a child) by the server; None where it does not say."""
        if self._source is not None and self.stream.parent is not None:
            return self._source.count()
        if self.stream.count is None:
            return None
        try:
            return self._pages.number(self.stream.name, Request(self.stream.count, body={}))
        except Failure as failure:
            self._log.warning(f"{failure} Progress is told without a percentage.")
            return None

    def whole(
        self,
        asked: Asked,
        position: str | None = None,
        *,
        ahead: bool = True,
        of: Callable[[Record], bool] = lambda parent: True,
    ) -> Iterator[Batch]:
        """The whole list, from its beginning or from a position. Ends when it is proven whole.

        Args:
            asked: Is told when each page was asked for.
            position: Of an earlier reading's step.
            ahead: Whether to ask for pages before they are wanted, and for several slices at once.
            of: For a child: of which parents' records the children are wanted.
        """
        if self._source is None or self.stream.parent is None:
            yield from self._list(asked, position, ahead)
            return
        for batch in self._source.whole(asked, position, ahead=ahead):
            for records in self._children(self.stream.parent, [e for e in batch.records if of(e[1])], asked):
                yield Batch(records, position, 0)
            position = batch.position
            yield Batch((), position, batch.counted)

    def changed(
        self, since: datetime, asked: Asked, seen: set[Hashable] | None = None, *, feeds: bool = False
    ) -> Iterator[Sequence[KeyedRecord] | DeletedRow]:
        """What can have changed since an instant, each row once: the whole list where no strategy tells more.

        Args:
            since: The instant, by the server's clock.
            asked: Is told when each page was asked for.
            seen: Takes the keys of what was brought.
            feeds: Whether these rows say what to ask for another stream's.
        """
        if self.stream.incremental is None:
            yield from (batch.records for batch in self.whole(asked))
            return

        began: datetime | None = None

        def read(listing: ListRequest) -> Iterator[Sequence[KeyedRecord]]:
            nonlocal began
            for _, response, _, records in self._pages.read(self.stream.name, [listing]):
                asked(response.asked_at)
                began = began or response.asked_at
                yield records

        def again_since() -> datetime | None:
            return began - self._spec.api.lookback if began else None

        pagination = self._spec.api.pagination
        changes = ChangesPass(
            self.stream, self.mapping.key, pagination, since, self.was_open, self.known, self._log, seen
        )
        yield from changes.run(read, self._belonging_to_changed(since, asked), again_since if feeds else None)

    def parent_may_have_changed(self, since: datetime, lookback: timedelta) -> Callable[[Record], bool]:
        """For a child: tells of a parent's record whether it changed since an instant as no query finds."""
        source = self._source
        if source is None or self.stream.parent is None:
            return lambda parent: True
        cursor_of = source.mapping.cursor
        delivered = already_delivered(source.stream.incremental, lookback, source.known)

        def changed(parent: Record) -> bool:
            cursor = cursor_of(parent)
            return (cursor is None or cursor >= since) and not delivered(parent, cursor)

        return changed

    def check_found(self) -> None:
        """Tell children of which each was answered "not found" from those of which some parents are gone.

        Raises:
            NotFound: the server has no such endpoint.
        """
        if self._missing is not None and not self._answered:
            raise self._missing

    def _list(self, asked: Asked, position: str | None, ahead: bool) -> Iterator[Batch]:
        """The list of the stream's own endpoint, by the first pagination style that the server knows."""
        taken: set[Hashable] = set()  # by a style that the server refused at its second page
        first: Sequence[KeyedRecord] = ()
        while True:
            pages = 0
            try:
                for pages, batch in enumerate(self._list_in_style(asked, position, ahead), start=1):
                    if taken:
                        batch = replace(batch, records=[keyed for keyed in batch.records if keyed[0] not in taken])
                    yield batch
                    if pages == 1:
                        first = batch.records
                return
            except RequestRejected:
                if pages > 1 or self._style + 1 == len(self.stream.pagination):
                    raise
            self._style += 1
            self.info(f"the server does not know pagination style {self._style}; trying the next")
            taken.update(key for key, _ in first)
            position = None

    def _list_in_style(self, asked: Asked, position: str | None, ahead: bool) -> Iterator[Batch]:
        paginators = [self._paginator(part) for part in (position.split(",") if position else [None])]
        slices, first, first_request = Slices(paginators), paginators[0], paginators[0].request
        width = min(len(paginators), self._pages.concurrency)
        if ahead and position is None:
            began = monotonic()
            for _, response, page, records in self._pages.read(self.stream.name, [self._listing(first)], ahead=False):
                asked(response.asked_at)
                seconds = monotonic() - began
                if first.request is not None and len(page.records) >= self._page_size:
                    width = self._cut(slices, seconds, response.asked_at)
                yield Batch(records, slices.position, len(records))
                break
        pages = self._pages.read(
            self.stream.name,
            map(self._listing, slices),
            width=width,
            ahead=ahead,
            begun=first.request is not first_request,
        )
        for _, response, _, records in pages:
            asked(response.asked_at)
            yield Batch(records, slices.position, len(records))

    def _cut(self, slices: Slices, page_seconds: float, now: datetime | None) -> int:
        """Have the rest of a long list cut into slices; answers with how many of them to read at once.

        So many that the server always has something to do: it has, when as many requests are under way as its own part
        of the time for a page fits into the whole, and one more while an answer is worked through here. A count takes
        it next to nothing, so what a count takes is the way there and back. A percentage is worth that request, too.
        """
        began = monotonic()
        total = self.count()
        away = monotonic() - began
        if total is None:
            return 1
        self.progress.expect(total)
        style = self._pagination
        if now is None or not isinstance(style, Keyset) or total < _PAGES_WORTH_SLICING * style.page_size:
            return 1
        fitting = round(page_seconds / max(page_seconds - away, page_seconds / 16))
        width = min(self._pages.concurrency, fitting + 1)
        if width > 1:
            slices.cut(now, total, _PAGES_WORTH_A_SLICE * style.page_size)
            self.info(f"reading {width} slices at once")
        return width

    @property
    def _pagination(self) -> Pagination:
        return self.stream.pagination[self._style]

    @property
    def _page_size(self) -> float:
        return self._pagination.page_size or math.inf

    def _paginator(self, position: str | None) -> Paginator:
        stream = self.stream
        assert stream.endpoint is not None  # a stream without a parent has one
        return self._pagination.paginate(Request(stream.endpoint, stream.query or {}, stream.body), position)

    def _listing(self, paginator: Paginator, parent: Record | None = None, *, child: bool = False) -> ListRequest:
        return ListRequest(
            paginator,
            self.stream.records,
            self.mapping.key,
            parent,
            may_be_missing=child,
            one_record=self._pagination.one_record,
        )

    # --- children ----------------------------------------------------------------------------------------------------

    def belonging_to(self, parents: Sequence[KeyedRecord], asked: Asked) -> Iterator[Sequence[KeyedRecord]]:
        """The entries of a child that belong to these rows of its parent."""
        assert self.stream.parent is not None
        return self._children(self.stream.parent, parents, asked)

    def _belonging_to_changed(self, since: datetime, asked: Asked) -> Iterator[Sequence[KeyedRecord]]:
        """The entries that belong to those rows of the source which can have changed."""
        if self._source is None or self.stream.source is None:
            return
        for rows in self._source.changed(since, asked, feeds=True):
            if not isinstance(rows, DeletedRow):
                yield from self._children(self.stream.source, rows, asked)

    def _children(self, parent: Parent, rows: Sequence[KeyedRecord], asked: Asked) -> Iterator[Sequence[KeyedRecord]]:
        """The entries that belong to rows of the source."""
        parents = [record for _, record in rows]
        if self.stream.endpoint is None:
            yield [keyed for record in parents for keyed in self._held_by(record)]
            return
        listings = [self._child_listing(parent, group) for group in _groups(parents, parent.batch or 1)]
        for _, response, _, records in self._pages.read(self.stream.name, listings, width=self._pages.concurrency):
            if response.missing is not None:
                self._missing = response.missing
                continue
            self._answered = True
            asked(response.asked_at)
            yield records

    def _held_by(self, parent: Record) -> Iterator[KeyedRecord]:
        try:
            for record in children_in(parent, self.stream.records):
                record[PARENT] = parent
                yield self.mapping.key(record), record
        except ReadFailure as failure:
            raise ReadFailure(f"{self.stream.name}: {failure}.") from None

    def _child_listing(self, parent: Parent, group: Sequence[Record]) -> ListRequest:
        stream = self.stream
        assert stream.endpoint is not None
        values: dict[str, Any] = {}
        for name, path in parent.values.items():
            found = [path.get(record) for record in group]
            if any(value is None for value in found):
                raise ReadFailure(
                    f'{stream.name}: a record of {parent.stream} has nothing at {path.text} for the value "{name}".'
                )
            values[name] = found if parent.batch else found[0]
        request = Request(stream.endpoint, stream.query or {}, stream.body)
        pagination = self._pagination
        if isinstance(parent, Related):
            request = Request(stream.endpoint, {**request.query, **parent.query}, parent.body)
            pagination = self._spec.api.pagination
        paginator = pagination.paginate(request.filled(values))
        return self._listing(paginator, None if parent.batch else group[0], child=True)


def _groups(records: Sequence[Record], size: int) -> Iterator[Sequence[Record]]:
    return (records[at : at + size] for at in range(0, len(records), size))
