"""What a connection remembers between syncs: one small, versioned JSON document that a person can read.

    {"version": 1, "streams": {"flow_runs": {"since": "2024-05-01T10:00:00.000000Z", "recent": ["s0me+Fingerpr1nt"]}}}

``since`` moves only when a pass over a stream is complete. A pass that was interrupted, where it can be resumed, stands
beside it as ``"pass": {"began": "2024-05-01T10:00:00.000000Z", "position": "..."}``.
"""

from __future__ import annotations

import base64
import hashlib
import json
import uuid
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Any, Final

from engine.failures import Failure
from engine.instants import format_instant, parse_instant

VERSION: Final = 1
RECENT_MAX: Final = 1000  # fingerprints a stream: 11 KB of state
_FINGERPRINT_BYTES: Final = 8


class StateError(Failure):
    """A state that this version cannot read. Reading everything again in silence would cost and surprise."""


@dataclass(frozen=True)
class PassState:
    """A pass under way: when it began by the server's clock, and the position up to which its rows were sent."""

    began: datetime
    position: str


@dataclass(frozen=True)
class SweepState:
    """A round of the sweep: when it began and the round before it did, and how far it is."""

    began: datetime
    previous: datetime
    position: str | None = None
    rows: int = 0


@dataclass(frozen=True)
class StreamState:
    """How far one stream has been read.

    ``since``: rows whose cursor is before it are in the destination. ``recent``: fingerprints of row versions at or
    after it that are in the destination too, so that the overlap does not send them twice. Past RECENT_MAX some are
    left out, and those rows are sent again. ``open``: keys of rows that were sent while they might still change.
    """

    since: datetime | None = None
    recent: frozenset[bytes] = frozenset()
    under_way: PassState | None = None
    open: frozenset[str] = frozenset()
    sweep: SweepState | None = None


@dataclass(frozen=True)
class State:
    """The state of all streams."""

    streams: Mapping[str, StreamState] = field(default_factory=dict)

    def with_stream(self, name: str, stream: StreamState) -> State:
        """The state in which one stream is where ``stream`` says."""
        return replace(self, streams={**self.streams, name: stream})

    def dump(self) -> dict[str, Any]:
        """The JSON document."""
        return {
            "version": VERSION,
            "streams": {name: _dump(stream) for name, stream in self.streams.items() if stream != StreamState()},
        }


def load_state(document: Mapping[str, Any]) -> State:
    """Read a state document; an empty one is the state before the first sync.

    Raises:
        StateError: it has another version or shape.
    """
    if not document:
        return State()
    if document.get("version") != VERSION:
        raise StateError(
            f"the saved state has version {document.get('version')!r}; this connector reads version {VERSION}. "
            "Deploy the version that wrote it, or reset the state (a historical re-sync) to read everything again."
        )
    try:
        return State({name: _stream_state(stream) for name, stream in document["streams"].items()})
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        raise StateError(
            f"the saved state cannot be read ({type(error).__name__}: {error}). "
            "Correct it, or reset the state (a historical re-sync) to read everything again."
        ) from None


def _dump(stream: StreamState) -> dict[str, Any]:
    document: dict[str, Any] = {}
    if stream.since is not None:
        document |= {"since": format_instant(stream.since), "recent": _joined(sorted(stream.recent))}
    if stream.under_way is not None:
        document["pass"] = {
            "began": format_instant(stream.under_way.began),
            "position": stream.under_way.position,
        }
    if stream.open:
        document["open"] = _pack(stream.open)
    if stream.sweep is not None:
        document["sweep"] = {
            "began": format_instant(stream.sweep.began),
            "previous": format_instant(stream.sweep.previous),
            "position": stream.sweep.position,
            "rows": stream.sweep.rows,
        }
    return document


def _pack(keys: frozenset[str]) -> Any:
    """Keys as a list; UUIDs, of which there can be many, as the base64 of their bytes: 22 characters each."""
    try:
        parts = [uuid.UUID(k) for k in sorted(keys)]
    except ValueError:
        return sorted(keys)
    if {str(part) for part in parts} != keys:  # written otherwise than UUIDs usually are
        return sorted(keys)
    return _joined([part.bytes for part in parts])


def _unpack(packed: Any) -> frozenset[str]:
    if isinstance(packed, list):
        return frozenset(map(str, packed))
    return frozenset(str(uuid.UUID(bytes=part)) for part in _split(packed, 16))


def _joined(parts: Iterable[bytes]) -> str:
    """Pieces of bytes of one length, in one base64 text without anything between them."""
    return base64.b64encode(b"".join(parts)).decode("ascii")


def _split(text: str, length: int) -> list[bytes]:
    content = base64.b64decode(text, validate=True)
    if len(content) % length:
        raise ValueError(f"{len(content)} bytes are no multiple of {length}")
    return [content[at : at + length] for at in range(0, len(content), length)]


def _stream_state(document: Mapping[str, Any]) -> StreamState:
    under_way, sweep = document.get("pass"), document.get("sweep")
    if "since" not in document and under_way is None:
        raise KeyError("since")
    return StreamState(
        parse_instant(document["since"]) if "since" in document else None,
        frozenset(_split(document.get("recent", ""), _FINGERPRINT_BYTES)),
        under_way and PassState(parse_instant(under_way["began"]), str(under_way["position"])),
        _unpack(document.get("open", [])),
        sweep
        and SweepState(
            parse_instant(sweep["began"]), parse_instant(sweep["previous"]), sweep["position"], int(sweep["rows"])
        ),
    )


def fingerprint(row: Mapping[str, Any]) -> bytes:
    """A short name for one version of a row: 64 bits of a hash of all its columns.

    Not of its cursor alone: a server's clock may be too coarse to tell two versions apart, and a part of a row may
    become visible after its cursor (Prefect on SQLite: milliseconds, and states that follow their task run).
    """
    text = json.dumps(row, sort_keys=True, default=str)
    return hashlib.blake2b(text.encode(), digest_size=_FINGERPRINT_BYTES).digest()
