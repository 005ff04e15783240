"""The state that a connection keeps between syncs: one small, versioned JSON document that a person can read.

    {"version": 3, "api": "http://127.0.0.1:4200/api",
     "streams": {"flow_runs": {"since": "2024-05-01T10:00:00.000000Z", "recent": "s0me+Fingerpr1nts"}}}

``since`` moves only when a pass over a stream is complete. An interrupted pass that can be resumed is stored beside it
as ``"pass": {"began": "2024-05-01T10:00:00.000000Z", "position": "..."}``. ``api`` is the base URL that was read.
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
RECENT_MAX: Final = 1000  # fingerprints per stream: 8 KB of state
_RECENT_TOTAL: Final = 1500  # fingerprints of all streams: 12 KB
_FINGERPRINT_BYTES: Final = 6


class StateError(Failure):
    """A state that this version cannot read. Re-reading everything silently would be a costly surprise."""


@dataclass(frozen=True)
class PassState:
    """An unfinished pass: when it began by the server's clock, and the position up to which its rows were sent."""

    began: datetime
    position: str


@dataclass(frozen=True)
class ReconcileState:
    """A round of reconciliation, which reads the whole list once.

    ``began``, ``previous``: when this round and the one before it began. ``position``, ``rows``: how far it is.
    """

    began: datetime
    previous: datetime
    position: str | None = None
    rows: int = 0


@dataclass(frozen=True)
class StreamState:
    """How far one stream has been read.

    ``since``: all rows with an earlier cursor are in the destination. ``recent``: fingerprints of row versions at or
    after ``since`` that are there too, so that the lookback does not send them twice. If there are too many, some are
    left out, and those rows are sent again. ``current_pass``: the pass that was interrupted, if it can be resumed.
    ``open``: keys of rows that could still change when they were sent; or of all rows, if deleted ones are to be
    detected.
    """

    since: datetime | None = None
    recent: frozenset[bytes] = frozenset()
    current_pass: PassState | None = None
    open: frozenset[str] = frozenset()
    reconcile: ReconcileState | None = None


@dataclass(frozen=True)
class State:
    """The state of all streams, and the base URL that they were read from."""

    api: str
    streams: Mapping[str, StreamState] = field(default_factory=dict)

    def with_stream(self, name: str, stream: StreamState) -> State:
        """The state with another state of one stream."""
        return replace(self, streams={**self.streams, name: stream})

    def dump(self) -> dict[str, Any]:
        """The JSON document: under 16 KB, plus 22 bytes for each key in ``open`` if the keys are UUIDs."""
        recent = sum(len(stream.recent) for stream in self.streams.values())
        share = min(1.0, _RECENT_TOTAL / recent) if recent else 1.0
        return {
            "version": VERSION,
            "api": self.api,
            "streams": {name: _dump(stream, share) for name, stream in self.streams.items() if stream != StreamState()},
        }


def load_state(document: Mapping[str, Any], api: str) -> State:
    """Read a state document. An empty one is the state before the first sync.

    Args:
        document: The state of the last checkpoint. Earlier versions are migrated. Version 1 does not name its API, and
            its fingerprints have another length, so the rows in its lookback window are sent once more.
        api: The base URL of the API that is about to be read.

    Raises:
        StateError: the document has an unknown version or shape, or was made for another API.
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
    if _address(made_for) != _address(api):
        raise StateError(
            f"the saved state was made for {made_for}, but this sync reads {api}. The rows of two APIs would be mixed, "
            "and rows that the state takes for known would be missed. If the URL is a mistake, correct it. If it is "
            "another API, create another connection for it. If it is the same API at a new URL, replace the URL under "
            '"api" in the saved state, or reset the state (a historical re-sync) to read everything again.'
        )
    try:
        return State(api, {name: _stream_state(stream, version) for name, stream in document["streams"].items()})
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        raise StateError(
            f"the saved state cannot be read ({type(error).__name__}: {error}). "
            "Correct it, or reset the state (a historical re-sync) to read everything again."
        ) from None


def _address(url: Any) -> tuple[str, str]:
    """Host and path of a URL. The scheme, a default port and a trailing slash do not make another API."""
    parts = urlsplit(str(url))
    default = {"http": ":80", "https": ":443"}.get(parts.scheme, "")
    return parts.netloc.lower().removesuffix(default), parts.path.rstrip("/")


def _dump(stream: StreamState, share: float) -> dict[str, Any]:
    document: dict[str, Any] = {}
    if stream.since is not None:
        recent = sorted(stream.recent)[: int(share * len(stream.recent))]
        document |= {"since": format_instant(stream.since), "recent": _joined(recent)}
    if stream.current_pass is not None:
        document["pass"] = {
            "began": format_instant(stream.current_pass.began),
            "position": stream.current_pass.position,
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
    """Keys as a list. UUIDs, which can be many, as the base64 of their bytes: 22 characters each."""
    try:
        parts = [uuid.UUID(k) for k in sorted(keys)]
    except ValueError:
        return sorted(keys)
    if {str(part) for part in parts} != keys:  # not in the canonical form, which unpacking would return
        return sorted(keys)
    return _joined([part.bytes for part in parts])


def _unpack(packed: Any) -> frozenset[str]:
    if isinstance(packed, list):
        return frozenset(map(str, packed))
    return frozenset(str(uuid.UUID(bytes=part)) for part in _split(packed, 16))


def _joined(parts: Iterable[bytes]) -> str:
    """Byte strings of one length, concatenated, in base64."""
    return base64.b64encode(b"".join(parts)).decode("ascii")


def _split(text: str, length: int) -> list[bytes]:
    content = base64.b64decode(text, validate=True)
    if len(content) % length:
        raise ValueError(f"{len(content)} bytes are not a multiple of {length}")
    return [content[at : at + length] for at in range(0, len(content), length)]


def _stream_state(document: Mapping[str, Any], version: int) -> StreamState:
    current_pass, reconcile = document.get("pass"), document.get("reconcile" if version >= 3 else "sweep")
    if not document.keys() & {"since", "pass", "open"}:
        raise KeyError("since")
    return StreamState(
        parse_instant(document["since"]) if "since" in document else None,
        frozenset(_split(document.get("recent", ""), _FINGERPRINT_BYTES)) if version >= 2 else frozenset(),
        current_pass and PassState(parse_instant(current_pass["began"]), str(current_pass["position"])),
        _unpack(document.get("open", [])),
        reconcile
        and ReconcileState(
            parse_instant(reconcile["began"]),
            parse_instant(reconcile["previous"]),
            reconcile["position"],
            int(reconcile["rows"]),
        ),
    )


def fingerprint(row: Mapping[str, Any], excluding: Collection[str] = ()) -> bytes:
    """A fingerprint of one version of a row: 48 bits of a hash of all its columns except ``excluding``.

    The cursor alone would not do: a server's clock can be too coarse to distinguish two versions, and part of a row can
    become visible after its cursor (Prefect on SQLite: milliseconds, and states that follow their task run).
    """
    if excluding:
        row = {name: value for name, value in row.items() if name not in excluding}
    text = json.dumps(row, sort_keys=True, default=str)
    return hashlib.blake2b(text.encode(), digest_size=_FINGERPRINT_BYTES).digest()
