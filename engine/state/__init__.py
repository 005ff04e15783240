"""What a connection remembers between syncs: one small, versioned JSON document that a person can read.

    {"version": 3, "api": "http://127.0.0.1:4200/api",
     "streams": {"flow_runs": {"since": "2024-05-01T10:00:00.000000Z", "recent": "s0me+Fingerpr1nts"}}}

``since`` moves only when a pass over a stream is complete. A pass that was interrupted, where it can be resumed, stands
beside it as ``"pass": {"began": "2024-05-01T10:00:00.000000Z", "position": "..."}``. ``api`` is where all that was
read.
"""

from __future__ import annotations

import base64
import hashlib
import json
import uuid
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Any, Final
from urllib.parse import urlsplit

from engine.failures import Failure
from engine.instants import format_instant, parse_instant

VERSION: Final = 3
RECENT_MAX: Final = 1000  # fingerprints a stream: 8 KB of state
_RECENT_TOTAL: Final = 1500  # fingerprints of all streams: 12 KB
_FINGERPRINT_BYTES: Final = 6


class StateError(Failure):
    """A state that this version cannot read. Reading everything again in silence would cost and surprise."""


@dataclass(frozen=True)
class PassState:
    """A pass under way: when it began by the server's clock, and the position up to which its rows were sent."""

    began: datetime
    position: str


@dataclass(frozen=True)
class ReconcileState:
    """A round of the sweep: when it began and the round before it did, and how far it is."""

    began: datetime
    previous: datetime
    position: str | None = None
    rows: int = 0


@dataclass(frozen=True)
class StreamState:
    """How far one stream has been read.

    ``since``: rows whose cursor is before it are in the destination. ``recent``: fingerprints of row versions at or
    after it that are in the destination too, so that the overlap does not send them twice. Where there are too many
    some are left out, and those rows are sent again. ``open``: keys of rows that were sent while they might still
    change, or of all rows, where those that are gone are to be noticed.
    """

    since: datetime | None = None
    recent: frozenset[bytes] = frozenset()
    under_way: PassState | None = None
    open: frozenset[str] = frozenset()
    reconcile: ReconcileState | None = None


@dataclass(frozen=True)
class State:
    """The state of all streams, and the base URL of the API that they were read from."""

    api: str
    streams: Mapping[str, StreamState] = field(default_factory=dict)

    def with_stream(self, name: str, stream: StreamState) -> State:
        """The state in which one stream is where ``stream`` says."""
        return replace(self, streams={**self.streams, name: stream})

    def dump(self) -> dict[str, Any]:
        """The JSON document: under 16 KB, and 22 bytes for each key that is remembered, if it is a UUID."""
        recent = sum(len(stream.recent) for stream in self.streams.values())
        share = min(1.0, _RECENT_TOTAL / recent) if recent else 1.0
        return {
            "version": VERSION,
            "api": self.api,
            "streams": {name: _dump(stream, share) for name, stream in self.streams.items() if stream != StreamState()},
        }


def load_state(document: Mapping[str, Any], api: str) -> State:
    """Read a state document; an empty one is the state before the first sync.

    Args:
        document: What the last checkpoint saved. Earlier versions are migrated. Version 1 does not name its API, and its
            fingerprints have another length, so the rows in its lookback window are sent once more.
        api: The base URL of the API that is about to be read.

    Raises:
        StateError: it has another version or shape, or was made for another API.
    """
    if not document:
        return State(api)
    version = document.get("version")
    if version not in (1, 2, VERSION):
        raise StateError(
            f"the saved state has version {version!r}; this connector reads version {VERSION}. "
            "Deploy the version that wrote it, or reset the state (a historical re-sync) to read everything again."
        )
    made_for = document.get("api", api) if version >= 2 else api
    if _place(made_for) != _place(api):
        raise StateError(
            f"the saved state was made for {made_for}, and this sync is to read {api}. Its rows would be mixed with "
            "those of the other API, and what the state takes for known would be missed. If the address is a mistake, "
            "correct it. If it is another API, make another connection for it. If it is the same API under a new "
            'address, put the new one into the saved state under "api", or reset the state (a historical re-sync) to '
            "read everything again."
        )
    try:
        return State(api, {name: _stream_state(stream, version) for name, stream in document["streams"].items()})
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        raise StateError(
            f"the saved state cannot be read ({type(error).__name__}: {error}). "
            "Correct it, or reset the state (a historical re-sync) to read everything again."
        ) from None


def _place(url: Any) -> tuple[str, str]:
    """What tells one API's address from another's: the scheme does not, nor does a default port or a last slash."""
    parts = urlsplit(str(url))
    default = {"http": ":80", "https": ":443"}.get(parts.scheme, "")
    return parts.netloc.lower().removesuffix(default), parts.path.rstrip("/")


def _dump(stream: StreamState, share: float) -> dict[str, Any]:
    document: dict[str, Any] = {}
    if stream.since is not None:
        recent = sorted(stream.recent)[: int(share * len(stream.recent))]
        document |= {"since": format_instant(stream.since), "recent": _joined(recent)}
    if stream.under_way is not None:
        document["pass"] = {
            "began": format_instant(stream.under_way.began),
            "position": stream.under_way.position,
        }
    if stream.open:
        document["open"] = _pack(stream.open)
    if stream.reconcile is not None:
        document["reconcile"] = {
            "began": format_instant(stream.reconcile.began),
            "previous": format_instant(stream.reconcile.previous),
            "position": stream.reconcile.position,
            "rows": stream.reconcile.rows,
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


def _stream_state(document: Mapping[str, Any], version: int) -> StreamState:
    under_way, reconcile = document.get("pass"), document.get("reconcile" if version >= 3 else "sweep")
    if not document.keys() & {"since", "pass", "open"}:
        raise KeyError("since")
    return StreamState(
        parse_instant(document["since"]) if "since" in document else None,
        frozenset(_split(document.get("recent", ""), _FINGERPRINT_BYTES)) if version >= 2 else frozenset(),
        under_way and PassState(parse_instant(under_way["began"]), str(under_way["position"])),
        _unpack(document.get("open", [])),
        reconcile
        and ReconcileState(
            parse_instant(reconcile["began"]),
            parse_instant(reconcile["previous"]),
            reconcile["position"],
            int(reconcile["rows"]),
        ),
    )


def fingerprint(row: Mapping[str, Any], besides: Collection[str] = ()) -> bytes:
    """A short name for one version of a row: 48 bits of a hash of all its columns but those named in ``besides``.

    Not of its cursor alone: a server's clock may be too coarse to tell two versions apart, and a part of a row may
    become visible after its cursor (Prefect on SQLite: milliseconds, and states that follow their task run).
    """
    if besides:
        row = {name: value for name, value in row.items() if name not in besides}
    text = json.dumps(row, sort_keys=True, default=str)
    return hashlib.blake2b(text.encode(), digest_size=_FINGERPRINT_BYTES).digest()
