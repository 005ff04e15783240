"""Changes since the last pass: queries for rows that can have changed, and lookups of rows that are no longer open.

A pass reads the union of what the stream declares, step by step: the rows that belong to changed rows of another
stream, the queries, the rows that are still open. Rows that are open in the destination and in no result are looked up
by key; those that no longer exist are deleted. Last come the rows that a change feed names. What none of these finds is
left to reconciliation.

A pass can be interrupted and resumed: a position is the name of a step, a colon, and a position within the step.
"""

from __future__ import annotations

from collections.abc import Callable, Hashable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from functools import cached_property, partial
from itertools import zip_longest

from engine.failures import ChangesExpired, Failure, NotFound, OrderMoved, RequestRejected, Unauthorized, ends_sync
from engine.instants import EARLIEST, shifted
from engine.pagination import Pagination, Paginator, paginate_unjoined
from engine.pagination.stop_at import StopAtPaginator
from engine.reading.backfill import existing, first_of_list, read_all
from engine.reading.batch import Batch, DeletedRow, Found
from engine.reading.change_feed import FeedReader
from engine.reading.children import ListOfChildren, SinceLast, after, children_of, joined, split
from engine.reading.known_parents import KnownParents
from engine.reading.lookup import Lookups
from engine.reading.pages import ListPage, ListRequest, resuming, with_records
from engine.reading.shared_lists import SharedChanges, SharedReading
from engine.reading.source import IsLater, Source
from engine.reading.window import CLOCK_RESOLUTION
from engine.requests import Record, Request
from engine.rows.mapping import instant_reader
from engine.spec.dialect import ChangeFeed, Fallback, Incremental, OpenRows, Stream
from engine.state import Counter, Interval, KeyValue, fingerprint


