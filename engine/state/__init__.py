"""What a connection remembers between syncs: one small, versioned JSON document that a person can read.

    {"version": 1, "streams": {"flow_runs": {"since": "2024-05-01T10:00:00.000000Z", "recent": ["s0me+Fingerpr1nt"]}}}

``since`` moves only when a pass over a stream is complete.
"""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Hashable, Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime, timezone
from typing import Any, Final

from engine.failures import Failure

VERSION: Final = 1
RECENT_MAX: Final = 500  # fingerprints a stream: 6 KB of state


class StateError(Failure):
    """A state that this version cannot read. Reading everything again in silence would cost and surprise."""


@dataclass(frozen=True)
class StreamState:
    """How far one stream has been read.

    ``since``: rows whose cursor is before it are in the destination. ``recent``: fingerprints of row versions at or
    after it that are in the destination too, so that the overlap does not send them twice. Past RECENT_MAX some are
    left out, and those rows are sent again.
    """

    since: datetime | None = None
    recent: frozenset[str] = frozenset()


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
            "streams": {
                name: {
                    "since": stream.since.astimezone(timezone.utc).strftime("%Y-%m-%dT%H:%M:%S.%fZ"),
                    "recent": sorted(stream.recent),
                }
                for name, stream in self.streams.items()
                if stream.since is not None
            },
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


def _stream_state(document: Mapping[str, Any]) -> StreamState:
    since = datetime.strptime(document["since"], "%Y-%m-%dT%H:%M:%S.%fZ").replace(tzinfo=timezone.utc)
    return StreamState(since, frozenset(document["recent"]))


def fingerprint(key: Hashable, cursor: datetime) -> str:
    """A short name for one version of a row: 72 bits of a hash of its primary key and its cursor."""
    digest = hashlib.blake2b(f"{key!r} {cursor.timestamp():.6f}".encode(), digest_size=9).digest()
    return base64.b64encode(digest).decode("ascii")
