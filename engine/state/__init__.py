"""The state that a connection keeps between syncs: one small, versioned JSON document that a person can read.

    {"version": 4, "api": "http://127.0.0.1:4200/api",
     "streams": {"flow_runs": {"since": "2024-05-01T10:00:00.000000Z", "recent": "s0me+Fingerpr1nts"}}}

``since`` moves only when a pass over a stream is complete. An interrupted pass is stored beside it as
``"pass": {"began": "2024-05-01T10:00:00.000000Z", "position": "..."}``. ``api`` is the base URL that was read.

The state of a connection that has partitions is of version 5, and has those of the streams of each:

    {"version": 5, "api": "...", "streams": {}, "partitioned_by": ["workspace_id"],
     "partitions": {"4e9b...": {"name": "production", "streams": {"flow_runs": {...}}}}}
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

VERSION: Final = 4
PARTITIONED_VERSION: Final = 5  # of a connection that has partitions
RECENT_MAX: Final = 1000  # fingerprints per stream: 8 KB of state
KNOWN_MAX: Final = 5000  # rows of a full refresh whose versions are kept, each in 30 bytes if its key is a UUID
KNOWN_TOTAL: Final = 50_000  # such rows of all partitions together
KEYS_MAX: Final = 100_000  # rows whose keys reconciliation keeps, to find those that are gone
KEYS_SIZE: Final = 3_000_000  # characters of those keys: 100,000 UUIDs take 2.2 million
INTERVALS_MAX: Final = 40  # per query
PARENTS_MAX: Final = 100_000  # rows of a parent that a stream remembers, each in 11 bytes
_RECENT_TOTAL: Final = 1500  # fingerprints of all streams: 12 KB
_FINGERPRINT_BYTES: Final = 6
PARENT_BYTES: Final = 8
CLOSED_MAX: Final = 10_000  # rows of a parent that are no longer open, whose children a stream has yet to read
UNKNOWN_VERSION: Final = bytes(_FINGERPRINT_BYTES)
"""The version of a row that may be in the destination or not."""


class StateError(Failure):
    """A state that this version cannot read. Re-reading everything silently would be a costly surprise."""


Counter = int | str | None
"""A cursor that is no instant."""


@dataclass(frozen=True)
class PassState:
    """An unfinished pass.

    ``began``: when, by the server's clock or, if it sends no dates, by this machine's. ``position``: up to where its
    rows were sent; None if it has to start over. Then it only shows that the pass has begun. ``last``: the greatest
    cursor so far, if that is no instant.
    """

    began: datetime
    position: str | None
    last: Counter = None


@dataclass(frozen=True)
class Interval:
    """The instants from ``start`` to ``end``, inclusive."""

    start: datetime
    end: datetime

    def __contains__(self, instant: datetime) -> bool:
        return self.start <= instant <= self.end


Covered = Mapping[str, tuple[Interval, ...]]
"""Per query, the intervals in which it found every change."""


def with_intervals(covered: Covered, found: Mapping[str, Interval]) -> Covered:
    """The intervals so far with those of one pass. Of many, the latest are kept."""
    joined = dict(covered)
    for query, interval in found.items():
        intervals = list(covered.get(query, ()))
        if intervals and interval.start <= intervals[-1].end:
            last = intervals.pop()
            interval = Interval(last.start, max(last.end, interval.end))
        joined[query] = (*intervals, interval)[-INTERVALS_MAX:]
    return joined


@dataclass(frozen=True)
class ReconcileState:
    """A round of reconciliation, which reads the whole list once.

    ``began``: when. ``previous``: rows with an earlier cursor were right when the round before this one began.
    ``newest``: the newest cursor known when this round began. ``position``, ``rows``: how far it is. ``total``: the
    rows of the round before. ``sent``, ``sent_before``: fingerprints of row versions that this round and the one before
    it sent, or know to be in the destination. ``again``: whether the list is read a second time, which confirms that
    rows are gone.
    """

    began: datetime
    previous: datetime
    position: str | None = None
    rows: int = 0
    newest: datetime | None = None
    total: int | None = None
    sent: frozenset[bytes] = frozenset()
    sent_before: frozenset[bytes] = frozenset()
    again: bool = False


Key = tuple[Any, ...]

KeyValue = str | int
"""The value of a primary key of one column by which rows are looked up."""


@dataclass(frozen=True)
class KnownRows:
    """The rows that the last full refresh left: their versions by key or, if there are too many, none.

    ``digest``: a fingerprint of all keys and versions together.
    """

    digest: str
    versions: Mapping[Key, bytes] | None = None


@dataclass(frozen=True)
class Keys:
    """The keys of all rows that the destination has.

    ``found``: of rows that the server had, the last time that it was asked. ``missing``: of rows that the reading of
    the whole list which is under way has not come to, or has not found. ``unsure``: of rows that were about to be
    written, so that the destination has them or not.
    """

    found: frozenset[Key] = frozenset()
    missing: frozenset[Key] = frozenset()
    unsure: frozenset[Key] = frozenset()

    def __len__(self) -> int:
        return len(self.found) + len(self.missing) + len(self.unsure)


@dataclass(frozen=True)
class Surplus:
    """By how many ``rows`` the server's count exceeds its list, as a reading of the whole list at ``found`` showed.

    ``is_sure``: whether that can be relied on. A list that is older than the count shows too few.
    """

    rows: int
    found: datetime
    is_sure: bool = True


@dataclass(frozen=True)
class StreamState:
    """How far one stream has been read.

    ``since``: all rows with an earlier cursor are in the destination. ``recent``: fingerprints of row versions at or
    after ``since`` that are there too, so that the lookback does not send them twice. If there are too many, some are
    left out, and those rows are sent again. ``current_pass``: the pass that was interrupted. ``open``: keys of rows
    that could still change when they were sent. ``covered``: the intervals in which each query found every change.
    ``rows``: what a full refresh left. ``keys``: the keys of all rows, if those that are gone are to be found and there
    are not too many. ``surplus``: how wrong the server's count is, if that shows deleted rows. ``newest``: the newest
    cursor of the rows that the first pass read, until reconciliation begins. ``parents``: digests of the parent's rows
    whose children are in the destination, if each is asked for its changes. ``last``: the greatest cursor, if cursors
    are no instants. ``made_by``, ``read_by``: fingerprints of the declaration of what the rows are, and of how they are
    read. ``closed_parents``: keys of the parent's rows that only a lookup showed to be no longer open, until their
    children were read.
    """

    since: datetime | None = None
    recent: frozenset[bytes] = frozenset()
    current_pass: PassState | None = None
    open: frozenset[KeyValue] = frozenset()
    reconcile: ReconcileState | None = None
    covered: Covered = field(default_factory=dict)
    rows: KnownRows | None = None
    keys: Keys | None = None
    surplus: Surplus | None = None
    newest: datetime | None = None
    parents: frozenset[bytes] = frozenset()
    made_by: str | None = None
    read_by: str | None = None
    last: Counter = None
    closed_parents: frozenset[KeyValue] = frozenset()

    @property
    def has_begun(self) -> bool:
        """Whether the table can have rows of the stream."""
        return self.since is not None or self.current_pass is not None or self.rows is not None


Streams = Mapping[str, StreamState]
"""The states of streams by their names."""


@dataclass(frozen=True)
class PartitionState:
    """The state of one partition.

    ``name``: what it was called. ``is_gone``: whether the list of partitions no longer has it, which has been reported,
    or its rows are being deleted for that.
    """

    name: str = ""
    is_gone: bool = False
    streams: Streams = field(default_factory=dict)


@dataclass(frozen=True)
class State:
    """The state of all streams, and the base URL that they were read from.

    ``streams``: of the connection itself. ``partitions``: of its partitions, by their keys, if it has any.
    ``partitioned_by``: the columns that are their key.
    """

    api: str
    streams: Streams = field(default_factory=dict)
    partitions: Mapping[str, PartitionState] = field(default_factory=dict)
    partitioned_by: tuple[str, ...] = ()

    def streams_of(self, partition: str | None) -> Streams:
        """The states of the streams of a partition or, with None, of the connection itself."""
        return self.streams if partition is None else self.partitions.get(partition, PartitionState()).streams

    def with_stream(self, name: str, stream: StreamState, partition: str | None = None) -> State:
        """The state with another state of one stream."""
        if partition is None:
            return replace(self, streams={**self.streams, name: stream})
        before = self.partitions.get(partition, PartitionState())
        return self.with_partition(partition, replace(before, streams={**before.streams, name: stream}))

    def with_partition(self, key: str, partition: PartitionState) -> State:
        """The state with another state of one partition."""
        return replace(self, partitions={**self.partitions, key: partition})

    def without_partition(self, key: str) -> State:
        """The state without one of its partitions."""
        return replace(self, partitions={one: state for one, state in self.partitions.items() if one != key})

    def of_others(self, name: str, partition: str) -> list[StreamState]:
        """The states of a stream in the other partitions."""
        others = (state.streams.get(name) for key, state in self.partitions.items() if key != partition)
        return [state for state in others if state is not None]

    def dump(self) -> dict[str, Any]:
        """The JSON document: under 16 KB, plus 22 bytes for each key that is a UUID, and 11 for each parent.

        Each partition adds about as much as the streams of a connection without partitions have.
        """
        every = [self.streams, *(partition.streams for partition in self.partitions.values())]
        recent = sum(len(stream.recent) for streams in every for stream in streams.values())
        dump = _Dump(min(1.0, _RECENT_TOTAL / recent) if recent else 1.0)
        document = {"version": VERSION, "api": self.api, "streams": dump.streams(self.streams)}
        if not self.partitioned_by:
            return document
        partitions = {
            key: {
                **({"name": partition.name} if partition.name else {}),
                **({"gone": True} if partition.is_gone else {}),
                "streams": dump.streams(partition.streams),
            }
            for key, partition in self.partitions.items()
        }
        return {
            **document,
            "version": PARTITIONED_VERSION,
            "partitioned_by": list(self.partitioned_by),
            "partitions": partitions,
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
    if version not in (1, 2, 3, VERSION, PARTITIONED_VERSION):
        raise StateError(
            f"the saved state has version {version!r}; this connector reads version {PARTITIONED_VERSION}. "
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
        if version != PARTITIONED_VERSION:
            return State(api, _streams(document, version))
        partitions = {
            str(key): PartitionState(str(one.get("name", "")), one.get("gone") is True, _streams(one, version))
            for key, one in document["partitions"].items()
        }
        return State(api, _streams(document, version), partitions, tuple(map(str, document["partitioned_by"])))
    except (KeyError, TypeError, ValueError, OverflowError, AttributeError) as error:
        raise StateError(
            f"the saved state cannot be read ({type(error).__name__}: {error}). "
            "Correct it, or reset the state (a historical re-sync) to read everything again."
        ) from None


def _address(url: Any) -> tuple[str, str]:
    """Host and path of a URL. The scheme, a default port and a trailing slash do not make another API."""
    try:
        parts = urlsplit(str(url))
    except ValueError:  # such as a bracket that is not closed
        return str(url), ""
    default = {"http": ":80", "https": ":443"}.get(parts.scheme, "")
    return parts.netloc.lower().removesuffix(default), parts.path.rstrip("/")


class _Dump:
    """Makes the document of a state, whose parts share what room there is.

    Args:
        recent_share: The share of the fingerprints of recent rows for which there is room.
    """

    def __init__(self, recent_share: float) -> None:
        self._recent_share = recent_share
        self._keys_size: dict[str, int] = {}  # characters so far, by stream

    def streams(self, streams: Streams) -> dict[str, Any]:
        """The documents of those streams that have a state."""
        return {name: self._stream(name, stream) for name, stream in streams.items() if stream != StreamState()}

    def _stream(self, name: str, stream: StreamState) -> dict[str, Any]:
        document = _dump(stream, self._recent_share)
        if stream.keys is not None:
            keys = _dump_keys(stream.keys)
            size = self._keys_size.get(name, 0) + len(json.dumps(keys))
            if size <= KEYS_SIZE:
                document["keys"] = keys
                self._keys_size[name] = size
        return document


def _dump(stream: StreamState, share: float) -> dict[str, Any]:
    document: dict[str, Any] = {}
    if stream.since is not None:
        document["since"] = format_instant(stream.since)
    if stream.recent or stream.since is not None:
        document["recent"] = _joined(sorted(stream.recent)[: int(share * len(stream.recent))])
    if stream.current_pass is not None:
        began, position = stream.current_pass.began, stream.current_pass.position
        last = stream.current_pass.last
        document["pass"] = {
            "began": format_instant(began),
            "position": position,
            **({} if last is None else {"last": last}),
        }
    if stream.open:
        document["open"] = _pack(stream.open)
    if stream.closed_parents:
        document["closed_parents"] = _pack(stream.closed_parents)
    if stream.reconcile is not None:
        document["reconcile"] = _dump_reconcile(stream.reconcile)
    if stream.covered:
        document["covered"] = {
            query: [f"{format_instant(one.start)}..{format_instant(one.end)}" for one in intervals]
            for query, intervals in stream.covered.items()
        }
    if stream.rows is not None:
        document["rows"] = _dump_rows(stream.rows)
    if stream.surplus is not None:
        document["surplus"] = _dump_surplus(stream.surplus)
    newest = format_instant(stream.newest) if stream.newest is not None else None
    parents = _joined(sorted(stream.parents)) or None
    others = {
        "newest": newest,
        "parents": parents,
        "last": stream.last,
        "made_by": stream.made_by,
        "read_by": stream.read_by,
    }
    return document | {name: value for name, value in others.items() if value is not None}


def _dump_reconcile(reconcile: ReconcileState) -> dict[str, Any]:
    sent = {"sent": reconcile.sent, "sent_before": reconcile.sent_before}
    return {
        "began": format_instant(reconcile.began),
        "previous": format_instant(reconcile.previous),
        "position": reconcile.position,
        "rows": reconcile.rows,
        "newest": format_instant(reconcile.newest) if reconcile.newest else None,
        "total": reconcile.total,
        **({"again": True} if reconcile.again else {}),
        **{name: _joined(sorted(versions)[:RECENT_MAX]) for name, versions in sent.items() if versions},
    }


def _dump_rows(rows: KnownRows) -> dict[str, Any]:
    if rows.versions is None:
        return {"digest": rows.digest}
    packed = _pack_keys(rows.versions)
    versions = _joined(rows.versions[key] for key in _unpack_keys(packed))
    return {"digest": rows.digest, "keys": packed, "versions": versions}


def _known_rows(document: Mapping[str, Any]) -> KnownRows:
    if "keys" not in document:
        return KnownRows(str(document["digest"]))
    keys, versions = _unpack_keys(document["keys"]), _split(document["versions"], _FINGERPRINT_BYTES)
    return KnownRows(str(document["digest"]), dict(zip(keys, versions, strict=True)))


def _dump_keys(keys: Keys) -> dict[str, Any]:
    groups = {"found": keys.found, "missing": keys.missing, "unsure": keys.unsure}
    return {name: _pack_keys(group) for name, group in groups.items() if group}


def _keys(document: Mapping[str, Any]) -> Keys:
    found, missing, unsure = (
        frozenset(_unpack_keys(document.get(name, []))) for name in ("found", "missing", "unsure")
    )
    return Keys(found, missing, unsure)


def _dump_surplus(surplus: Surplus) -> dict[str, Any]:
    found = format_instant(surplus.found)
    return {"rows": surplus.rows, "found": found, **({} if surplus.is_sure else {"sure": False})}


def _surplus(document: Mapping[str, Any]) -> Surplus:
    return Surplus(int(document["rows"]), parse_instant(document["found"]), document.get("sure") is not False)


def _pack_keys(keys: Collection[Key]) -> Any:
    """Keys of any number of columns as JSON. Single UUIDs are packed."""
    single = [key[0] for key in keys if len(key) == 1 and isinstance(key[0], str)]
    packed = _pack(frozenset(single)) if len(single) == len(keys) else None
    return packed if isinstance(packed, str) else [list(key) for key in sorted(keys, key=repr)]


def _unpack_keys(packed: Any) -> list[Key]:
    return [(key,) for key in _unpacked(packed)] if isinstance(packed, str) else [tuple(key) for key in packed]


def _pack(keys: Collection[KeyValue]) -> Any:
    """Keys as a list. UUIDs, which can be many, as the base64 of their bytes: 22 characters each."""
    listed = sorted(keys, key=str)
    try:
        parts = [uuid.UUID(str(key)) for key in listed]
    except ValueError:
        return listed
    if [str(part) for part in parts] != listed:  # not in the canonical form, which unpacking would return
        return listed
    return _joined([part.bytes for part in parts])


def _unpack(packed: Any) -> frozenset[KeyValue]:
    if not isinstance(packed, list):
        return frozenset(_unpacked(packed))
    return frozenset(key if type(key) is int else str(key) for key in packed)


def _unpacked(packed: str) -> list[str]:
    return [str(uuid.UUID(bytes=part)) for part in _split(packed, 16)]


def _joined(parts: Iterable[bytes]) -> str:
    """Byte strings of one length, concatenated, in base64."""
    return base64.b64encode(b"".join(parts)).decode("ascii")


def _split(text: str, length: int) -> list[bytes]:
    content = base64.b64decode(text, validate=True)
    if len(content) % length:
        raise ValueError(f"{len(content)} bytes are not a multiple of {length}")
    return [content[at : at + length] for at in range(0, len(content), length)]


def _streams(document: Mapping[str, Any], version: int) -> Streams:
    return {name: _stream_state(stream, version) for name, stream in document["streams"].items()}


def _stream_state(document: Mapping[str, Any], version: int) -> StreamState:
    current_pass, reconcile = document.get("pass"), document.get("reconcile" if version >= 3 else "sweep")
    if not document.keys() & {"since", "pass", "open", "rows", "made_by"}:
        raise KeyError("since")
    return StreamState(
        parse_instant(document["since"]) if "since" in document else None,
        frozenset(_split(document.get("recent", ""), _FINGERPRINT_BYTES)) if version >= 2 else frozenset(),
        PassState(
            parse_instant(current_pass["began"]), _optional(str, current_pass["position"]), _counter(current_pass)
        )
        if current_pass
        else None,
        _unpack(document.get("open", [])),
        _reconcile_state(reconcile) if reconcile else None,
        {
            str(query): tuple(_interval(text) for text in intervals)
            for query, intervals in document.get("covered", {}).items()
        },
        _known_rows(document["rows"]) if "rows" in document else None,
        _keys(document["keys"]) if "keys" in document else None,
        _surplus(document["surplus"]) if "surplus" in document else None,
        parse_instant(document["newest"]) if "newest" in document else None,
        frozenset(_split(document.get("parents", ""), PARENT_BYTES)),
        _optional(str, document.get("made_by")),
        _optional(str, document.get("read_by")),
        _counter(document),
        _unpack(document.get("closed_parents", [])),
    )


def _counter(document: Mapping[str, Any]) -> Counter:
    last = document.get("last")
    return _optional(type(last) if type(last) in (int, str) else int, last)  # type: ignore[no-any-return]


def _optional(kind: type, value: Any) -> Any:
    """A value of this type, or None."""
    if value is not None and type(value) is not kind:
        raise TypeError(f"expected {kind.__name__}, found {type(value).__name__}")
    return value


def _interval(text: str) -> Interval:
    start, end = text.split("..")
    return Interval(parse_instant(start), parse_instant(end))


def _reconcile_state(document: Mapping[str, Any]) -> ReconcileState:
    newest = document.get("newest")
    return ReconcileState(
        parse_instant(document["began"]),
        parse_instant(document["previous"]),
        _optional(str, document["position"]),
        int(document["rows"]),
        parse_instant(newest) if newest else None,
        _optional(int, document.get("total")),
        frozenset(_split(document.get("sent", ""), _FINGERPRINT_BYTES)),
        frozenset(_split(document.get("sent_before", ""), _FINGERPRINT_BYTES)),
        document.get("again") is True,
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


class Digest:
    """A fingerprint of a set of rows, in whatever order they are added."""

    def __init__(self) -> None:
        self._sum = 0

    def add(self, key: Key, version: bytes) -> None:
        """Add a row that is not in the set."""
        content = hashlib.blake2b(repr(key).encode() + version, digest_size=16).digest()
        self._sum = (self._sum + int.from_bytes(content, "big")) % 2**128

    def hex(self) -> str:
        """The fingerprint: 32 digits."""
        return f"{self._sum:032x}"
