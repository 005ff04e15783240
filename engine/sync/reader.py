"""Reading one stream: its own list or the lists of its parents' children, whole or only what can have changed."""

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
from engine.sync.pages import PageReader, children_in
from engine.sync.progress import Progress

_PAGES_WORTH_SLICING: Final = 20
_PAGES_WORTH_A_SLICE: Final = 2

OnPage = Callable[[datetime | None], None]
"""Called for each page with the time at which it was requested, by the server's clock."""


def _ignore(requested_at: datetime | None) -> None:
    pass


@dataclass(frozen=True)
class Batch:
    """Records of a list.

    ``position``: where another reader could resume after them; None if it would have to start over. ``counted``: how
    many of the records in the stream's count were read for this batch. A child stream has its parent's count.
    """

    records: Sequence[KeyedRecord]
    position: str | None
    counted: int


def readers(spec: Spec, pages: PageReader, log: Log) -> Mapping[str, StreamReader]:
    """A reader for each stream, by the stream's name.

    Incremental streams share the readers of their parents, and with them what those found out about the server. Full
    refreshes share none, so that they can be read concurrently.
    """
    shared: dict[str, StreamReader] = {}

    def reader(name: str, built: dict[str, StreamReader]) -> StreamReader:
        if name not in built:
            stream = spec.streams[name]
            source = reader(stream.source.stream, built) if stream.source else None
            built[name] = StreamReader(spec, stream, source, pages, log)
        return built[name]

    return {
        name: reader(name, shared if stream.sync_mode == "incremental" else {}) for name, stream in spec.streams.items()
    }


