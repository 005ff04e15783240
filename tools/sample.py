"""The first rows of a stream, read as a sync reads them. Nothing is written."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from itertools import islice

from engine.failures import RequestRejected
from engine.http.client import Client
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


def first_rows(
    client: Client,
    spec: Spec,
    stream: Stream,
    rows: int,
    log: Log,
    on_request: Callable[[Request], None] | None = None,
    parents: Sequence[Record] | None = None,
) -> list[Record]:
    """Read the first rows of a stream, with one request, or with another if the server rejects so small a page.

    For a child stream: one request for the first rows of its parent, and one for the children of each.

    Args:
        client: Sends the requests.
        spec: The spec of the stream.
        stream: One of its streams.
        rows: Maximum number of rows, of a child stream's parent too.
        log: Receives what is retried or repaired.
        on_request: Called with each request before it is sent.
        parents: For a child stream, rows of its parent; without them they are requested.

    Raises:
        Failure: the server did not return a list.
    """
    if parents is None and stream.parent is not None:
        parent = spec.parent_of(stream)
        parents = first_rows(client, spec, parent, rows, log, on_request) if parent else stream.parent.records[:rows]
    small = stream if stream.where else _with_pages_of(rows, stream)  # the first records may be no rows
    with PageReader(client, 1, on_request) as pages:
        try:
            return _first_rows(pages, spec, small, rows, log, parents)
        except RequestRejected:
            if small == stream:
                raise
            return _first_rows(pages, spec, stream, rows, log, parents)


def _first_rows(
    pages: PageReader, spec: Spec, stream: Stream, rows: int, log: Log, parents: Sequence[Record] | None
) -> list[Record]:
    source = sources(replace(spec, streams={**spec.streams, stream.name: stream}), pages, log)[stream.name]
    if source.parent is None or parents is None:
        batch = next(read_all(source, ahead=False), Batch())
        return [record for _, record in batch.records if source.mapping.is_row(record)][:rows]
    keyed = [(source.parent.mapping.key(parent), parent) for parent in parents]
    batches = children_of(source, keyed, None, lambda parent, keys: set(keys))
    records = (record for batch in batches for _, record in batch.records)
    return list(islice(filter(source.mapping.is_row, records), rows))


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
