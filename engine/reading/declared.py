"""Fingerprints of a stream's declaration: what its rows are, and how they are read.

The state carries them, so that a sync notices when it was made by another declaration.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

from engine.pagination import Pagination, with_page_size
from engine.reading.source import Source
from engine.spec.dialect import Fallback, Stream
from engine.spec.records import Records
from engine.state import fingerprint


def made_by(source: Source) -> str:
    """A fingerprint of what determines the rows of the table: if it changes, all rows are read again."""
    stream, parent = source.stream, source.parent
    return _fingerprint(
        {
            "table": stream.destination_table,
            "primary_key": stream.primary_key,
            "cursor_field": stream.cursor_field,
            "endpoint": str(stream.endpoint),
            "body": stream.body,
            "query": stream.query,
            "records": stream.records.list or stream.records,
            **({"where": stream.where} if stream.where else {}),
            "parent": made_by(parent) if parent and stream.parent else None,
            **({"of": stream.parent.where} if stream.parent and stream.parent.where else {}),
            "keys": [stream.fields[name].path for name in (*stream.primary_key, *_cursor(stream))],
        }
    )


def read_by(source: Source) -> str:
    """A fingerprint of what a position means: if it changes, an interrupted pass starts over."""
    stream, parent = source.stream, source.parent
    incremental = stream.incremental
    queries = [query for declared in incremental.changes for query in declared.alternatives] if incremental else []
    return _fingerprint(
        {
            "pagination": [_of_any_size(style) for style in stream.pagination],
            "queries": [(query.body, query.query, query.stop_at, _of_any_size(query.pagination)) for query in queries],
            **({"lists": lists} if (lists := _lists_of(queries)) else {}),
            **({"headers": headers} if any(headers := [query.headers for query in queries]) else {}),
            "open": incremental.open if incremental else None,
            "change_feed": replace(incremental.change_feed, finds=None)
            if incremental and incremental.change_feed
            else None,
            "parent": read_by(parent) if parent else None,
        }
    )


def _lists_of(queries: Sequence[Fallback]) -> list[tuple[str, Records]]:
    """Where queries find their records, as far as that is not where the stream does."""
    return [(str(query.endpoint), query.records) for query in queries if query.endpoint or query.records.paths]


def _of_any_size(style: Pagination | None) -> Pagination | None:
    return with_page_size(style, 1) if style is not None and style.page_size else style


def _cursor(stream: Stream) -> tuple[str, ...]:
    return (stream.cursor_field,) if stream.cursor_field else ()


def _fingerprint(parts: dict[str, Any]) -> str:
    return fingerprint(parts).hex()
