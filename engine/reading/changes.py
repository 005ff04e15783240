"""Changes since the last pass: queries for rows that can have changed, and lookups of rows that are no longer open.

A pass reads the union of what the stream declares, step by step: the rows that belong to changed rows of another
stream, the queries, the rows that are still open. Rows that are open in the destination and in no result are looked up
by key; those that no longer exist are deleted. Last come the rows that a change feed names. What none of these finds is
left to reconciliation.

A pass can be interrupted and resumed: a position is the name of a step, a colon, and a position within the step.
"""

from __future__ import annotations

import re
import uuid
from collections import deque
from collections.abc import Callable, Hashable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from functools import cached_property, partial
from itertools import chain, zip_longest
from typing import Any, Final

from engine.failures import Failure, MissingKey, NotFound, OrderMoved, RequestRejected, Unauthorized, ends_sync
from engine.instants import EARLIEST, shifted
from engine.jsonpath import JsonPath
from engine.nouns import counted
from engine.pagination import Pagination, Paginator, paginate_unjoined
from engine.pagination.stop_at import StopAtPaginator
from engine.reading.backfill import existing, first_of_list, read_all
from engine.reading.batch import Batch, DeletedRow
from engine.reading.children import ListOfChildren, SinceLast, after, children_of, joined, split
from engine.reading.known_parents import KnownParents
from engine.reading.lookup import look_up, lookup_size
from engine.reading.pages import ListPage, ListRequest, resuming, with_records
from engine.reading.shared_lists import SharedChanges, SharedReading
from engine.reading.source import IsLater, Source
from engine.reading.window import CLOCK_RESOLUTION
from engine.requests import Record, Request
from engine.rows.mapping import first_of, instant_reader
from engine.spec.dialect import ChangeFeed, Fallback, Incremental, OpenRows, Stream
from engine.spec.records import Records
from engine.spec.types import INTEGERS
from engine.state import Counter, Interval, KeyValue, fingerprint

_MAX_REJECTED: Final = 20

