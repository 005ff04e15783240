"""The whole list of a stream: resumable, and in several slices at once if it is long and the server far away.

A child stream has no list of its own. Its records are those of all rows of its parent.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Hashable, Iterator, Mapping, Sequence
from dataclasses import replace
from datetime import datetime
from functools import partial
from time import monotonic
from typing import Final

from engine.failures import Failure, OrderMoved, RequestRejected
from engine.pagination.keyset import Keyset
from engine.pagination.slices import Slices
from engine.reading.batch import Batch
from engine.reading.children import SinceLast, after, children_of, joined, split
from engine.reading.lookup import has_lookup, look_up
from engine.reading.pages import is_expired
from engine.reading.source import IsLater, Source
from engine.requests import KeyedRecord, Record

_PAGES_WORTH_SLICING: Final = 20
_PAGES_WORTH_A_SLICE: Final = 2


def read_all(
    source: Source,
    position: str | None = None,
    *,
    ahead: bool = True,
    is_later: IsLater | None = None,
    of: Callable[[Record], bool] | None = None,
    since_last: SinceLast | None = None,
    shared: bool = False,
    restarts: bool = True,
) -> Iterator[Batch]:
    """Read the whole list, from its start or from a position. It ends once the list is confirmed to be complete.

    Args:
        source: The stream.
        position: The position of an earlier batch.
        ahead: Whether to fetch pages before they are wanted, and several slices at once.
        is_later: Whether a change happened after the pass began.
        of: For a child stream: selects the parent records whose children are read; by default, all.
        since_last: For a child stream that asks each parent: what is requested of those that are known.
        shared: Whether a reading by another stream of this sync will do.
        restarts: Whether to read the list from its start if the server no longer accepts the position.
    """
    if source.records is not None:
        yield Batch([(source.mapping.key(record), record) for record in source.records])
        return
    if shared and source.is_shareable and position is None and of is None:
        yield from source.lists.read(source.stream.name, partial(read_all, source, ahead=ahead, is_later=is_later))
        return
    if source.parent is None or source.stream.parent is None:
        yield from _list(source, position, ahead, is_later, restarts)
        return
    at, last = split(position)
    above = SinceLast(since_last.known) if since_last is not None else None
    own = since_last if source.stream.asks_each_parent else None
    parents = read_all(
        source.parent, at, ahead=ahead, is_later=is_later, since_last=above, shared=shared, restarts=restarts
    )
    for batch in parents:
        # The parent's own page counts as asked for first, so that the pass began no later than it.
        yield Batch((), batch.asked_at, joined(at, last))
        rows = [keyed for keyed in after(batch.records, last) if of is None or of(keyed[1])]
        for children in children_of(source, rows, batch.asked_at, existing, own):
            of_new = children.of_new or batch.of_new
            yield replace(children, position=joined(at, children.position or last), of_new=of_new)
        at, last = batch.position, ""
        yield Batch((), batch.asked_at, at, batch.counted, batch.continues)


def existing(source: Source, keys: Sequence[Hashable]) -> Mapping[Hashable, Record]:
    """The records of those of the keys that the server still has, by a lookup or else by the whole list."""
    if has_lookup(source):
        batches = look_up(source, [key[0] for key in keys if isinstance(key, tuple)], first_of_list(source))
    else:
        batches = read_all(source)
    wanted, is_row = set(keys), source.mapping.is_row
    return {key: record for batch in batches for key, record in batch.records if key in wanted and is_row(record)}


def first_of_list(source: Source) -> Callable[[], Sequence[KeyedRecord]]:
    """A function that returns the first rows of the list; none if it is empty."""
    return lambda: next((batch.records for batch in read_all(source, ahead=False) if batch.records), ())


def _list(
    source: Source, position: str | None, ahead: bool, is_later: IsLater | None, restarts: bool
) -> Iterator[Batch]:
    """The list of the stream's own endpoint, by the first pagination style that the server accepts."""
    delivered: set[Hashable] = set()  # with the first page of a style that the server rejected at the second
    while True:
        first: Sequence[KeyedRecord] = ()
        pages = 0
        try:
            if source.is_declared_to_move:
                raise OrderMoved
            for pages, batch in enumerate(_list_in_style(source, position, ahead, is_later), start=1):
                yield _without(batch, delivered)
                if pages == 1:
                    first = batch.records
            return
        except OrderMoved:
            if not restarts:
                raise
            for page in source.read_until_settled(lambda: source.list_request(joined=False)):
                yield Batch(page.new, page.asked_at, None, len(page.new), page.continues)
            return
        except Failure as failure:
            if position is not None:
                goes_on = restarts and pages == 0 and is_expired(failure, source.pagination)
            else:
                goes_on = pages <= 1 and isinstance(failure, RequestRejected) and source.try_next_style()
            if not goes_on:
                raise
        delivered.update(key for key, _ in first)
        position = None


def _without(batch: Batch, keys: set[Hashable]) -> Batch:
    return replace(batch, records=[keyed for keyed in batch.records if keyed[0] not in keys]) if keys else batch


def _list_in_style(source: Source, position: str | None, ahead: bool, is_later: IsLater | None) -> Iterator[Batch]:
    parts = position.split(",") if position else source.parts()
    lists = [source.list_request(part, is_later=is_later) for part in parts]
    slices, first = Slices([one.paginator for one in lists]), lists[0].paginator
    first_request, width = first.request, min(len(lists), source.concurrency)
    if ahead and position is None and len(lists) == 1:
        began = monotonic()
        for page in source.read(lists[:1], ahead=False):
            if first.request is not None and page.size >= (source.pagination.page_size or math.inf):
                width = _cut(source, slices, monotonic() - began, page.asked_at)
            yield Batch(page.new, page.asked_at, slices.position, len(page.new))
            break
    begun = first.request is not first_request
    for page in source.read(map(source.listed, slices), width=width, ahead=ahead, begun=begun):
        yield Batch(page.new, page.asked_at, slices.position, len(page.new), begun or page.continues)


def _cut(source: Source, slices: Slices, page_seconds: float, now: datetime | None) -> int:
    """Cut the rest of a long list into slices; returns how many of them to read at once.

    The server is busy all the time if as many requests are in flight as its own share of a page's time fits into the
    whole time, plus one while a response is processed here. A count costs the server next to nothing, so the time of a
    count is the network's share. The count also gives the log its percentage.
    """
    began = monotonic()
    total = source.count()
    network_seconds = monotonic() - began
    if total is None:
        return 1
    source.progress.expect(total)
    style = source.pagination
    if now is None or not isinstance(style, Keyset) or total < _PAGES_WORTH_SLICING * style.page_size:
        return 1
    server_seconds = max(page_seconds - network_seconds, page_seconds / 16)
    width = min(source.concurrency, round(page_seconds / server_seconds) + 1)
    if width > 1:
        slices.cut(now, total, _PAGES_WORTH_A_SLICE * style.page_size)
        source.info(f"reading {width} slices concurrently")
    return width