class StreamReader:
    """Reads one stream and, if other rows determine its requests, the stream of those rows (``source``)."""

    def __init__(self, spec: Spec, stream: Stream, source: StreamReader | None, pages: PageReader, log: Log) -> None:
        self.stream = stream
        self.mapping = RowMapping(stream)
        self.progress = Progress(stream, log)
        self._spec = spec
        self._source = source
        self._style = 0  # the index of the first pagination style that the server has not rejected
        self._pages = pages
        self._log = log
        self.accepted: dict[int, int] = {}
        """For each query, by its index, the index of the alternative that the server accepts."""
        self.previously_open: Collection[str] = ()
        """The keys of rows that were open in the destination before this sync."""
        self._endpoint_exists = False  # for a child stream: whether it returned the list of any parent
        self._not_found: NotFound | None = None

    def info(self, line: str) -> None:
        """Log a line about this stream."""
        self._log.info(f"{self.stream.name}: {line}")

    def count(self) -> int | None:
        """The server's count of the records, or of its parent's for a child stream; None if it has no such count."""
        if self._source is not None and self.stream.parent is not None:
            return self._source.count()
        if self.stream.count is None:
            return None
        try:
            return self._pages.count(self.stream.name, Request(self.stream.count, body={}))
        except Failure as failure:
            self._log.warning(f"{failure} Progress is logged without a percentage.")
            return None

    def read_all(
        self,
        position: str | None = None,
        *,
        on_page: OnPage = _ignore,
        ahead: bool = True,
        of: Callable[[Record], bool] = lambda parent: True,
    ) -> Iterator[Batch]:
        """Read the whole list, from its start or from a position. It ends once the list is confirmed to be complete.

        Args:
            position: The position of an earlier batch.
            on_page: Called for each page.
            ahead: Whether to fetch pages before they are wanted, and several slices at once.
            of: For a child stream: selects the parent records whose children are read.
        """
        if self._source is None or self.stream.parent is None:
            yield from self._list(position, on_page, ahead)
            return
        for batch in self._source.read_all(position, on_page=on_page, ahead=ahead):
            parents = [keyed for keyed in batch.records if of(keyed[1])]
            for records in self._children(self.stream.parent, parents, on_page):
                yield Batch(records, position, 0)
            position = batch.position
            yield Batch((), position, batch.counted)

    def read_changes(
        self, since: datetime, on_page: OnPage, seen: set[Hashable] | None = None, *, for_children: bool = False
    ) -> Iterator[Sequence[KeyedRecord] | DeletedRow]:
        """Read what can have changed since an instant, each row once. A stream without queries is read whole.

        Args:
            since: The instant, by the server's clock.
            on_page: Called for each page.
            seen: Receives the keys of all records that are yielded.
            for_children: Whether the children of these rows are read.
        """
        if self.stream.incremental is None:
            yield from (batch.records for batch in self.read_all(on_page=on_page))
            return

        began: datetime | None = None

        def read(list_request: ListRequest) -> Iterator[Sequence[KeyedRecord]]:
            nonlocal began
            for _, response, _, records in self._pages.read(self.stream.name, [list_request]):
                on_page(response.requested_at)
                began = began or response.requested_at
                yield records

        def repeat_since() -> datetime | None:
            return began - self._spec.api.lookback if began else None

        changes = ChangesPass(
            self.stream,
            self.mapping.key,
            self._spec.api.pagination,
            since,
            self.previously_open,
            self.accepted,
            self._log,
            seen,
        )
        children = self._children_of_changed(since, on_page)
        yield from changes.run(read, children, repeat_since if for_children else None)

    def parent_changed(self, since: datetime, lookback: timedelta) -> Callable[[Record], bool]:
        """A predicate for parent records: whether the parent changed since an instant in a way that no query finds."""
        source = self._source
        if source is None or self.stream.parent is None:
            return lambda parent: True
        cursor_of = source.mapping.cursor
        delivered = already_delivered(source.stream.incremental, lookback, source.accepted)

        def changed(parent: Record) -> bool:
            cursor = cursor_of(parent)
            return (cursor is None or cursor >= since) and not delivered(parent, cursor)

        return changed

    def check_endpoint_exists(self) -> None:
        """For a child stream: distinguish a missing endpoint, which finds no parent's list, from a deleted parent.

        Raises:
            NotFound: the server has no such endpoint.
        """
        if self._not_found is not None and not self._endpoint_exists:
            raise self._not_found

    def _list(self, position: str | None, on_page: OnPage, ahead: bool) -> Iterator[Batch]:
        """The list of the stream's own endpoint, by the first pagination style that the server accepts."""
        delivered: set[Hashable] = set()  # with the first page of a style that the server rejected at the second
        first: Sequence[KeyedRecord] = ()
        while True:
            pages = 0
            try:
                for pages, batch in enumerate(self._list_in_style(position, on_page, ahead), start=1):
                    if delivered:
                        batch = replace(batch, records=[keyed for keyed in batch.records if keyed[0] not in delivered])
                    yield batch
                    if pages == 1:
                        first = batch.records
                return
            except RequestRejected:
                if pages > 1 or self._style + 1 == len(self.stream.pagination):
                    raise
            self._style += 1
            self.info(f"the server rejects pagination style {self._style}; trying the next")
            delivered.update(key for key, _ in first)
            position = None

    def _list_in_style(self, position: str | None, on_page: OnPage, ahead: bool) -> Iterator[Batch]:
        paginators = [self._paginator(part) for part in (position.split(",") if position else [None])]
        slices, first, first_request = Slices(paginators), paginators[0], paginators[0].request
        width = min(len(paginators), self._pages.concurrency)
        if ahead and position is None:
            began = monotonic()
            for _, response, page, records in self._pages.read(
                self.stream.name, [self._list_request(first)], ahead=False
            ):
                on_page(response.requested_at)
                seconds = monotonic() - began
                if first.request is not None and len(page.records) >= self._page_size:
                    width = self._cut(slices, seconds, response.requested_at)
                yield Batch(records, slices.position, len(records))
                break
        pages = self._pages.read(
            self.stream.name,
            map(self._list_request, slices),
            width=width,
            ahead=ahead,
            begun=first.request is not first_request,
        )
        for _, response, _, records in pages:
            on_page(response.requested_at)
            yield Batch(records, slices.position, len(records))

    def _cut(self, slices: Slices, page_seconds: float, now: datetime | None) -> int:
        """Cut the rest of a long list into slices; returns how many of them to read at once.

        The server is busy all the time if as many requests are in flight as its own share of a page's time fits into
        the whole time, plus one while a response is processed here. A count costs the server next to nothing, so the
        time of a count is the network's share. The count also gives the log its percentage.
        """
        began = monotonic()
        total = self.count()
        network_seconds = monotonic() - began
        if total is None:
            return 1
        self.progress.expect(total)
        style = self._pagination
        if now is None or not isinstance(style, Keyset) or total < _PAGES_WORTH_SLICING * style.page_size:
            return 1
        server_seconds = max(page_seconds - network_seconds, page_seconds / 16)
        width = min(self._pages.concurrency, round(page_seconds / server_seconds) + 1)
        if width > 1:
            slices.cut(now, total, _PAGES_WORTH_A_SLICE * style.page_size)
            self.info(f"reading {width} slices concurrently")
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

    def _list_request(self, paginator: Paginator, parent: Record | None = None, *, child: bool = False) -> ListRequest:
        return ListRequest(
            paginator,
            self.stream.records,
            self.mapping.key,
            parent,
            may_be_missing=child,
        )

    # --- children ----------------------------------------------------------------------------------------------------

    def children_of(self, parents: Sequence[KeyedRecord]) -> Iterator[Sequence[KeyedRecord]]:
        """The records of a child stream that belong to these rows of its parent, page by page."""
        assert self.stream.parent is not None
        return self._children(self.stream.parent, parents, _ignore)

    def _children_of_changed(self, since: datetime, on_page: OnPage) -> Iterator[Sequence[KeyedRecord]]:
        """The records that belong to those rows of the source that can have changed."""
        if self._source is None or self.stream.source is None:
            return
        for rows in self._source.read_changes(since, on_page, for_children=True):
            if not isinstance(rows, DeletedRow):
                yield from self._children(self.stream.source, rows, on_page)

    def _children(
        self, parent: Parent, rows: Sequence[KeyedRecord], on_page: OnPage
    ) -> Iterator[Sequence[KeyedRecord]]:
        """The records that belong to these rows of the source."""
        parents = [record for _, record in rows]
        if self.stream.endpoint is None:
            yield [keyed for record in parents for keyed in self._embedded_in(record)]
            return
        requests = [self._child_request(parent, group) for group in _groups(parents, parent.batch or 1)]
        for _, response, _, records in self._pages.read(self.stream.name, requests, width=self._pages.concurrency):
            if response.not_found is not None:
                self._not_found = response.not_found
                continue
            self._endpoint_exists = True
            on_page(response.requested_at)
            yield records

    def _embedded_in(self, parent: Record) -> Iterator[KeyedRecord]:
        """The records of a stream without an endpoint, which are inside its parent's record."""
        try:
            for record in children_in(parent, self.stream.records):
                record[PARENT] = parent
                yield self.mapping.key(record), record
        except ReadFailure as failure:
            raise ReadFailure(f"{self.stream.name}: {failure}.") from None

    def _child_request(self, parent: Parent, group: Sequence[Record]) -> ListRequest:
        stream = self.stream
        assert stream.endpoint is not None
        values: dict[str, Any] = {}
        for name, path in parent.values.items():
            found = [path.get(record) for record in group]
            if any(value is None for value in found):
                raise ReadFailure(
                    f'{stream.name}: a record of {parent.stream} has no value at {path.text} for "{name}".'
                )
            values[name] = found if parent.batch else found[0]
        request = Request(stream.endpoint, stream.query or {}, stream.body)
        pagination = self._pagination
        if isinstance(parent, Related):
            request = Request(stream.endpoint, {**request.query, **parent.query}, parent.body)
            pagination = self._spec.api.pagination
        paginator = pagination.paginate(request.filled(values))
        return self._list_request(paginator, None if parent.batch else group[0], child=True)


def _groups(records: Sequence[Record], size: int) -> Iterator[Sequence[Record]]:
    return (records[at : at + size] for at in range(0, len(records), size))
