"""What holds of a table after a sync, in words: derived from how its stream is incremental."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta

from engine.spec.dialect import Incremental, Spec, Stream


def promise(spec: Spec, stream: Stream) -> Iterator[str]:
    """Sentences on what arrives with the next sync, what arrives later, and what happens to deleted rows."""
    if stream.sync_mode == "full_refresh":
        yield "After a successful sync, the table holds every row as it was when it was incremental."
        yield "Rows that are gone from the server are soft-deleted."
        return
    late = f"if it became visible within {_span(spec.api.lookback)} of its `{stream.cursor_field}`"
    incremental = stream.incremental
    if incremental is None:
        yield f"Every row whose `{stream.cursor_field}` has moved arrives with the next sync, {late}."
        yield "The whole list is read each time. Rows that are deleted on the server stay."
        return
    found = list(dict.fromkeys(_found(stream, incremental)))
    yield (
        "After a successful sync, the table holds every row as it was when the sync began, for changes of these kinds, "
        f"{late}: {'; '.join(found)}."
    )
    if incremental.reconcile is not None:
        what = incremental.reconcile.finds or "what no query finds"
        every = _span(incremental.reconcile.every)
        yield f"Found by reconciliation, which re-reads every row within {every}: {what}."
    else:
        yield "There is no reconciliation: other changes are not detected."
    yield _deleted(stream, incremental)


def _found(stream: Stream, incremental: Incremental) -> Iterator[str]:
    if incremental.open is not None:
        is_open = f"`{incremental.open.field.text}` is {', '.join(incremental.open.values)}"
        yield f"anything that moves `{stream.cursor_field}`, in open rows ({is_open})"
    for source in (stream.parent, incremental.related):
        if source is not None:
            yield f"anything that moves `{stream.cursor_field}`, in rows that belong to changed {source.stream}"
    for query in incremental.changes:
        yield query.finds or f"anything that moves `{stream.cursor_field}`"
    if incremental.change_feed is not None:
        words = incremental.change_feed.finds or "anything that it names"
        yield f"{words} (where the server has `{incremental.change_feed.endpoint}`)"


def _deleted(stream: Stream, incremental: Incremental) -> str:
    text = "Rows that are deleted on the server stay"
    if incremental.open is not None:
        text = "Rows that were open at the last sync and are gone are soft-deleted; others that are deleted stay"
    if stream.remembers_all:
        return "Rows that are gone from the server are soft-deleted with the next sync."
    if incremental.reconcile is not None and stream.deleted == "soft_delete":
        return f"{text} until the whole list is sent again, every {_span(incremental.reconcile.every)}; then they are soft-deleted."
    return f"{text}."


def _span(span: timedelta) -> str:
    seconds = int(span.total_seconds())
    for unit, size in (("hour", 3600), ("minute", 60), ("second", 1)):
        if seconds >= size and seconds % size == 0:
            return f"{seconds // size} {unit}{'' if seconds == size else 's'}"
    return f"{span.total_seconds()} seconds"
