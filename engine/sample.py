"""The first rows of a stream: one request, nothing written, no state."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, is_dataclass, replace
from typing import Any

from engine.http.client import Client
from engine.requests import Record, Request
from engine.spec.model import Stream
from engine.sync import records_in


class NoSample(Exception):
    """A stream whose first page cannot be asked for by itself; the message says why."""


@dataclass(frozen=True)
class Sample:
    """The request for the first page of a stream's whole list, and the records that it brought."""

    request: Request
    records: Sequence[Record]


def first_request(stream: Stream, rows: int) -> Request:
    """The request for the first rows of a stream, or for as few more as its pagination can ask for.

    Raises:
        NoSample: the path holds names that the rows of another list fill in.
    """
    if "{" in stream.endpoint.path:
        raise NoSample(f"{stream.endpoint} has a name in its path, which only the rows of another list fill in")
    style: Any = stream.pagination
    if is_dataclass(style) and hasattr(style, "page_size"):
        style = replace(style, page_size=max(1, min(rows, style.page_size)))  # type: ignore[type-var]
    request: Request | None = style.walk(Request(stream.endpoint, stream.query or {}, stream.body)).request
    assert request is not None  # every walk asks something first
    return request


def first_rows(client: Client, stream: Stream, rows: int) -> Sample:
    """Ask for the first rows of a stream.

    Raises:
        NoSample: it cannot be asked for by itself.
        Failure: the server did not answer with a list.
    """
    request = first_request(stream, rows)
    answer = client.ask(stream.name, request, lambda document: records_in(document, stream.records or ()))
    return Sample(request, answer.value[:rows])
