"""One stream on the server: its list, its requests, the children of its parent's rows, and its count.

What it finds out about the server (which pagination style and which queries it accepts) it keeps for the whole sync.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Callable, Collection, Hashable, Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any, Final

from engine.declare.types import Endpoint
from engine.failures import Failure, OrderMoved, SkippedList
from engine.instants import EARLIEST, format_instant
from engine.jsonpath import compile_path
from engine.log import Log
from engine.nouns import counted
from engine.pagination import Pagination, Paginator, is_stable, paginate_unjoined
from engine.pagination.counted import Counted
from engine.pagination.keyset import Keyset
from engine.pagination.single import Single
from engine.pagination.windows import WindowsPaginator
from engine.reading.pages import ListPage, ListRequest, PageReader
from engine.reading.progress import Progress
from engine.reading.shared_lists import SharedChanges, SharedLists
from engine.requests import KeyedRecord, Record, Request
from engine.rows.mapping import RowMapping
from engine.spec.dialect import Fallback, Field, Instants, Parent, Related, Spec, Stream
from engine.variables import Spelling

_REQUESTS_A_LIST: Final = 4  # a list that is resumed needs as many until it is ahead of where it stopped
_MAX_READS: Final = 8  # of a list whose order moves

IsLater = Callable[[datetime], bool]
"""Whether a change with this cursor happened after the pass began, so that the next pass reads it."""


class Source:
    """Reads one stream. ``parent`` is the source of the rows that determine its requests, if other rows do.

    ``mapping``: what partitions share; by default, its own.
    """

    def __init__(
        self,
        spec: Spec,
        stream: Stream,
        parent: Source | None,
        pages: PageReader,
        log: Log,
        lists: SharedLists,
        mapping: RowMapping | None = None,
    ) -> None:
        self.stream = stream
        self.parent = parent
        self.lists = lists
        self.children = set[str]()
        """The streams of the sync that have yet to read its changes, for the children of its rows."""
        self.changes: SharedChanges | None = None
        """The changes that this sync has found, for those streams."""
        self.records: Sequence[Record] | None = None
        """The whole list, if it is not on the server: the values of a parent."""
        self.mapping = mapping or RowMapping(stream)
        self._is_one_of_many = mapping is not None
        self.progress = Progress(stream, log)
        own = spec.lookback_of(stream)
        self.lookback: timedelta = own if parent is None else max(own, parent.lookback)
        """How far back each pass looks: children as far as their parent, whose changes lead to them."""
        self.settling = spec.settling_of(stream)
        """How long children can become visible after their parent changed."""
        self._can_skip = any(answer.means == "skip" for answer in (*stream.answers, *spec.api.answers))
        self.form = stream.form or spec.api.form
        self._api_pagination = spec.api.pagination
        self._spelling = spelling(spec, stream)
        most = min(pages.concurrency, stream.concurrency or pages.concurrency)
        limit = spec.api.limits.requests or most * _REQUESTS_A_LIST
        self.concurrency = max(1, min(most, limit // _REQUESTS_A_LIST))
        self.log = log
        self.accepted: dict[int, int] = {}
        """For each query, by its index, the index of the alternative that the server accepts."""
        self.rejected: set[int] = set()
        """The optional queries that the server rejects, by their indexes."""
        self.lacks_feed = False
        """Whether the server does not have the change feed."""
        self.unknown_values: set[str] = set()
        """The values of open rows that the server does not know."""
        self.has_ignored = False
        """Whether the change feed has named a key that is none of this stream's, which is reported once."""
        self.finds_by_key = False
        """Whether a row was found by its key, so that the endpoint of the lookup is right."""
        self.has_children: bool | None = None
        """For a child stream: whether its endpoint exists; None until a request for children was answered."""
        self.skipped = set[Hashable]()
        """The rows of the parent whose children `answers` declares to be skipped."""
        self._style = 0  # the index of the first pagination style that the server has not rejected
        self._pages = pages
        self._duplicates_reported = False

    @property
    def what(self) -> str:
        """What is read, in words."""
        if self.stream.endpoint is None and self.stream.parent is not None:
            return f"the records of {self.stream.parent.name}"
        return str(self.stream.endpoint)

    @property
    def remembers_parents(self) -> bool:
        """Whether the state has the rows of the parent, or of the parent's parent, whose children were read."""
        return self.stream.asks_each_parent or (self.parent is not None and self.parent.remembers_parents)

    @property
    def is_shareable(self) -> bool:
        """Whether its list is the same for all streams of a sync that read it: it is no child of rows on the server."""
        if self.parent is None or self.stream.parent is None:
            return True
        return self.parent.records is not None and not self.remembers_parents and not self._can_skip

    @property
    def has_availability(self) -> bool:
        """Whether only some servers have the stream or its parent."""
        is_declared = self.stream.availability is not None
        return is_declared or (self.parent is not None and self.parent.has_availability)

    def forget(self) -> None:
        """Drop what was read for other streams too, so that it is requested again."""
        self.lists.forget()
        self.changes = None
        if self.parent is not None:
            self.parent.forget()

    def info(self, line: str) -> None:
        """Log a line about this stream."""
        self.log.info(f"{self.stream.name}: {line}")

    def routine(self, line: str) -> None:
        """Log a line that each sync has about this stream, unless there are many of its kind: one a partition."""
        if not self._is_one_of_many:
            self.info(line)

    def warning(self, line: str) -> None:
        """Log a warning about this stream."""
        self.log.warning(f"{self.stream.name}: {line}")

    def skip(self, parent: Hashable, why: SkippedList) -> None:
        """Leave the children of a row of the parent as they are."""
        if not self.skipped:
            self.log.warning(f"{why} Skipping it, as answers declares, and others like it without another warning.")
        self.skipped.add(parent)

    @property
    def has_gaps(self) -> bool:
        """Whether children were skipped, so that what was not read may still exist."""
        return bool(self.skipped) or (self.parent is not None and self.parent.has_gaps)

    # --- the list ----------------------------------------------------------------------------------------------------

    @property
    def pagination(self) -> Pagination:
        """The style in which the list is read: the first of those declared that the server accepts."""
        return self.stream.pagination[self._style]

    @property
    def exists(self) -> bool:
        """Whether its endpoint is known to exist once its list is read: that of children, once it has answered."""
        return self.parent is None or self.stream.endpoint is None or bool(self.has_children)

    @property
    def is_stable(self) -> bool:
        """Whether no row moves within the order of the list while it is read."""
        stable = self.stream.endpoint is None or is_stable(self.pagination, self.request(self.stream.body))
        return stable and (self.parent is None or self.parent.is_stable)

    @property
    def is_declared_to_move(self) -> bool:
        """Whether `stable: false` says that rows move, so that readings of an incremental stream must agree, too."""
        style = self.pagination
        return self.stream.sync_mode == "incremental" and isinstance(style, Counted) and style.stable is False

    def try_next_style(self) -> bool:
        """Go on with the next declared style, because the server rejects this one; False if there is none."""
        if self._style + 1 == len(self.stream.pagination):
            return False
        self._style += 1
        self.info(f"the server rejects pagination style {self._style}; trying the next")
        return True

    def list_request(
        self, position: str | None = None, *, is_later: IsLater | None = None, joined: bool = True
    ) -> ListRequest:
        """The stream's own list, from its start or from a position. ``joined``: whether its pages must join."""
        request = self.request(self.stream.body).bind(self.start())
        return self.listed(self.paginate(self.pagination, request, position, is_later, joined=joined))

    def paginate(
        self,
        style: Pagination,
        request: Request,
        position: str | None = None,
        is_later: IsLater | None = None,
        *,
        joined: bool = True,
    ) -> Paginator:
        """Start reading a list in a style, window by window if that is declared, or resume at a position.

        ``joined``: whether its pages must join.
        """
        later, windows = self.changed_later(is_later), self.stream.windows

        def begin(part: Request, at: str | None) -> Paginator:
            return style.paginate(part, at, is_later=later) if joined else paginate_unjoined(style, part)

        if windows is None or isinstance(style, Keyset) or "from" not in (request.values or {}):
            return begin(request, position)
        return windows.paginate(begin, request, position, self.now, resumable=joined and style.resumable)

    def parts(self) -> Sequence[str | None]:
        """The positions at which the list can be started, to read several windows at once."""
        windows, start = self.stream.windows, self.start().get("from")
        if windows is None or start is None:
            return [None]
        return windows.parts(start, self.now, self.concurrency)

    def start(self) -> Mapping[str, datetime]:
        """The value of ``$from`` at the start of the list, if it has one."""
        start = self.stream.begins(self.now)
        return {"from": start} if start is not None else {}

    def style_of(self, request: Request) -> Pagination:
        """The style in which the result of another request than the list's is read."""
        own = self.pagination
        return self._api_pagination if isinstance(own, Keyset) and not request.uses("from") else own

    def changed_later(self, is_later: IsLater | None) -> Callable[[Record], bool] | None:
        """The same for records, if they have a cursor."""
        if is_later is None or not self.stream.has_instants:
            return None
        cursor_of = self.mapping.cursor
        return lambda record: (cursor := cursor_of(record)) is not None and is_later(cursor)

    def listed(self, paginator: Paginator, parent: KeyedRecord | None = None, of: Hashable = None) -> ListRequest:
        """A list of this stream's records. ``of``: the key of the first row that they belong to."""
        known = parent is not None and bool(self.has_children)
        return ListRequest(
            paginator,
            self.stream.records,
            self.mapping.key,
            parent,
            endpoint_exists=known,
            of=of,
            form=self.form,
            windows=paginator if isinstance(paginator, WindowsPaginator) else None,
        )

    def request(
        self, body: Mapping[str, Any] | None, query: Mapping[str, Any] | None = None, endpoint: Endpoint | None = None
    ) -> Request:
        """A request to the stream's endpoint, or to another one, which is not sent the stream's query."""
        if endpoint is None:
            assert self.stream.endpoint is not None  # the spec requires one for everything but embedded records
            endpoint, query = self.stream.endpoint, {**(self.stream.query or {}), **(query or {})}
        return Request(endpoint, query or {}, body, {"now": self.now}, self._spelling)

    @property
    def now(self) -> datetime:
        """The server's time or, if it is not known, this machine's."""
        return self._pages.now

    def read(
        self, lists: Iterable[ListRequest], *, width: int = 1, ahead: bool = True, begun: bool = False
    ) -> Iterator[ListPage]:
        """The pages of lists of this stream's records, as :meth:`PageReader.read` yields them."""
        for page in self._pages.read(self.stream.name, lists, width=width, ahead=ahead, begun=begun):
            self._report_duplicates(page.new)
            yield page

    def read_until_settled(self, list_request: Callable[[], ListRequest]) -> Iterator[ListPage]:
        """The pages of one list whose order moves: it is read until a reading finds no further key.

        New rows can come for ever. So it is also enough that a reading has every row that both the one before it and
        the one after it have: it has missed none of those that were there throughout.

        Args:
            list_request: Makes the list, whose pages need not join.

        Raises:
            OrderMoved: after many readings, each of which missed rows.
        """
        self.info("rows change their places while the list is read; reading it until readings agree")
        found = set[Hashable]()
        readings: list[set[Hashable]] = []
        is_settled = False
        for number in range(_MAX_READS):
            before, readings = len(found), [*readings[-2:], set()]
            for page in self.read([list_request()]):
                new = [keyed for keyed in page.new if keyed[0] not in found]
                readings[-1].update(key for key, _ in page.new)
                found.update(key for key, _ in new)
                if page.ends:
                    has_all = len(readings) == 3 and readings[0] & readings[2] <= readings[1]
                    is_settled = has_all or (number > 0 and len(found) == before)
                yield replace(page, new=new, ends=is_settled)
            if is_settled:
                return
        raise OrderMoved(
            f"{self.stream.name}: {_MAX_READS} readings of {self.stream.endpoint} each found rows that none before had "
            "found, and missed others: name a stable sort in the request, or filters that make the list shorter."
        )

    # --- the count ---------------------------------------------------------------------------------------------------

    def count(self, start: datetime | None = None, end: datetime | None = None) -> int | None:
        """The server's count of the records, or of its parent's for a child stream; None if there is no such count.

        Args:
            start: Counts the records from this instant on.
            end: Counts the records up to this instant.
        """
        if self.parent is not None and self.stream.parent is not None:
            return self.parent.count(start, end)
        declared = self.stream.count
        if declared is None:
            return None
        body = declared.body if declared.endpoint.method == "POST" else None
        request = Request(declared.endpoint, declared.query, body, {"from": start, "to": end}, self._spelling)
        if (start or end) and not (request.uses("from") and request.uses("to")):
            return None
        try:
            return self._pages.count(self.stream.name, declared, request)
        except Failure as failure:
            self.log.warning(f"{failure} The sync goes on without a count.")
            return None

    @property
    def requests_left(self) -> int | None:
        """How many requests the sync may still send; None if there is no limit."""
        return self._pages.requests_left

    def requests_needed(self) -> int | None:
        """About how many requests the whole list takes; None if that is not known before it is read."""
        total, parent = self.count(), self.stream.parent
        at_once = self.pagination.page_size if parent is None else parent.batch or 1
        return math.ceil(total / at_once) if total is not None and at_once is not None else None

    def _report_duplicates(self, records: Sequence[KeyedRecord]) -> None:
        if self._duplicates_reported or len({key for key, _ in records}) == len(records):
            return
        seen: dict[Hashable, Record] = {}
        for key, record in records:
            if record != seen.setdefault(key, record):
                self._duplicates_reported = True
                self.warning(
                    f"the primary key ({', '.join(self.stream.primary_key)}) is not unique: a response has "
                    f"{counted(len(records), 'records')} and {counted(len({k for k, _ in records}), 'keys')}. Of the "
                    f"records of a key, only the last one is kept; the first such key is {key}. Declare more columns "
                    "as the primary_key"
                )
                return


