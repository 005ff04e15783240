"""What holds of a table after a sync, in words: derived from how its stream finds changes."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta

from engine.nouns import counted
from engine.pagination import is_stable
from engine.pagination.single import Single
from engine.requests import Request
from engine.spec.dialect import Incremental, Parent, Reconcile, Related, Spec, Stream
from engine.state import KEYS_MAX, KNOWN_MAX


def promise(spec: Spec, stream: Stream) -> Iterator[str]:
    """What a sync delivers, what arrives later, and what happens to deleted rows: items of a Markdown list."""
    if stream.where:
        yield "Only some records are rows. A row whose record changes so that it is none is soft-deleted."
    if stream.parent is not None and stream.parent.where:
        yield f"Only some rows of {stream.parent.name} are asked for theirs; those of others count as gone."
    if stream.sync_mode == "full_refresh":
        yield from _full_refresh(spec, stream)
        return
    is_settled = _reads_each_version_once(spec, stream)
    visible = f"within {_span(spec.settling_of(stream) if is_settled else spec.lookback_of(stream))}"
    if stream.has_instants:
        visible += f" of its `{stream.cursor_field}`"
    elif stream.cursor_field is not None:
        visible = f"before one with a greater `{stream.cursor_field}`"
    incremental = stream.incremental
    if incremental is None:
        yield f"Each sync reads the whole list, and sends the rows whose `{stream.cursor_field}` moved."
        yield f"After a successful sync, the table has every change that moved `{stream.cursor_field}`."
        yield f"A change can be missed if it does not become visible {visible}."
        yield "Rows that are deleted on the server stay."
        return
    found = "\n".join(f"  - {kind}" for kind in dict.fromkeys(_found(spec, stream, incremental)))
    yield f"After a successful sync, the table has these changes, as of the start of the sync:\n{found}"
    yield f"A sync can miss a change that does not become visible {visible}."
    if incremental.reconcile is not None:
        yield _reconciled(spec, stream, incremental.reconcile)
        yield f"Only reconciliation finds {incremental.reconcile.finds or 'changes of any other kind'}."
    else:
        yield "There is no reconciliation. Other changes are not detected."
    yield from _deleted(stream, incremental)


def _full_refresh(spec: Spec, stream: Stream) -> Iterator[str]:
    yield "After a successful sync, the table holds every row as it was when the sync read it."
    yield (
        f"A sync sends only rows that changed. If there are more than {KNOWN_MAX:,} rows and one changed, it truncates "
        "the table and sends all."
    )
    yield "Rows that are gone from the server are soft-deleted."
    if not _is_stable(spec, stream):
        yield "Rows can change places in the list. If it has more than one page, it is read until two readings agree."
    elif stream.parent is not None or not isinstance(stream.pagination[0], Single):
        yield (
            f"If the list has more than one page and at most {KNOWN_MAX:,} rows, it is read a second time before a "
            "row is deleted."
        )


def _is_stable(spec: Spec, stream: Stream) -> bool:
    """Whether no row moves within the order of the list, nor of the list of its parents."""
    if stream.endpoint is not None:
        request = Request(stream.endpoint, stream.query or {}, stream.body)
        if not is_stable(stream.pagination[0], request):
            return False
    parent = spec.parent_of(stream)
    return parent is None or _is_stable(spec, parent)


def _found(spec: Spec, stream: Stream, incremental: Incremental) -> Iterator[str]:
    every_change = f"every change that moves `{stream.cursor_field}`" if stream.cursor_field else "every change"
    if incremental.open is not None:
        yield f"{every_change} in open rows (`{incremental.open.field.text}` is {_either(incremental.open.values)})"
    if stream.asks_each_parent and stream.parent is not None:
        each = f"each row of {stream.parent.stream}" if stream.parent.stream else "each value in the settings"
        yield f"{every_change}, for which {each} is asked, and all rows of a new one"
    elif stream.source is not None:
        yield f"{every_change} in rows that belong to {_read_parents(spec, stream, stream.source)}"
    for query in incremental.changes:
        if query is not stream.query_of_each_parent:
            yield query.finds or every_change
    if incremental.change_feed is not None:
        words = incremental.change_feed.finds or "every change that the change feed names"
        yield f"{words}, if the server has `{incremental.change_feed.endpoint}`"


def _read_parents(spec: Spec, stream: Stream, declared: Parent | Related) -> str:
    """The rows of another stream whose children each sync reads."""
    parent = spec.streams[declared.name]
    if _reads_each_version_once(spec, stream):
        return f"changed {declared.name}"
    if parent.incremental is None:
        return f"any of {declared.name}"
    return f"changed {'or open ' if parent.incremental.open else ''}{declared.name}"


def _reads_each_version_once(spec: Spec, stream: Stream) -> bool:
    """Whether the children of a row of another stream are read once for each change of that row."""
    declared, parent = stream.source, spec.streams.get(stream.source.name) if stream.source is not None else None
    if declared is None or parent is None or stream.incremental is None or stream.asks_each_parent:
        return False
    return declared.moves_cursor and parent.cursor_field is not None


def _reconciled(spec: Spec, stream: Stream, reconcile: Reconcile) -> str:
    period, parent = _span(reconcile.every), spec.parent_of(stream)
    follows = parent is not None and parent.cursor_field is not None and not stream.asks_each_parent
    if parent is not None and follows and stream.deleted == "keep":
        return f"Within {period}, reconciliation reads the rows of those {parent.name} whose change no query found."
    return f"Reconciliation re-reads every row within {period}."


def _deleted(stream: Stream, incremental: Incremental) -> Iterator[str]:
    if stream.finds_deleted and incremental.reconcile is None:
        yield (
            "Rows that are gone from the server are soft-deleted by the next sync or, if the server's count is wrong, "
            "within 24 hours."
        )
        return
    if incremental.open is not None:
        yield "Rows that were open at the last sync and are gone are soft-deleted by the next one."
    rows = "Rows" if incremental.open is None else "Other rows"
    if incremental.reconcile is not None and stream.deleted == "soft_delete":
        yield f"{rows} that are deleted on the server are soft-deleted every {_span(incremental.reconcile.every)}."
        yield (
            f"The state holds the keys of all rows for that. A table of more than {KEYS_MAX:,} rows is truncated, and "
            "all rows are sent again."
        )
    else:
        until = ", until a re-sync, which truncates the table first" if incremental.open is not None else ""
        yield f"{rows} that are deleted on the server stay{until}."


def _either(words: tuple[str, ...]) -> str:
    *others, last = words
    return f"{', '.join(others)} or {last}" if others else last


def _span(span: timedelta) -> str:
    units = ("hours", "minutes", "seconds", "milliseconds")
    unit = next(unit for unit in units if span % timedelta(**{unit: 1}) == timedelta(0))
    return counted(span // timedelta(**{unit: 1}), unit)
