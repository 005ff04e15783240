"""The first rows of a stream: read as a sync reads them, nothing written, no state."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

from engine.http.client import Client
from engine.log import Log
from engine.requests import Record, Request
from engine.spec.model import Document, Stream
from engine.sync.pages import Pages
from engine.sync.reader import readers


def first_rows(
    client: Client,
    document: Document,
    stream: Stream,
    rows: int,
    log: Log,
    tell: Callable[[Request], None] | None = None,
) -> list[Record]:
    """Ask for the first rows of a stream: one request, and those for its parents where it is a child.

    Args:
        client: Sends the requests.
        document: The document that the stream is of.
        stream: One of its streams.
        rows: How many rows at most.
        log: Takes what is retried or repaired.
        tell: Takes each request before it is sent.

    Raises:
        Failure: the server did not answer with a list.
    """
    small = replace(document, streams={**document.streams, stream.name: _with_pages_of(rows, stream)})
    found: list[Record] = []
    with Pages(client, 1, tell) as pages:
        for step in readers(small, pages, log)[stream.name].whole(lambda at: None, ahead=False):
            found += [record for _, record in step.entries]
            if len(found) >= rows or stream.parent is None:
                break
    return found[:rows]


def _with_pages_of(rows: int, stream: Stream) -> Stream:
    return replace(stream, pagination=tuple(_smaller(style, rows) for style in stream.pagination or ()))


def _smaller(style: Any, rows: int) -> Any:
    size = getattr(style, "page_size", None)
    return replace(style, page_size=max(1, min(rows, size))) if size else style
