"""Read strategy ``changes``: ask for what can have changed, look up what is open no more, sweep for the rest.

The whole list is read once, by the stream's own pagination. Every later pass reads the union of the queries: rows that
came to rest since the last pass, rows that are still open, rows that another list names as changed. Rows that were open
in the destination and that no query brought are looked up by their key; those that are gone are deleted. What no query
can see is found by the sweep, which looks at the whole list again, a slice each pass, within a declared time.
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
from engine.pagination.stop_at import StopAt
from engine.reading import ListRequest
from engine.requests import KeyedRecord, Request
from engine.spec.dialect import Incremental, Stream

LOOKUP_SIZE: Final = 100  # keys to a request


def is_open(incremental: Incremental | None) -> Callable[[Mapping[str, Any]], bool]:
    """Returns a function that says whether a record can still change without leaving a trace."""
    rows = incremental.open if incremental else None
    if rows is None:
        return lambda record: False
    return lambda record: rows.field.get(record) in rows.values


def already_delivered(
    incremental: Incremental | None, lookback: timedelta, known: Mapping[int, int]
) -> Callable[[Mapping[str, Any], datetime | None], bool]:
    """Returns a function that says of a record and its cursor whether a query delivered the change that set the cursor.

    A query did if the timestamp that it filters by moved together with the cursor. A tenth of the lookback counts as
    together; the rest of it is left for changes that become visible late.

    Args:
        incremental: The queries.
        lookback: How far before the last pass each pass looks.
        known: By the number of a query, which of its alternatives the server was found to accept.
    """
    queries = incremental.changes if incremental else ()
    named = {queries[number].alternatives[choice].filters_by for number, choice in known.items()}
    paths = [path for path in named if path is not None]
    span = lookback / 10
    return lambda record, cursor: (
        cursor is not None and any(_together(cursor, path.get(record), span) for path in paths)
    )


def _together(cursor: datetime, value: Any, span: timedelta) -> bool:
    try:
        return isinstance(value, str) and abs(cursor - parse_instant(value)) <= span
    except (ValueError, OverflowError):
        return False


Read = Callable[[ListRequest], Iterator[Sequence[KeyedRecord]]]


@dataclass(frozen=True)
class DeletedRow:
    """The key of a row that was open in the destination and that the server has no more."""

    key: str


class ChangesPass:
    """One pass: which lists to read, and what their answers mean. Reading them is left to the caller.

    Args:
        stream: The stream, whose ``read`` is this strategy.
        key: Gives the key of a record.
        pagination: How answers are read in pages where the options do not say.
        since: The start of the last complete pass minus the overlap.
        was_open: The keys of rows that the destination has as open.
        known: By the number of a query, which of its alternatives the server knows; filled in as it is found out, and
            kept by the caller as long as the server is taken to be the same.
        log: Takes what is done without.
        seen: Takes the keys of the entries that were brought.
    """

    def __init__(
        self,
        stream: Stream,
        key: Callable[[Mapping[str, Any]], Hashable],
        pagination: Pagination,
        since: datetime,
        was_open: Iterable[str],
        known: dict[int, int],
        log: Log,
        seen: set[Hashable] | None = None,
    ) -> None:
        assert stream.incremental is not None
        self._style = stream.incremental
        self._stream = stream
        self._key = key
        self._pagination = pagination
        self._since = since
        self._was_open = set(was_open)
        self._known = known
        self._log = log
        self._seen: set[Hashable] = set() if seen is None else seen

    def run(
        self,
        read: Read,
        children: Iterable[Sequence[KeyedRecord]] = (),
        again_since: Callable[[], datetime | None] | None = None,
    ) -> Iterator[Sequence[KeyedRecord] | DeletedRow]:
        """The entries that can have changed, page by page and each once, and the open rows that are gone.

        A row can pass between the lists while they are read: open when it was looked for among those at rest, and at
        rest when among the open ones. It has changed then, so the next pass brings it; but not what belongs to it and
        changed before. Where that is wanted, the queries are asked a second time.

        Args:
            read: Reads a list.
            children: The entries that belong to rows of another stream which can have changed.
            again_since: Where what belongs to the entries is wanted: gives the start of this pass minus the overlap, or
                None where the server does not say.
        """
        yield from self._fresh(children)
        yield from self._queried(read, self._since)
        if (opened := self._style.open) is not None:
            request = self._request(opened.body).with_at({opened.into: [*opened.values]})
            yield from self._fresh(read(self._listing(request)))
        if again_since is not None and len(self._style.changes) + (opened is not None) > 1:
            yield from self._queried(read, again_since() or self._since)
        wanted = [k for k in sorted(self._was_open) if (k,) not in self._seen]
        wanted += [k for k in self._named(read) if (k,) not in self._seen and k not in self._was_open]
        for at in range(0, len(wanted), LOOKUP_SIZE):
            yield from self._look_up(read, wanted[at : at + LOOKUP_SIZE])

    def _fresh(self, pages: Iterable[Sequence[KeyedRecord]]) -> Iterator[Sequence[KeyedRecord]]:
        for records in pages:
            fresh = [keyed for keyed in records if keyed[0] not in self._seen]
            self._seen.update(k for k, _ in fresh)
            yield fresh

    def _info(self, line: str) -> None:
        self._log.info(f"{self._stream.name}: {line}")

    def _request(self, body: Mapping[str, Any] | None, query: Mapping[str, Any] | None = None) -> Request:
        endpoint = self._stream.endpoint
        assert endpoint is not None  # the spec demands one for everything that is asked
        return Request(endpoint, {**(self._stream.query or {}), **(query or {})}, body)

    def _listing(self, request: Request) -> ListRequest:
        return self._listing_of(self._pagination.paginate(request))

    def _listing_of(self, paginator: Paginator) -> ListRequest:
        return ListRequest(paginator, self._stream.records, self._key)

    def _queried(self, read: Read, since: datetime) -> Iterator[Sequence[KeyedRecord]]:
        """What the queries bring, each by the first of its alternatives that the server knows."""
        for number in range(len(self._style.changes)):
            yield from self._fresh(self._first_known(read, number, since))

    def _first_known(self, read: Read, number: int, since: datetime) -> Iterator[Sequence[KeyedRecord]]:
        alternatives = self._style.changes[number].alternatives
        for at in range(self._known.get(number, 0), len(alternatives)):
            query = alternatives[at]
            request = self._request(query.body, query.query).filled({"since": since})
            paginator = (query.pagination or self._pagination).paginate(request)
            pages = read(
                self._listing_of(paginator if query.stop_at is None else StopAt(paginator, query.stop_at, since))
            )
            try:
                first = next(pages, ())
            except (RequestRejected, NotFound):
                if self._style.changes[number].optional and at + 1 == len(alternatives):
                    self._info(f"the server does not know query {number + 1}; the sweep finds what it would have found")
                    return
                if at + 1 == len(alternatives):
                    raise
                self._info(f"the server does not know alternative {at + 1} of {len(alternatives)}; trying the next")
                continue
            self._known[number] = at
            yield first
            yield from pages
            return

    def _named(self, read: Read) -> list[str]:
        """The keys of rows that the other list names, each once, in its order."""
        by = self._style.change_feed
        if by is None:
            return []
        request = Request(by.endpoint, {}, by.body).filled({"since": self._since})
        names: dict[str, None] = {}
        answered = False
        try:
            for records in read(ListRequest(by.pagination.paginate(request), (by.records,), by.own_key.get)):
                answered = True
                for _, record in records:
                    name = by.names.get(record)
                    if isinstance(name, str) and name.startswith(by.prefix):
                        names[name.removeprefix(by.prefix)] = None
        except NotFound:
            if answered:
                raise
            self._info(f"the server has no {by.endpoint}; changes that only it names are found by the sweep")
        except (RequestRejected, Unauthorized) as failure:
            if answered or (isinstance(failure, Unauthorized) and failure.status != 403):
                raise
            self._log.warning(
                f"{self._stream.name}: read without {by.endpoint}; changes that only it names are found by the sweep. "
                f"{failure}"
            )
        return list(names)

    def _look_up(self, read: Read, keys: Sequence[str]) -> Iterator[Sequence[KeyedRecord] | DeletedRow]:
        assert self._style.lookup is not None  # the spec demands it
        request = self._request(self._style.lookup_body).with_at({self._style.lookup: list(keys)})
        yield from self._fresh(read(self._listing(request)))
        for k in keys:
            if (k,) not in self._seen and k in self._was_open:
                yield DeletedRow(k)
