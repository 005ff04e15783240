"""The first rows of a stream: read as a sync reads them, nothing written, no state."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from datetime import datetime

from engine.http.client import Client
from engine.log import Log
from engine.pagination import with_page_size
from engine.requests import Record, Request
from engine.spec.dialect import Spec, Stream
from engine.sync.pages import Pages
from engine.sync.reader import readers


def first_rows(
    client: Client,
    spec: Spec,
    stream: Stream,
    rows: int,
    log: Log,
    on_request: Callable[[Request], None] | None = None,
    parents: Sequence[Record] | None = None,
) -> list[Record]:
    """ListRequest for the first rows of a stream: one request; for a child one for its parent's first rows, and one for each.

    Args:
        client: Sends the requests.
        document: The document that the stream is of.
        stream: One of its streams.
        rows: How many rows at most, of a child's parent too.
        log: Takes what is retried or repaired.
        tell: Takes each request before it is sent.
        parents: For a child, rows of its parent; without them they are asked for.

    Raises:
        Failure: the server did not answer with a list.
    """
    found: list[Record] = []
    small = replace(spec, streams={**spec.streams, stream.name: _with_pages_of(rows, stream)})
    with Pages(client, 1, on_request) as pages:
        reader = readers(small, pages, log)[stream.name]
        if stream.parent is None:
            step = next(reader.whole(_unheard, ahead=False), None)
            return [record for _, record in step.records][:rows] if step else []
        if parents is None:
            parents = first_rows(client, spec, spec.streams[stream.parent.stream], rows, log, on_request)
        for records in reader.belonging_to([((), parent) for parent in parents], _unheard):
            found += [record for _, record in records]
            if len(found) >= rows:
                return found[:rows]
        reader.check_found()
    return found


def _unheard(at: datetime | None) -> None:
    """Nobody wants to know when a page was asked for."""


def _with_pages_of(rows: int, stream: Stream) -> Stream:
    styles = (
        with_page_size(style, max(1, min(rows, style.page_size))) if style.page_size else style
        for style in stream.pagination
    )
    return replace(stream, pagination=tuple(styles))
