"""What holds of a table after a sync, in words: derived from how its stream is read."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta

from engine.reading.changes import Changes
from engine.spec.model import Document, Stream


def promise(document: Document, stream: Stream) -> Iterator[str]:
    """Sentences about what arrives with the next sync, what later, and what becomes of rows that are deleted."""
    if stream.sync_mode == "full_refresh":
        yield "After a sync that ended well the table holds every row as it was when it was read."
        yield "Rows that are gone from the server are soft-deleted."
        return
    overlap = _span(document.api.overlap)
    late = f"and that became visible within {overlap} of its `{stream.cursor_field}`"
    read = stream.read
    if not isinstance(read, Changes):
        yield f"With the next sync arrives every row whose `{stream.cursor_field}` has moved, {late}."
        yield "The whole list is read each time. Rows that are deleted on the server stay."
        return
    found = list(dict.fromkeys(_found(document, stream, read)))
    yield (
        "After a sync that ended well the table holds every row as it was when the sync began, as far as a change is "
        f"of these kinds: {'; '.join(found)}; {late}."
    )
    if read.sweep is not None:
        what = read.sweep.finds or "what no query sees"
        yield f"Found by the sweep, which looks at every row again within {_span(read.sweep.every)}: {what}."
    else:
        yield "There is no sweep: other changes are not seen."
    yield _deleted(stream, read)


def _found(document: Document, stream: Stream, read: Changes) -> Iterator[str]:
    if read.open is not None:
        is_open = f"`{read.open.field.text}` is {', '.join(read.open.values)}"
        yield f"anything that moves `{stream.cursor_field}`, of rows that are open ({is_open})"
    for source in (stream.parent, read.related):
        if source is not None:
            yield f"anything that moves `{stream.cursor_field}`, of rows of {source.stream} that can have changed"
    for alternatives in read.queries:
        words = next((query.finds for query in alternatives if query.finds), None)
        yield words or f"anything that moves `{stream.cursor_field}`"
    if read.named_by is not None:
        words = read.named_by.finds or "anything that it names"
        yield f"{words} (where the server has `{read.named_by.endpoint}`)"


def _deleted(stream: Stream, read: Changes) -> str:
    text = "Rows that are deleted on the server stay"
    if read.open is not None:
        text = "Rows that were open at the last sync and are gone are soft-deleted; others that are deleted stay"
    if stream.remembers_all:
        return "Rows that are gone from the server are soft-deleted with the next sync."
    if read.sweep is not None and stream.deleted == "soft_delete":
        return (
            f"{text} until the whole list is sent again, every {_span(read.sweep.every)}; then they are soft-deleted."
        )
    return f"{text}."


def _span(span: timedelta) -> str:
    seconds = int(span.total_seconds())
    for unit, size in (("hour", 3600), ("minute", 60), ("second", 1)):
        if seconds >= size and seconds % size == 0:
            return f"{seconds // size} {unit}{'' if seconds == size else 's'}"
    return f"{span.total_seconds()} seconds"
