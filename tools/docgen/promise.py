"""What holds of a table after a sync, in words: derived from how its stream finds changes."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta

from engine.nouns import counted
from engine.spec.dialect import Incremental, Spec, Stream


def promise(spec: Spec, stream: Stream) -> Iterator[str]:
    """What a sync delivers, what arrives later, and what happens to deleted rows: items of a Markdown list."""
    if stream.sync_mode == "full_refresh":
        yield "After a successful sync, the table holds every row as it was when the sync read it."
        yield "Rows that are gone from the server are soft-deleted."
        return
    visible = f"within {_span(spec.api.lookback)} of its `{stream.cursor_field}`"
    incremental = stream.incremental
    if incremental is None:
        yield "Each sync reads the whole list."
        yield f"After a successful sync, the table has every change that moved `{stream.cursor_field}`."
        yield f"A change can be missed if it does not become visible {visible}."
        yield "Rows that are deleted on the server stay."
        return
    found = "\n".join(f"  - {kind}" for kind in dict.fromkeys(_found(stream, incremental)))
    yield f"After a successful sync, the table has these changes, as of the start of the sync:\n{found}"
    yield f"A sync can miss a change that does not become visible {visible}."
    if incremental.reconcile is not None:
        yield f"Reconciliation re-reads every row within {_span(incremental.reconcile.every)}."
        yield f"Only reconciliation finds {incremental.reconcile.finds or 'changes of any other kind'}."
    else:
        yield "There is no reconciliation. Other changes are not detected."
    yield from _deleted(stream, incremental)


def _found(stream: Stream, incremental: Incremental) -> Iterator[str]:
    every_change = f"every change that moves `{stream.cursor_field}`"
    if incremental.open is not None:
        yield f"{every_change} in open rows (`{incremental.open.field.text}` is {_either(incremental.open.values)})"
    for source in (stream.parent, incremental.related):
        if source is not None:
            yield f"{every_change} in rows that belong to changed {source.stream}"
    for query in incremental.changes:
        yield query.finds or every_change
    if incremental.change_feed is not None:
        words = incremental.change_feed.finds or "every change that the change feed names"
        yield f"{words}, if the server has `{incremental.change_feed.endpoint}`"


def _deleted(stream: Stream, incremental: Incremental) -> Iterator[str]:
    if stream.remembers_all:
        yield "Rows that are gone from the server are soft-deleted by the next sync."
        return
    if incremental.open is not None:
        yield "Rows that were open at the last sync and are gone are soft-deleted by the next one."
    rows = "Rows" if incremental.open is None else "Other rows"
    if incremental.reconcile is not None and stream.deleted == "soft_delete":
        yield f"Every {_span(incremental.reconcile.every)}, the whole list is sent again."
        yield f"{rows} that are deleted on the server are soft-deleted then."
    else:
        yield f"{rows} that are deleted on the server stay."


def _either(words: tuple[str, ...]) -> str:
    *others, last = words
    return f"{', '.join(others)} or {last}" if others else last


def _span(span: timedelta) -> str:
    units = ("hours", "minutes", "seconds", "milliseconds")
    unit = next(unit for unit in units if span % timedelta(**{unit: 1}) == timedelta(0))
    return counted(span // timedelta(**{unit: 1}), unit)