def spelling(spec: Spec, stream: Stream, query: Fallback | None = None) -> Spelling:
    """How the requests of a stream, or of one of its queries, have instants."""
    declared = (query.instants if query is not None else None) or stream.instants or spec.api.instants
    cursor = stream.fields[stream.cursor_field] if stream.cursor_field is not None else None
    if declared is None and cursor is not None and cursor.time_format is not None:
        declared = Instants(format=cursor.time_format, timezone=cursor.timezone)
    return declared.spell if declared is not None else format_instant


def sources(
    spec: Spec,
    pages: PageReader,
    log: Log,
    selected: Collection[str] = (),
    mappings: dict[str, RowMapping] | None = None,
) -> Mapping[str, Source]:
    """A source for each stream, by the stream's name.

    ``selected``: the streams of this sync, which share lists; by default, all. ``mappings``: those that the partitions
    of a connection share, to which this adds.

    Incremental streams share the sources of their parents, and with them what those found out about the server. Full
    refreshes share none, so that they can be read concurrently.
    """
    shared: dict[str, Source] = {}
    streams = [spec.streams[name] for name in selected]
    feeds = {stream.name: _feed_of(spec, stream) for stream in streams}
    lists = SharedLists(Counter(_top_of(spec, stream) for stream in streams), feeds)

    def source(name: str, built: dict[str, Source]) -> Source:
        if name not in built:
            stream = spec.streams[name]
            if mappings is not None and name not in mappings:
                mappings[name] = RowMapping(stream)
            mapping = mappings[name] if mappings is not None else None
            built[name] = Source(spec, stream, parent_of(stream, built), pages, log, lists, mapping)
        return built[name]

    def parent_of(stream: Stream, built: dict[str, Source]) -> Source | None:
        declared = stream.source
        if declared is None:
            return None
        if isinstance(declared, Related) or declared.stream is not None:
            return source(declared.name, built)
        values = Source(spec, _of_values(declared), None, pages, log, lists)
        values.records = declared.records
        return values

    made = {
        name: source(name, shared if spec.streams[name].sync_mode == "incremental" else {})
        for name in selected or spec.streams
    }
    for name in selected:
        parent, incremental = made[name].parent, spec.streams[name].incremental
        if parent is not None and incremental is not None:
            parent.children.add(name)
    return made


def _feed_of(spec: Spec, stream: Stream) -> Any:
    """What a stream's change feed requests, and how: equal for streams that can share it. None if it has no feed."""
    feed = stream.incremental.change_feed if stream.incremental is not None else None
    if feed is None:
        return None
    request = replace(feed, names=(), record=None, where=(), prefix="", finds=None)
    return request, spelling(spec, stream)(EARLIEST), stream.form, stream.headers, stream.answers


def _top_of(spec: Spec, stream: Stream) -> str:
    """The stream whose list is read for a stream: its own, or that of the parent's parent, and so on."""
    while (parent := spec.parent_of(stream)) is not None:
        stream = parent
    return stream.name


def _of_values(parent: Parent) -> Stream:
    """A stream of the values of a parent."""
    return Stream(
        description="One row per value.",
        primary_key=("value",),
        sync_mode="full_refresh",
        pagination=(Single(),),
        fields={"value": Field(path=(compile_path("$.value"),))},
        name=parent.name,
    )
