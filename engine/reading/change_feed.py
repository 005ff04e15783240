"""A change feed: another list of the server, such as events, which names rows that changed or has their records.

What it names is not trusted: it can be no key of the stream. Keys that have the form of one are looked up.
"""

from __future__ import annotations

import re
import uuid
from collections.abc import Hashable, Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from functools import cached_property, partial
from itertools import chain
from typing import Any

from engine.failures import MissingKey
from engine.instants import EARLIEST
from engine.jsonpath import JsonPath
from engine.nouns import counted
from engine.reading.backfill import read_all
from engine.reading.batch import Batch
from engine.reading.children import joined, split
from engine.reading.lookup import Lookups
from engine.reading.pages import ListPage, ListRequest, resuming
from engine.reading.source import Source
from engine.requests import Record
from engine.rows.mapping import first_of
from engine.spec.dialect import ChangeFeed
from engine.spec.records import Records
from engine.spec.types import INTEGERS
from engine.state import KeyValue, fingerprint


@dataclass
class FeedReader:
    """Reads the rows that a change feed names or has.

    Attributes:
        source: The stream of the rows.
        feed: The feed.
        since: From when on changes are wanted.
        open: The keys of rows that were looked up before, if no list had them.
        seen: The keys of rows that were found before.
        lookups: Looks rows up by key.
    """

    source: Source
    feed: ChangeFeed
    since: datetime
    open: frozenset[KeyValue]
    seen: set[Hashable]
    lookups: Lookups

    def read(self, position: str | None) -> Iterator[Batch]:
        """The rows, from a position on. If none of them is sent because their cursors are older, a warning says so."""
        stream, cursor_of = self.source.stream, self.source.mapping.cursor
        rows = moved = 0
        for batch in self._named(position) if self.feed.record is None else self._held(self.feed.record):
            cursors = [cursor_of(record) for _, record in batch.records]
            rows, moved = rows + len(cursors), moved + sum(at is None or at >= self.since for at in cursors)
            yield batch
        if rows and not moved:
            self.source.warning(
                f"{self.feed.endpoint} has changes of {counted(rows, 'rows')}, none of which moved its "
                f"{stream.cursor_field}, so they are not sent"
            )

    def _named(self, position: str | None) -> Iterator[Batch]:
        """The rows that the feed names.

        A position is one in the feed and, if a page is done in part, the fingerprint of the last key that is done.
        """
        looked_up = set(self.open)
        at, last = split(position)
        for page in self._pages(at):
            yield Batch((), page.asked_at)
            keys = self._keys_named_on(page)
            done = next((number for number, key in enumerate(keys, start=1) if _mark(key) == last), 0)
            unseen = [key for key in keys[done:] if (key,) not in self.seen and key not in looked_up]
            looked_up.update(unseen)
            for batch in self._look_up_named(unseen):
                yield replace(batch, position=joined(at, batch.position or last))
            at, last = page.position, ""
            yield Batch((), position=at)

    def _held(self, path: JsonPath) -> Iterator[Batch]:
        """The rows whose records the feed has. It is read in one go, so that no older record follows a newer.

        Rows that this pass has read or looked up are as they are now, or gone.
        """
        newest: dict[Hashable, datetime | None] = {}
        looked_up = {(key,) for key in self.open}
        for page in self._pages(None):
            rows: dict[Hashable, Record] = {}
            for record in map(path.get, self._records_on(page)):
                key = self._key_of(record)
                if key is None or key in looked_up or (key in self.seen and key not in newest):
                    continue
                cursor = self.source.mapping.cursor(record)
                if key not in newest or (cursor or EARLIEST) > (newest[key] or EARLIEST):
                    newest[key], rows[key] = cursor, record
                    self.seen.discard(key)
            yield Batch([*rows.items()], page.asked_at)

    def _key_of(self, record: Any) -> Hashable:
        """The key of a row; None if it has none. An event can be about something else."""
        try:
            return self.source.mapping.key(record) if isinstance(record, dict) else None
        except MissingKey:
            return None

    def _pages(self, position: str | None) -> Iterator[Batch]:
        """The pages of the feed: what another stream has requested will do, unless this is to be resumed."""
        if position is None:
            pages = self.source.lists.changes(self.source.stream.name, self.since, partial(self._requested, None))
        else:
            pages = self._requested(position, self.since)
        records = named = 0
        for page in pages:
            found = [*map(first_of(self.feed.paths), self._records_on(page))]
            records, named = records + len(found), named + sum(value is not None for value in found)
            yield page
        if records and not named:
            paths = " or ".join(path.text for path in self.feed.paths)
            self.source.warning(
                f"{self.feed.endpoint} returned {counted(records, 'records')}, none with a value at {paths}"
            )

    def _requested(self, position: str | None, since: datetime) -> Iterator[Batch]:
        request = self.source.request(self.feed.body, self.feed.query, self.feed.endpoint).bind({"since": since})

        def pages(start: str | None) -> Iterator[ListPage]:
            paginator = self.feed.pagination.paginate(request, start)
            records = Records(list=(self.feed.records,))
            return self.source.read([ListRequest(paginator, records, self.feed.own_key.get, form=self.source.form)])

        for page in resuming(pages, position, self.feed.pagination):
            yield Batch(page.new, page.asked_at, page.list_request.paginator.position)

    def _records_on(self, page: Batch) -> Iterator[Record]:
        """The records of a page that count."""
        return (record for _, record in page.records if all(condition.holds(record) for condition in self.feed.where))

    def _look_up_named(self, keys: Sequence[KeyValue]) -> Iterator[Batch]:
        """The records of these keys. Keys that the server rejects are left out, which halving the request finds.

        A position is the fingerprint of the last key that is done.
        """
        usable = [key for key in keys if self._has_form_of_key(key)]
        self._ignore([key for key in keys if key not in usable])
        last = None
        for group, batches in self.lookups.groups(usable):
            if batches is None:
                self._ignore(group)
            else:
                yield from (replace(batch, position=last) for batch in batches)
            last = _mark(group[-1])
            yield Batch((), position=last)

    def _keys_named_on(self, page: Batch) -> Sequence[KeyValue]:
        """The keys that a page names, each once."""
        names = map(first_of(self.feed.names), self._records_on(page))
        named = [str(name) for name in names if type(name) in (str, int)]
        keys = [text.removeprefix(self.feed.prefix) for text in named if text.startswith(self.feed.prefix)]
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

    def _ignore(self, keys: Sequence[KeyValue]) -> None:
        if keys and not self.source.has_ignored:
            self.source.has_ignored = True
            self.source.warning(
                f"{self.feed.endpoint} names keys that are none of {self.source.stream.name}, such as "
                f"{str(keys[0])[:100]!r}; they are ignored"
            )


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
