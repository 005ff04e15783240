"""Fingerprints of a stream's declaration: what its rows are, and how they are read.

The state carries them, so that a sync notices when it was made by another declaration.
"""

from __future__ import annotations

from typing import Any

from engine.pagination import with_page_size
from engine.reading.source import Source
from engine.spec.dialect import Stream
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
            "records": stream.records,
            "parent": [made_by(parent), sorted(stream.parent.values.items())] if parent and stream.parent else None,
            "keys": [stream.fields[name].path for name in (*stream.primary_key, *_cursor(stream))],
        }
    )


def read_by(stream: Stream) -> str:
    """A fingerprint of what a position means: if it changes, an interrupted pass starts over."""
    styles = [with_page_size(style, 1) if style.page_size else style for style in stream.pagination]
    return _fingerprint({"pagination": styles, "incremental": stream.incremental})


def _cursor(stream: Stream) -> tuple[str, ...]:
    return (stream.cursor_field,) if stream.cursor_field else ()


def _fingerprint(parts: dict[str, Any]) -> str:
    return fingerprint(parts).hex()
