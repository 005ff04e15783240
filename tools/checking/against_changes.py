"""Checks what a sync sends from the second on: queries for changes, open rows, a change feed, lookups by key.

Each is sent once, for what changed just now: a server that rejects it, or has no such endpoint, says so.
"""

from __future__ import annotations

from collections.abc import Callable, Hashable, Iterator, Sequence
from datetime import timedelta
from functools import partial
from typing import Final

from engine.failures import Failure, ends_sync
from engine.http.client import Client
from engine.log import Log
from engine.reading.backfill import first_of_list
from engine.reading.changes import ChangesPass
from engine.reading.lookup import has_lookup, look_up
from engine.reading.pages import PageReader
from engine.reading.source import Source, sources
from engine.requests import Record
from engine.spec.dialect import Spec, Stream
from tools.checking.findings import Place, StreamFindings

_SHORTEST: Final = timedelta(hours=1)  # a server can reject a window of no length


def check_changes(
    findings: StreamFindings, client: Client, spec: Spec, stream: Stream, records: Sequence[Record], log: Log
) -> None:
    """Send a stream's requests for changes, and report those that fail.

    Args:
        findings: The findings of the stream.
        client: Sends the requests.
        spec: The spec of the stream.
        stream: The stream.
        records: Its first rows, of which one is looked up.
        log: Receives what is retried, and what a sync would do without.

    Raises:
        Failure: a request failed in a way that would meet any other, too.
    """
    if stream.incremental is None:
        return
    here: Place = ("streams", stream.name, "incremental")
    with PageReader(client, 1) as pages:
        source = sources(spec, pages, log)[stream.name]
        for place, request in _requests(source, records):
            try:
                request()
            except Failure as failure:
                if ends_sync(failure):
                    raise
                findings.add("error", "sample", (*here, *place), str(failure))
    feed = stream.incremental.change_feed
    if source.lacks_feed and feed is not None:
        message = f"the server has no {feed.endpoint} (a sync continues without it)"
        findings.add("warning", "sample", (*here, "change_feed", "endpoint"), message)


def _requests(source: Source, records: Sequence[Record]) -> Iterator[tuple[Place, Callable[[], object]]]:
    """Where each request for changes is declared, and a function that sends its first page."""
    last = max((at for record in records if (at := source.mapping.counter(record)) is not None), default=None)
    since = source.now - max(source.lookback, _SHORTEST)
    changes = ChangesPass(source, since, last=last)
    for name, step in changes.steps().items():
        place = _place_of(name)
        if place:
            yield place, partial(next, step(None), None)
    if records and has_lookup(source):
        yield ("lookup",), partial(_find, source, source.mapping.key(records[0]))


def _place_of(step: str) -> Place:
    """Where a step is declared; empty for the children of all rows of the parent, which are sampled."""
    kind, _, number = step.partition(" ")
    if kind == "query":
        return "changes", int(number) - 1
    return {"open": ("open",), "change feed": ("change_feed",)}.get(step, ())


def _find(source: Source, key: Hashable) -> None:
    """Look up a row that the list has.

    Raises:
        Failure: the server does not find it.
    """
    assert isinstance(key, tuple)
    batches = look_up(source, [key[0]], first_of_list(source))
    if not any(key == found for batch in batches for found, _ in batch.records):
        raise Failure(f"{source.stream.name}: the row {key[0]!r}, which the list has, is not found by its key")
