"""The first rows of a stream, read as a sync reads them. Nothing is written."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from itertools import islice

from engine.failures import RequestRejected
from engine.http.client import Client
from engine.instants import shifted
from engine.log import Log
from engine.pagination import with_page_size
from engine.pagination.single import Single
from engine.reading.backfill import read_all
from engine.reading.batch import Batch
from engine.reading.children import children_of
from engine.reading.pages import PageReader
from engine.reading.source import sources
from engine.requests import Record, Request
from engine.spec.dialect import Spec, Stream


@dataclass(frozen=True)
class Sample:
    """The first rows of a stream.

    ``only_page``: the number of records on the first page, if the list ended with it.
    """

    rows: list[Record]
    only_page: int | None = None


class _NextRejected(RequestRejected):
    """The server accepts the first page, so not its size is wrong, but what the request of the second has."""


def sample(
    client: Client,
    spec: Spec,
    stream: Stream,
    rows: int,
    log: Log,
    on_request: Callable[[Request], None] | None = None,
    parents: Sequence[Record] | None = None,
    *,
    second_page: bool = False,
) -> Sample:
    """Read the first rows of a stream, with one request, or with another if the server rejects so small a page.

    Of a stream that is read in windows, they are those of the last window: there can be none from long ago.

    For a child stream: one request for the first rows of its parent, and one for the children of each.

    Args:
        client: Sends the requests.
        spec: The spec of the stream.
        stream: One of its streams.
        rows: Maximum number of rows, of a child stream's parent too.
        log: Receives what is retried or repaired.
        on_request: Called with each request before it is sent.
        parents: For a child stream, rows of its parent; without them they are requested.
        second_page: Whether to request the second page, too, which shows whether the next page is named rightly.

    Raises:
        Failure: the server did not return a list.
    """
    if parents is None and stream.parent is not None:
        parent = spec.parent_of(stream)
        parents = sample(client, spec, parent, rows, log, on_request).rows if parent else stream.parent.records[:rows]
    small = stream if stream.where else _with_pages_of(rows, stream)  # the first records may be no rows
    stream, small = _newest_window(stream, client.now), _newest_window(small, client.now)
    with PageReader(client, 1, on_request) as pages:
        try:
            return _sample(pages, spec, small, rows, log, parents, second_page)
        except RequestRejected as rejected:
            if small == stream or isinstance(rejected, _NextRejected):
                raise
            return _sample(pages, spec, stream, rows, log, parents, second_page)


def _sample(
    pages: PageReader,
    spec: Spec,
    stream: Stream,
    rows: int,
    log: Log,
    parents: Sequence[Record] | None,
    second_page: bool,
) -> Sample:
    source = sources(replace(spec, streams={**spec.streams, stream.name: stream}), pages, log)[stream.name]
    if source.parent is None or parents is None:
        batches = read_all(source, ahead=False)
        batch = next(batches, Batch())
        following = _following(batches) if second_page else None
        found = [record for _, record in batch.records if source.mapping.is_row(record)][:rows]
        is_only = following is not None and not any(one.records for one in following)
        return Sample(found, len(batch.records) if is_only else None)
    keyed = [(source.parent.mapping.key(parent), parent) for parent in parents]
    of_parents, found = children_of(source, keyed, None, lambda parent, keys: dict(keyed)), []
    for batch in of_parents:
        found += [record for _, record in batch.records if source.mapping.is_row(record)]
        if len(found) >= rows:
            break
    if second_page:
        next(of_parents, None)
    return Sample(found[:rows])


def _following(batches: Iterator[Batch]) -> Sequence[Batch]:
    """The second page, if there is one."""
    try:
        return [*islice(batches, 1)]
    except RequestRejected as rejected:
        raise _NextRejected(str(rejected)) from None


def _newest_window(stream: Stream, now: datetime) -> Stream:
    start = stream.begins(now)
    if stream.windows is None or start is None:
        return stream
    return replace(stream, start=max(start, shifted(now, -stream.windows.at_most)))


def why_empty(stream: Stream) -> str:
    """Why there can be no first rows, for messages."""
    return "no record on the first page is a row (where)" if stream.where else "the list is empty"


def _with_pages_of(rows: int, stream: Stream) -> Stream:
    """The stream with small pages. A list in one response keeps its size: a full one counts as cut off."""
    styles = (
        with_page_size(style, max(1, min(rows, style.page_size)))
        if style.page_size and not isinstance(style, Single)
        else style
        for style in stream.pagination
    )
    return replace(stream, pagination=tuple(styles))