@dataclass
class ChangesPass:
    """One pass over the changes of a stream.

    Attributes:
        source: The stream.
        since: The start of the last complete pass minus the lookback.
        open: The keys of rows that are open in the destination.
        parent: For a stream that reads the children of other rows: the pass over the changes of those.
        parents: The rows of the parent whose children the destination has, if each is asked for its changes.
        parent_changed: Whether a row of the parent changed, so that its children are read.
        is_later: Whether a change happened after the pass began.
        resumed: When the pass began, if it is resumed.
        reconciled: Whether reconciliation finds what this pass does not.
        last: The greatest cursor of the rows so far, if cursors are no instants: what ``$since`` is then.
        seen: The keys of all records that the pass found.
        covered: For each query that was read to its end, the interval of ``filters_by`` in which it found every row.
        left_out: The failures of what could not be read and is left to reconciliation.
        closed: The keys of rows that only a lookup found, so that nothing shows them again to a later pass.
    """

    source: Source
    since: datetime
    open: frozenset[KeyValue] = frozenset()
    parent: ChangesPass | None = None
    parents: KnownParents = field(default_factory=KnownParents)
    parent_changed: Callable[[Record], bool] = lambda parent: True
    is_later: IsLater | None = None
    resumed: datetime | None = None
    reconciled: bool = False
    last: Counter = None
    seen: set[Hashable] = field(default_factory=set)
    covered: dict[str, Interval] = field(default_factory=dict)
    left_out: list[Failure] = field(default_factory=list)
    closed: set[KeyValue] = field(default_factory=set)
    _began: datetime | None = None
    _responses: int = 0

    def run(self, position: str | None = None) -> Iterator[Found]:
        """Yield the records that can have changed, each once, and the open rows that were deleted.

        Args:
            position: Where an interrupted pass stopped.
        """
        return self._shared() if self._can_share(position) else self._run(position)

    def run_for_children(self, stream: str, position: str | None) -> Iterator[Found]:
        """The same for a stream that reads the children of these rows.

        What another stream has found will do, unless these rows need more.
        """
        self.source.children.discard(stream)
        found = self.source.changes
        if position is None and found is not None and self._is_enough(found) and found.found.join():
            yield from found.found.read()
            self.covered.update(found.covered)
        else:
            yield from self._shared() if self._can_share(position) else self._run(position, for_children=True)

    def _is_enough(self, found: SharedChanges) -> bool:
        """Whether another pass finds all that this one would."""
        is_whole = self.reconciled or not found.left_out
        return is_whole and found.since <= self.since and found.open >= self.open

    def _can_share(self, position: str | None) -> bool:
        """Whether streams that are read later can have what this pass finds."""
        return position is None and bool(self.source.children) and self.source.parent is None

    def _shared(self) -> Iterator[Found]:
        # The last passes of those streams began at the same time, but by other estimates of the server's clock.
        self.since = shifted(self.since, -CLOCK_RESOLUTION)
        reading = SharedReading(self._run(for_children=True))
        self.source.changes = SharedChanges(self.since, self.open, reading, self.covered, self.left_out)
        reading.join()
        return reading.read()

    def _run(self, position: str | None = None, *, for_children: bool = False) -> Iterator[Found]:
        """Run the steps.

        A row can slip away: still open while the queries for finished rows are read and finished once the open rows are
        read, or moved to a page that was read already. The next pass finds the row, which has changed since, but not
        those of its children that changed before. So if children of these rows are read, the queries are sent a second
        time, for what changed during this pass, unless one response had everything.
        """
        steps = self.steps(for_children=for_children)
        reached, _, inner = (position or "").partition(":")
        names = list(steps)
        first = names.index(reached) if reached in names else 0
        for name, following in zip_longest(names[first:], names[first + 1 :]):
            at = inner if name == reached else ""
            yield from self._step(name, steps[name](at or None), at)
            if following is not None:
                yield Batch((), self._began, f"{following}:")

    def _step(self, name: str, batches: Iterator[Found], at: str) -> Iterator[Found]:
        """What a step finds, from a position on, and no step found before. Its positions become those of the pass."""
        for found in batches:
            if isinstance(found, DeletedRow):
                yield found
                continue
            at = found.position or at
            if self._began is None and found.asked_at is not None:
                self._began = min(found.asked_at, self.resumed or found.asked_at)
            asked_at = found.asked_at or self._began
            yield replace(self._unseen(found), position=f"{name}:{at}", asked_at=asked_at)

    def steps(self, *, for_children: bool = False) -> Mapping[str, Callable[[str | None], Iterator[Found]]]:
        """What to read, in order, each by a name that stays the same as long as the declaration does."""
        incremental = self.source.stream.incremental
        if incremental is None:
            return {"list": partial(read_all, self.source, shared=True)}
        steps: dict[str, Callable[[str | None], Iterator[Found]]] = {}
        if self.source.stream.asks_each_parent:
            steps["children"] = self._children_of_each
        elif self.parent is not None:
            steps["children"] = partial(self._children_of_changed, self.parent)
        of_each = self.source.stream.query_of_each_parent
        queries = [number for number, query in enumerate(incremental.changes) if query is not of_each]
        steps |= {f"query {number + 1}": partial(self._query, number) for number in queries}
        if incremental.open is not None:
            steps["open"] = self._open_rows
        if for_children:
            steps |= {f"query {number + 1} again": partial(self._query_again, number) for number in queries}
        if self.open:
            steps["lookup"] = self._no_longer_open
        if incremental.change_feed is not None:
            steps["change feed"] = partial(self._named_by, incremental.change_feed)
        return steps

    def _unseen(self, batch: Batch) -> Batch:
        unseen = [keyed for keyed in batch.records if keyed[0] not in self.seen]
        self.seen.update(key for key, _ in unseen)
        return replace(batch, records=unseen, counted=0)

    @property
    def _incremental(self) -> Incremental:
        assert self.source.stream.incremental is not None
        return self.source.stream.incremental

    def _children_of_changed(self, parent: ChangesPass, position: str | None) -> Iterator[Batch]:
        """The records that belong to those rows of the parent that changed."""
        at, last = split(position)
        changed_later = parent.source.changed_later(self.is_later)
        for found in parent.run_for_children(self.source.stream.name, at):
            if isinstance(found, DeletedRow):
                continue
            yield Batch((), found.asked_at, joined(at, last))
            rest = after(found.records, last, changed_later)
            changed = [keyed for keyed in rest if found.of_new or self.parent_changed(keyed[1])]
            for children in children_of(self.source, changed, found.asked_at, existing):
                yield replace(children, position=joined(at, children.position or last), of_new=found.of_new)
            at, last = found.position, ""
            yield Batch((), found.asked_at, at)

    def _children_of_each(self, position: str | None) -> Iterator[Batch]:
        """What changed of the children of every row of the parent, and all children of those that are new."""
        query, changes = self.source.stream.query_of_each_parent, None
        if query is not None:
            paginate = partial(self._paginator, query, self.since)
            changes = ListOfChildren(
                self._request(query, self.since),
                lambda request, joined: paginate(request, joined=joined),
                query.records,
            )
        since_last = SinceLast(self.parents, changes)
        return read_all(self.source, position, is_later=self.is_later, since_last=since_last, shared=True)

    # --- queries -----------------------------------------------------------------------------------------------------

    def _query(self, number: int, position: str | None, since: datetime | None = None) -> Iterator[Batch]:
        batches = self._first_accepted(number, since or self.since, position)
        if not self._incremental.changes[number].optional:
            return batches
        return iter(()) if number in self.source.rejected else self._unless_rejected(number, batches)

    def _query_again(self, number: int, position: str | None) -> Iterator[Batch]:
        """Once more, for rows that moved during this pass."""
        if self._responses == 1 and self.resumed is None and self.source.parent is None:
            return iter(())
        return self._query(number, position, self._began and shifted(self._began, -self.source.lookback))

    def _first_accepted(self, number: int, since: datetime, position: str | None) -> Iterator[Batch]:
        """The result of a query, by the first of its alternatives that the server accepts.

        A position within a query is the index of the alternative, a slash, and a position in its list.
        """
        query, source = self._incremental.changes[number], self.source
        resumed, _, inner = (position or "").partition("/")
        for at in range(int(resumed or source.accepted.get(number, 0)), len(query.alternatives)):
            has_begun = False
            batches = partial(self._alternative, query.alternatives[at], since)
            try:
                for batch in resuming(batches, inner or None, self._style(query.alternatives[at])):
                    has_begun = True
                    source.accepted[number] = at
                    yield replace(batch, position=f"{at}/{batch.position or ''}")
                return
            except (RequestRejected, NotFound) as failure:
                if has_begun or at + 1 == len(query.alternatives):
                    if query.alternatives[at].endpoint is None:
                        raise
                    raise RequestRejected(str(failure)) from failure  # the stream has an endpoint of its own
            source.info(
                f"the server rejects alternative {at + 1} of {len(query.alternatives)} for query {number + 1}; "
                "trying the next"
            )
            inner = ""

    def _alternative(self, query: Fallback, since: datetime, position: str | None) -> Iterator[Batch]:
        """The result of a query. Read to its end, it covers an interval."""
        newest = since
        instant_at = instant_reader(self.source.stream, query.filters_by) if query.filters_by else None
        try:
            for page in self.source.read([self._list(query, since, position)]):
                self._responses += 1
                newest = max(newest, _newest(page, instant_at))
                yield Batch(page.new, page.asked_at, page.list_request.paginator.position)
        except OrderMoved:
            for page in self.source.read_until_settled(partial(self._list, query, since, joined=False)):
                yield Batch(page.new, page.asked_at)
        end = newest
        if self._began is not None:  # a date far ahead proves nothing
            end = min(newest, shifted(self._began, self.source.lookback))
        if end > since == self.since:
            self.covered[query_name(self.source.stream, query)] = Interval(since, end)

    def _request(self, query: Fallback, since: datetime) -> Request:
        """The request of a query, whose ``$from`` is where the query starts."""
        start = query.start.value({"since": since}) if query.start is not None else since
        body = self.source.stream.body if query.body is None and query.endpoint is None else query.body
        request = self.source.request(body, query.query, query.endpoint)
        request = request.bind({"since": self._since_of(since), "from": start})
        request = replace(request, headers=query.headers)
        return replace(request, spelling=query.instants.spell) if query.instants is not None else request

    def _since_of(self, since: datetime) -> datetime | Counter:
        """The value of ``$since``."""
        stream = self.source.stream
        return self.last if stream.cursor_field is not None and not stream.has_instants else since

    def _style(self, query: Fallback) -> Pagination:
        return query.pagination or self.source.style_of(self._request(query, self.since))

    def _list(
        self, query: Fallback, since: datetime, position: str | None = None, *, joined: bool = True
    ) -> ListRequest:
        paginator = self._paginator(query, since, self._request(query, since), position, joined=joined)
        return with_records(self.source.listed(paginator), query.records)

    def _paginator(
        self, query: Fallback, since: datetime, request: Request, position: str | None = None, *, joined: bool = True
    ) -> Paginator:
        style = self._style(query)
        paginator = self.source.paginate(style, request, position, self.is_later, joined=joined)
        if query.stop_at is not None:
            instant_at = instant_reader(self.source.stream, query.stop_at)
            paginator = StopAtPaginator(paginator, query.stop_at, since, instant_at)
        return paginator

    # --- open rows ---------------------------------------------------------------------------------------------------

    def _open_rows(self, position: str | None) -> Iterator[Batch]:
        """The rows that are open. Values that the server does not know are left out: it has no such rows."""
        opened, source = self._incremental.open, self.source
        assert opened is not None
        has_begun = False
        try:
            for batch in self._rows_open_by(self._known_values(opened), position):
                has_begun = True
                yield batch
            return
        except RequestRejected as rejected:
            asked = self._known_values(opened)
            known = [] if has_begun or len(asked) == 1 else [value for value in asked if self._is_known(value)]
            if len(known) in (0, len(asked)):
                raise
            unknown = [value for value in asked if value not in known]
            source.unknown_values.update(unknown)
            source.info(f"the server does not know {', '.join(unknown)}; leaving that out. {rejected}")
        yield from self._rows_open_by(self._known_values(opened), None)

    def _known_values(self, opened: OpenRows) -> list[str]:
        return [value for value in opened.values if value not in self.source.unknown_values]

    def _is_known(self, value: str) -> bool:
        """Whether the server accepts a value of open rows. This takes one request."""
        try:
            next(self._rows_open_by([value], None), None)
        except RequestRejected:
            return False
        return True

    def _rows_open_by(self, values: Sequence[str], position: str | None) -> Iterator[Batch]:
        opened = self._incremental.open
        assert opened is not None
        request = self.source.request(opened.body, opened.query).bind({"open": list(values)})
        source, style, listed = self.source, self.source.style_of(request), self.source.listed
        try:
            for page in resuming(lambda at: source.read([listed(style.paginate(request, at))]), position, style):
                self._responses += 1
                yield Batch(page.new, page.asked_at, page.list_request.paginator.position)
        except OrderMoved:
            for page in source.read_until_settled(lambda: listed(paginate_unjoined(style, request))):
                yield Batch(page.new, page.asked_at)

    def _no_longer_open(self, position: str | None) -> Iterator[Found]:
        """The rows that are open in the destination and were not found."""
        keys = [key for key in sorted(self.open, key=str) if str(key) > (position or "") and (key,) not in self.seen]
        for found in self._lookups.rows(keys, position):
            if isinstance(found, Batch):
                self.closed.update(key[0] for key, _ in found.records if isinstance(key, tuple))
            yield found

    def look_up(self, keys: Sequence[KeyValue]) -> Iterator[Found]:
        """The rows with these keys, and those that are gone."""
        return self._lookups.rows(keys)

    @cached_property
    def _lookups(self) -> Lookups:
        return Lookups(self.source, first_of_list(self.source))

    # --- the change feed ---------------------------------------------------------------------------------------------

    def _named_by(self, feed: ChangeFeed, position: str | None) -> Iterator[Batch]:
        if self.source.lacks_feed:
            return iter(())
        reader = FeedReader(self.source, feed, self.since, self.open, self.seen, self._lookups)
        return self._unless_unreadable(feed, reader.read(position))

    # --- what reconciliation can do without --------------------------------------------------------------------------

    def _unless_rejected(self, number: int, batches: Iterator[Batch]) -> Iterator[Batch]:
        """The batches of an optional query, as far as it can be read."""
        name = f"query {number + 1}"
        try:
            yield from batches
        except (RequestRejected, NotFound):
            self.source.rejected.add(number)
            self.source.info(f"the server rejects {name}; {self._what_becomes_of('what it would have found')}")
        except Failure as failure:
            self._check_dispensable(failure)
            self.source.warning(f"{name} failed; {self._what_becomes_of('what it would have found')}. {failure}")

    def _unless_unreadable(self, feed: ChangeFeed, batches: Iterator[Batch]) -> Iterator[Batch]:
        """The rows that a change feed names, as far as it can be read."""
        rest = self._what_becomes_of("the changes that only it names")
        try:
            yield from batches
        except NotFound:
            self.source.lacks_feed = True
            self.source.info(f"the server has no {feed.endpoint}; {rest}")
        except Failure as failure:
            if ends_sync(failure) or not isinstance(failure, (RequestRejected, Unauthorized)):
                self._check_dispensable(failure)
            self.source.warning(f"{feed.endpoint} cannot be read; {rest}. {failure}")

    def _check_dispensable(self, failure: Failure) -> None:
        """Raise a failure again that would meet every stream, or that only reading the whole list makes up for."""
        if ends_sync(failure) or isinstance(failure, ChangesExpired) or not self.reconciled:
            raise failure
        self.left_out.append(failure)

    def _what_becomes_of(self, changes: str) -> str:
        return f"reconciliation finds {changes}" if self.reconciled else f"nothing else finds {changes}"


def query_name(stream: Stream, query: Fallback) -> str:
    """A name of a stream's query for the state: another query, another name."""
    parts = {
        "stream": stream.name,
        "body": query.body,
        "query": query.query,
        "filters_by": str(query.filters_by),
        "stop_at": query.stop_at,
        **({"endpoint": query.endpoint} if query.endpoint is not None else {}),
        **({"headers": query.headers} if query.headers else {}),
    }
    return fingerprint(parts).hex()


def _newest(page: ListPage, instant_at: Callable[[Record], datetime | None] | None) -> datetime:
    """The newest timestamp on a page."""
    instants = (instant_at(record) for _, record in page.new) if instant_at is not None else ()
    return max((at for at in instants if at is not None), default=EARLIEST)