Found = Batch | DeletedRow


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
    _began: datetime | None = None
    _responses: int = 0
    _rejected: int = 0  # lookups in a row

    def run(self, position: str | None = None) -> Iterator[Found]:
        """Yield the records that can have changed, each once, and the open rows that were deleted.

        Args:
            position: Where an interrupted pass stopped.
        """
        return self._shared() if self._can_share(position) else self._run(position)

    def run_for_children(self, stream: str, position: str | None) -> Iterator[Found]:
        """The same for a stream that reads the children of these rows. What another stream has found will do."""
        self.source.children.discard(stream)
        found = self.source.changes
        if position is None and found is not None and found.since <= self.since and found.found.join():
            yield from found.found.read()
            self.covered.update(found.covered)
        else:
            yield from self._shared() if self._can_share(position) else self._run(position, for_children=True)

    def _can_share(self, position: str | None) -> bool:
        """Whether streams that are read later can have what this pass finds."""
        return position is None and bool(self.source.children) and self.source.parent is None

    def _shared(self) -> Iterator[Found]:
        # The last passes of those streams began at the same time, but by other estimates of the server's clock.
        self.since = shifted(self.since, -CLOCK_RESOLUTION)
        reading = SharedReading(self._run(for_children=True))
        self.source.changes = SharedChanges(self.since, reading, self.covered)
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
            yield replace(self._unseen(found), position=f"{name}:{at}")

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
        return self.look_up(keys, position)

    def look_up(self, keys: Sequence[KeyValue], position: str | None = None) -> Iterator[Found]:
        """The rows with these keys. Those that are gone are asked for twice. Positions are keys that are done."""
        for group, batches in self._looked_up(keys):
            if batches is None:
                self.source.warning(f"the server rejects the key {str(group[0])[:100]!r} of a row; it stays as it is")
            else:
                yield from (replace(batch, position=position) for batch in batches)
                yield from self._unless_gone(group, {key for batch in batches for key, _ in batch.records}, position)
            position = str(group[-1])
            yield Batch((), self._began, position)

    def _unless_gone(self, keys: Sequence[KeyValue], found: set[Hashable], position: str | None) -> Iterator[Found]:
        """The rows that a lookup did not find: the records of those that a second one finds, and the deleted ones."""
        for batch in self._records_of([key for key in keys if (key,) not in found]):
            found.update(key for key, _ in batch.records)
            yield replace(batch, position=position)
        yield from (DeletedRow((key,)) for key in keys if (key,) not in found)

    def _looked_up(self, keys: Sequence[KeyValue]) -> Iterator[tuple[Sequence[KeyValue], Sequence[Batch] | None]]:
        """The keys in groups, each with its records. None: the server rejects this key, which halving a group finds.

        Raises:
            RequestRejected: the server rejects so many lookups in a row that the keys are not the reason.
        """
        size = lookup_size(self.source)
        waiting = deque(keys[at : at + size] for at in range(0, len(keys), size))
        while waiting:
            group = waiting.popleft()
            try:
                batches = list(self._records_of(group))
            except RequestRejected:
                self._rejected += 1
                if self._rejected > _MAX_REJECTED:
                    raise
                if len(group) == 1:
                    yield group, None
                else:
                    waiting.extendleft((group[len(group) // 2 :], group[: len(group) // 2]))
                continue
            self._rejected = 0
            yield group, batches

    def _records_of(self, keys: Sequence[KeyValue]) -> Iterator[Batch]:
        return look_up(self.source, keys, first_of_list(self.source))

    # --- the change feed ---------------------------------------------------------------------------------------------

    def _named_by(self, feed: ChangeFeed, position: str | None) -> Iterator[Batch]:
        if self.source.lacks_feed:
            return iter(())
        rows = self._rows_named_by(feed, position) if feed.record is None else self._rows_in(feed, feed.record)
        return self._unless_unreadable(feed, self._check_cursors(feed, rows))

    def _check_cursors(self, feed: ChangeFeed, batches: Iterator[Batch]) -> Iterator[Batch]:
        """The batches of a change feed, and a warning if none of its rows is sent because their cursors are older."""
        stream, cursor_of = self.source.stream, self.source.mapping.cursor
        rows = moved = 0
        for batch in batches:
            cursors = [cursor_of(record) for _, record in batch.records]
            rows, moved = rows + len(cursors), moved + sum(at is None or at >= self.since for at in cursors)
            yield batch
        if rows and not moved:
            self.source.warning(
                f"{feed.endpoint} has changes of {counted(rows, 'rows')}, none of which moved its "
                f"{stream.cursor_field}, so they are not sent"
            )

    def _rows_named_by(self, feed: ChangeFeed, position: str | None) -> Iterator[Batch]:
        """The rows that the change feed names. What it names is not trusted: it can be no key of this stream.

        A position is one in the feed and, if a page is done in part, the fingerprint of the last key that is done.
        """
        looked_up = set(self.open)
        at, last = split(position)
        for page in self._feed_pages(feed, at):
            keys = self._keys_named_on(page, feed)
            done = next((number for number, key in enumerate(keys, start=1) if _mark(key) == last), 0)
            unseen = [key for key in keys[done:] if (key,) not in self.seen and key not in looked_up]
            looked_up.update(unseen)
            for batch in self._look_up_named(feed, unseen):
                yield replace(batch, position=joined(at, batch.position or last))
            at, last = page.list_request.paginator.position, ""
            yield Batch((), page.asked_at, at)

    def _rows_in(self, feed: ChangeFeed, path: JsonPath) -> Iterator[Batch]:
        """The rows whose records the change feed has. It is read in one go, so that no older record follows a newer.

        Rows that this pass has read or looked up are as they are now, or gone.
        """
        newest: dict[Hashable, datetime | None] = {}
        looked_up = {(key,) for key in self.open}
        for page in self._feed_pages(feed, None):
            rows: dict[Hashable, Record] = {}
            for record in map(path.get, _records_on(page, feed)):
                key = self._key_of(record)
                if key is None or key in looked_up or (key in self.seen and key not in newest):
                    continue
                cursor = self.source.mapping.cursor(record)
                if key not in newest or (cursor or EARLIEST) > (newest[key] or EARLIEST):
                    newest[key], rows[key] = cursor, record
                    self.seen.discard(key)
            yield Batch([*rows.items()], page.asked_at)

    def _key_of(self, record: Any) -> Hashable:
        """The key of a row in a change feed; None if it has none. An event can be about something else."""
        try:
            return self.source.mapping.key(record) if isinstance(record, dict) else None
        except MissingKey:
            return None

    def _feed_pages(self, feed: ChangeFeed, position: str | None) -> Iterator[ListPage]:
        request = self.source.request(feed.body, feed.query, feed.endpoint).bind({"since": self.since})

        def pages(start: str | None) -> Iterator[ListPage]:
            paginator = feed.pagination.paginate(request, start)
            records = Records(list=(feed.records,))
            return self.source.read([ListRequest(paginator, records, feed.own_key.get, form=self.source.form)])

        records = named = 0
        for page in resuming(pages, position, feed.pagination):
            found = [*map(first_of(feed.paths), _records_on(page, feed))]
            records, named = records + len(found), named + sum(value is not None for value in found)
            yield page
        if records and not named:
            paths = " or ".join(path.text for path in feed.paths)
            self.source.warning(f"{feed.endpoint} returned {counted(records, 'records')}, none with a value at {paths}")

    def _look_up_named(self, feed: ChangeFeed, keys: Sequence[KeyValue]) -> Iterator[Batch]:
        """The records of these keys. Keys that the server rejects are left out, which halving the request finds.

        A position is the fingerprint of the last key that is done.
        """
        usable = [key for key in keys if self._has_form_of_key(key)]
        self._ignore(feed, [key for key in keys if key not in usable])
        last = None
        for group, batches in self._looked_up(usable):
            if batches is None:
                self._ignore(feed, group)
            else:
                yield from (replace(batch, position=last) for batch in batches)
            last = _mark(group[-1])
            yield Batch((), self._began, last)

    def _keys_named_on(self, page: ListPage, feed: ChangeFeed) -> Sequence[KeyValue]:
        """The keys that a page of a change feed names, each once."""
        names = map(first_of(feed.names), _records_on(page, feed))
        named = [str(name) for name in names if type(name) in (str, int)]
        keys = [text.removeprefix(feed.prefix) for text in named if text.startswith(feed.prefix)]
        return list(dict.fromkeys(int(key) if self._keys_are_integers and _is_integer(key) else key for key in keys))

    @property
    def _keys_are_integers(self) -> bool:
        stream = self.source.stream
        return stream.fields[stream.primary_key[0]].type in INTEGERS

    def _has_form_of_key(self, key: KeyValue) -> bool:
        """Whether a value can be a key: if the stream's keys are integers or UUIDs, it is one."""
        if self._keys_are_integers:
            return isinstance(key, int)
        return _is_uuid(str(key)) or not self._keys_are_uuids

    @cached_property
    def _keys_are_uuids(self) -> bool:
        """Whether the stream's keys are UUIDs, by one that is known or else by the first in its list."""
        keys = chain(self.seen, (key for batch in read_all(self.source, ahead=False) for key, _ in batch.records))
        known = chain(self.open, (key[0] for key in keys if isinstance(key, tuple)))
        return _is_uuid(str(next(known, "")))

    def _ignore(self, feed: ChangeFeed, keys: Sequence[KeyValue]) -> None:
        if keys and not self.source.has_ignored:
            self.source.has_ignored = True
            self.source.warning(
                f"{feed.endpoint} names keys that are none of {self.source.stream.name}, such as "
                f"{str(keys[0])[:100]!r}; they are ignored"
            )

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
        """Raise the failure again if it would meet every stream, or if nothing else finds what it hides."""
        if ends_sync(failure) or not self.reconciled:
            raise failure

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
    }
    return fingerprint(parts).hex()


def _newest(page: ListPage, instant_at: Callable[[Record], datetime | None] | None) -> datetime:
    """The newest timestamp on a page."""
    instants = (instant_at(record) for _, record in page.new) if instant_at is not None else ()
    return max((at for at in instants if at is not None), default=EARLIEST)


def _records_on(page: ListPage, feed: ChangeFeed) -> Iterator[Record]:
    """The records of a page of a change feed that count."""
    return (record for _, record in page.new if all(condition.holds(record) for condition in feed.where))


def _is_integer(text: str) -> bool:
    return re.fullmatch("-?[0-9]{1,18}", text) is not None


def _mark(key: KeyValue) -> str:
    """A fingerprint of a key, which can be of any length."""
    return fingerprint({"": key}).hex()


def _is_uuid(text: str) -> bool:
    try:
        return str(uuid.UUID(text)) == text.lower()
    except ValueError:
        return False
