"""Changes since the last pass: queries for rows that can have changed, and lookups of rows that are no longer open.

The first pass reads the whole list. Each later pass reads the union of the declared queries: rows that finished since
the last pass, rows that are still open, rows that a change feed names. Rows that are open in the destination and in no
result are looked up by key; those that no longer exist are deleted. What no query can find is left to reconciliation,
which re-reads the whole list, a slice at each sync, within a declared time.
"""

from __future__ import annotations

from collections.abc import Callable, Hashable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Final

from engine.failures import NotFound, RequestRejected, Unauthorized
from engine.instants import parse_instant
from engine.log import Log
from engine.pagination import Pagination, Paginator
from engine.pagination.stop_at import StopAtPaginator
from engine.reading import ListRequest
from engine.requests import KeyedRecord, Request
from engine.spec.dialect import Incremental, Stream

LOOKUP_SIZE: Final = 100  # keys per request


def is_open(incremental: Incremental | None) -> Callable[[Mapping[str, Any]], bool]:
    """A predicate for records: whether a record can still change without leaving a trace."""
    rows = incremental.open if incremental else None
    if rows is None:
        return lambda record: False
    return lambda record: rows.field.get(record) in rows.values


def already_delivered(
    incremental: Incremental | None, lookback: timedelta, accepted: Mapping[int, int]
) -> Callable[[Mapping[str, Any], datetime | None], bool]:
    """A predicate for records and their cursors: whether a query delivered the change that set the cursor.

    A query did if the timestamp that it filters by moved together with the cursor. Up to a tenth of the lookback counts
    as together; the rest is left for changes that become visible late.

    Args:
        incremental: The queries.
        lookback: How far before the last pass each pass looks.
        accepted: For each query, by its index, the index of the alternative that the server accepts.
    """
    queries = incremental.changes if incremental else ()
    filters = {queries[query].alternatives[choice].filters_by for query, choice in accepted.items()}
    paths = [path for path in filters if path is not None]
    tolerance = lookback / 10
    return lambda record, cursor: (
        cursor is not None and any(_moved_together(cursor, path.get(record), tolerance) for path in paths)
    )


def _moved_together(cursor: datetime, value: Any, tolerance: timedelta) -> bool:
    try:
        return isinstance(value, str) and abs(cursor - parse_instant(value)) <= tolerance
    except (ValueError, OverflowError):
        return False


Read = Callable[[ListRequest], Iterator[Sequence[KeyedRecord]]]


@dataclass(frozen=True)
class DeletedRow:
    """The key of a row that is open in the destination and no longer exists on the server."""

    key: str


