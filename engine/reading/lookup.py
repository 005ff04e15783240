"""Rows by their keys: several with one request or, if the server returns only one at a time, each with its own.

The server says by a 404 that it has no row with a key. By itself that proves nothing: the path can be wrong. So it
counts only if another row is found by its key, one that the server lists.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Hashable, Iterator, Sequence
from dataclasses import replace
from typing import Final

from engine.failures import Failure, RequestRejected, SkippedList
from engine.pagination.single import Single
from engine.reading.batch import Batch, DeletedRow, Found
from engine.reading.pages import ListPage, ListRequest, with_records
from engine.reading.source import Source
from engine.requests import KeyedRecord, Request, leaves_its_place
from engine.spec.dialect import Lookup
from engine.spec.formats import JSON
from engine.spec.records import WHOLE
from engine.state import KeyValue

_SIZE: Final = 100  # keys per request
_AT_ONCE: Final = 20  # rows with a request each
_MAX_REJECTED: Final = 20
_LISTED: Final = 5  # rows of the list, of which the server must find one by its key


def has_lookup(source: Source) -> bool:
    """Whether the rows of a stream can be requested by their keys."""
    return source.stream.incremental is not None and source.stream.incremental.lookup is not None


def _declared(source: Source) -> Lookup:
    assert source.stream.incremental is not None and source.stream.incremental.lookup is not None
    return source.stream.incremental.lookup


def lookup_size(source: Source) -> int:
    """The number of keys to look up at a time: of those in one request, at most what fits a page."""
    declared = _declared(source)
    if declared.is_of_one:
        return _AT_ONCE
    style = source.style_of(_request(source, declared))
    return max(1, min(_SIZE, (style.page_size or _SIZE + 1) - 1))


def look_up(source: Source, keys: Sequence[KeyValue], listed: Callable[[], Sequence[KeyedRecord]]) -> Iterator[Batch]:
    """The records that have one of these keys.

    Args:
        source: The stream.
        keys: Values of its primary key, which is one column.
        listed: Requests the first rows of the list.

    Raises:
        RequestRejected: the server rejects one of the keys.
        Failure: a request failed for good, or the server does not find the rows that it lists by their keys either, so
            that nothing can be concluded.
    """
    declared, size = _declared(source), lookup_size(source)
    for at in range(0, len(keys), size):
        some = keys[at : at + size]
        if declared.is_of_one:
            yield from _each(source, declared, some, listed)
            continue
        request = _request(source, declared).bind({"keys": list(some)})
        for page in source.read([_list(source, declared, request)]):
            yield Batch(page.new, page.asked_at)


class Lookups:
    """The lookups of a pass, in groups of keys. A key that the server rejects does not keep it from finding the others.

    Args:
        source: The stream.
        listed: Requests the first rows of the list.
    """

    def __init__(self, source: Source, listed: Callable[[], Sequence[KeyedRecord]]) -> None:
        self._source = source
        self._listed = listed
        self._rejected = 0  # in a row

    def rows(self, keys: Sequence[KeyValue], position: str | None = None) -> Iterator[Found]:
        """The rows with these keys. Those that are gone are asked for twice. Positions are keys that are done."""
        for group, batches in self.groups(keys):
            if batches is None:
                self._source.warning(f"the server rejects the key {str(group[0])[:100]!r} of a row; it stays as it is")
            else:
                yield from (replace(batch, position=position) for batch in batches)
                yield from self._unless_gone(group, {key for batch in batches for key, _ in batch.records}, position)
            position = str(group[-1])
            yield Batch((), position=position)

    def _unless_gone(self, keys: Sequence[KeyValue], found: set[Hashable], position: str | None) -> Iterator[Found]:
        """The rows that a lookup did not find: the records of those that a second one finds, and the deleted ones."""
        for batch in self._records_of([key for key in keys if (key,) not in found]):
            found.update(key for key, _ in batch.records)
            yield replace(batch, position=position)
        yield from (DeletedRow((key,)) for key in keys if (key,) not in found)

    def groups(self, keys: Sequence[KeyValue]) -> Iterator[tuple[Sequence[KeyValue], Sequence[Batch] | None]]:
        """The keys in groups, each with its records. None: the server rejects this key, which halving a group finds.

        Raises:
            RequestRejected: the server rejects so many lookups in a row that the keys are not the reason.
        """
        size = lookup_size(self._source)
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
        return look_up(self._source, keys, self._listed)


def _request(source: Source, declared: Lookup) -> Request:
    return source.request(declared.body, declared.query, declared.endpoint)


def _list(source: Source, declared: Lookup, request: Request, of: Hashable = None) -> ListRequest:
    """The list of the rows with some keys."""
    return with_records(source.listed(source.style_of(request).paginate(request), of=of), declared.records)


def _row(source: Source, declared: Lookup, request: Request, of: Hashable) -> ListRequest:
    """The record of the row with one key."""
    list_request = source.listed(Single(one_record=True).paginate(request), of=of)
    list_request = replace(list_request, records=WHOLE, form=JSON, endpoint_exists=True, may_be_gone=True)
    return with_records(list_request, declared.records)


def _each(
    source: Source, declared: Lookup, keys: Sequence[KeyValue], listed: Callable[[], Sequence[KeyedRecord]]
) -> Iterator[Batch]:
    """The records of rows that are requested one by one, several at once."""
    found = set[Hashable]()
    for page in _pages(source, declared, keys):
        rows = page.new
        if declared.returns_one:  # a row that was merged into another is found under the other's key
            rows = [keyed for keyed in rows if keyed[0] == page.list_request.of]
        found.update(key for key, _ in rows)
        yield Batch(rows, page.asked_at)
    source.finds_by_key = source.finds_by_key or bool(found)
    if declared.returns_one and not source.finds_by_key and any((key,) not in found for key in keys):
        _check_finds_listed(source, declared, listed)


def _pages(source: Source, declared: Lookup, keys: Sequence[KeyValue]) -> Iterator[ListPage]:
    """The response for each key that has one."""
    requests = [(key, _request(source, declared).bind({"key": key})) for key in keys]
    for key, request in requests:
        if leaves_its_place(request.endpoint.path, {"key": key}):
            raise RequestRejected(f"{source.stream.name}: the key {str(key)[:100]!r} cannot be part of a path.")
    listed = _row if declared.returns_one else _list
    lists = (listed(source, declared, request, (key,)) for key, request in requests)
    for page in source.read(lists, width=source.concurrency):
        if isinstance(page.unread, SkippedList):
            raise RequestRejected(str(page.unread))
        yield page


def _check_finds_listed(source: Source, declared: Lookup, listed: Callable[[], Sequence[KeyedRecord]]) -> None:
    """Look up rows that the server lists: if it finds none of them, it did not say that the others are gone.

    Raises:
        Failure: it finds none of them, or others in their place.
    """
    rows = listed()[:_LISTED]
    keys = [key[0] for key, _ in rows if isinstance(key, tuple)]
    are_right = [page.new[0][0] == page.list_request.of for page in _pages(source, declared, keys) if page.new]
    source.finds_by_key = bool(are_right) and all(are_right)
    if keys and not source.finds_by_key:
        raise Failure(
            f"{source.stream.name}: {declared.endpoint} finds none of the rows that {source.what} lists, such as "
            f"{str(keys[0])[:100]!r}, so nothing is concluded from those that it does not find. Compare lookup in "
            "streams.yaml with what the server accepts."
        )