class ChangesPass:
    """One pass over the changes of a stream. It decides which lists to read; the caller reads them.

    Args:
        stream: An incremental stream.
        key: Returns the key of a record.
        pagination: The pagination of queries that declare none.
        since: The start of the last complete pass minus the lookback.
        previously_open: The keys of rows that are open in the destination.
        accepted: For each query, by its index, the index of the alternative that the server accepts. The pass adds what
            it finds out; the caller keeps it for the rest of the sync.
        log: Receives what the server does not support.
        seen: Receives the keys of all records that the pass yields.
    """

    def __init__(
        self,
        stream: Stream,
        key: Callable[[Mapping[str, Any]], Hashable],
        pagination: Pagination,
        since: datetime,
        previously_open: Iterable[str],
        accepted: dict[int, int],
        log: Log,
        seen: set[Hashable] | None = None,
    ) -> None:
        assert stream.incremental is not None
        self._incremental = stream.incremental
        self._stream = stream
        self._key = key
        self._pagination = pagination
        self._since = since
        self._previously_open = set(previously_open)
        self._accepted = accepted
        self._log = log
        self._seen: set[Hashable] = set() if seen is None else seen

    def run(
        self,
        read: Read,
        children: Iterable[Sequence[KeyedRecord]] = (),
        repeat_since: Callable[[], datetime | None] | None = None,
    ) -> Iterator[Sequence[KeyedRecord] | DeletedRow]:
        """Yield the records that can have changed, page by page and each once, and the open rows that were deleted.

        A row can slip between the lists: still open while the queries for finished rows are read, and finished once the
        open rows are read. The next pass finds the row, which has changed since, but not those of its children that
        changed before. So if the caller reads the children of these rows, the queries are sent a second time.

        Args:
            read: Reads a list.
            children: Pages of records whose parents, rows of another stream, can have changed.
            repeat_since: Given if the caller reads the children of these rows. Returns the start of this pass minus the
                lookback, or None if the server sends no dates.
        """
        yield from self._unseen(children)
        yield from self._run_queries(read, self._since)
        if (opened := self._incremental.open) is not None:
            request = self._request(opened.body).with_at({opened.into: [*opened.values]})
            yield from self._unseen(read(self._list(self._pagination.paginate(request))))
        if repeat_since is not None and len(self._incremental.changes) + (opened is not None) > 1:
            yield from self._run_queries(read, repeat_since() or self._since)
        keys = [key for key in sorted(self._previously_open) if (key,) not in self._seen]
        keys += [
            key for key in self._changed_keys(read) if (key,) not in self._seen and key not in self._previously_open
        ]
        for at in range(0, len(keys), LOOKUP_SIZE):
            yield from self._look_up(read, keys[at : at + LOOKUP_SIZE])

    def _unseen(self, pages: Iterable[Sequence[KeyedRecord]]) -> Iterator[Sequence[KeyedRecord]]:
        for records in pages:
            unseen = [keyed for keyed in records if keyed[0] not in self._seen]
            self._seen.update(key for key, _ in unseen)
            yield unseen

    def _info(self, line: str) -> None:
        self._log.info(f"{self._stream.name}: {line}")

    def _request(self, body: Mapping[str, Any] | None, query: Mapping[str, Any] | None = None) -> Request:
        endpoint = self._stream.endpoint
        assert endpoint is not None  # the spec requires one for queries
        return Request(endpoint, {**(self._stream.query or {}), **(query or {})}, body)

    def _list(self, paginator: Paginator) -> ListRequest:
        return ListRequest(paginator, self._stream.records, self._key)

    def _run_queries(self, read: Read, since: datetime) -> Iterator[Sequence[KeyedRecord]]:
        for query in range(len(self._incremental.changes)):
            yield from self._unseen(self._first_accepted(read, query, since))

    def _first_accepted(self, read: Read, query: int, since: datetime) -> Iterator[Sequence[KeyedRecord]]:
        """The result of a query, by the first of its alternatives that the server accepts."""
        alternatives = self._incremental.changes[query].alternatives
        for at in range(self._accepted.get(query, 0), len(alternatives)):
            alternative = alternatives[at]
            request = self._request(alternative.body, alternative.query).filled({"since": since})
            paginator = (alternative.pagination or self._pagination).paginate(request)
            if alternative.stop_at is not None:
                paginator = StopAtPaginator(paginator, alternative.stop_at, since)
            pages = read(self._list(paginator))
            try:
                first = next(pages, ())
            except (RequestRejected, NotFound):
                is_last = at + 1 == len(alternatives)
                if is_last and self._incremental.changes[query].optional:
                    self._info(f"the server rejects query {query + 1}; reconciliation finds what it would have found")
                    return
                if is_last:
                    raise
                self._info(
                    f"the server rejects alternative {at + 1} of {len(alternatives)} for query {query + 1}; "
                    "trying the next"
                )
                continue
            self._accepted[query] = at
            yield first
            yield from pages
            return

    def _changed_keys(self, read: Read) -> list[str]:
        """The keys of the rows that the change feed names, each once, in the order of the feed."""
        feed = self._incremental.change_feed
        if feed is None:
            return []
        request = Request(feed.endpoint, {}, feed.body).filled({"since": self._since})
        keys: dict[str, None] = {}
        has_begun = False
        try:
            for records in read(ListRequest(feed.pagination.paginate(request), (feed.records,), feed.own_key.get)):
                has_begun = True
                for _, record in records:
                    name = feed.names.get(record)
                    if isinstance(name, str) and name.startswith(feed.prefix):
                        keys[name.removeprefix(feed.prefix)] = None
        except NotFound:
            if has_begun:
                raise
            self._info(f"the server has no {feed.endpoint}; reconciliation finds the changes that only it names")
        except (RequestRejected, Unauthorized) as failure:
            if has_begun or (isinstance(failure, Unauthorized) and failure.status != 403):
                raise
            self._log.warning(
                f"{self._stream.name}: {feed.endpoint} cannot be read; reconciliation finds the changes that only it "
                f"names. {failure}"
            )
        return list(keys)

    def _look_up(self, read: Read, keys: Sequence[str]) -> Iterator[Sequence[KeyedRecord] | DeletedRow]:
        assert self._incremental.lookup is not None  # the spec requires it
        request = self._request(self._incremental.lookup_body).with_at({self._incremental.lookup: list(keys)})
        yield from self._unseen(read(self._list(self._pagination.paginate(request))))
        for key in keys:
            if (key,) not in self._seen and key in self._previously_open:
                yield DeletedRow(key)
