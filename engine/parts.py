"""A stream's list in parts, for engines that read on several machines, and the state with which the connector goes on.

    made = plan(resolved, "flow_runs", log, recent=timedelta(hours=24))
    opened = []
    for part in made.parts:  # anywhere, in any order, and again if it fails
        for rows in read(resolved, part, log):
            opened += [row for row in rows if row.open_at is not None]
            ...
    state = hand_over(resolved, made, opened)

A part is a position of the list, as the state has it for an interrupted pass. So reading a part is what a sync does,
and what a plan leaves to the connector is an interrupted first sync, which the next sync resumes: it reads the rows
that were open and those that are recent, and then what changed since the plan was made.

A connection with partitions has parts of each, and a part names its partition.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from itertools import pairwise
from typing import Any, Final, NamedTuple

from engine.failures import Failure
from engine.http.client import Client
from engine.instants import EARLIEST, clamped, format_instant
from engine.log import Log, RedactingLog
from engine.pagination.keyset import Keyset
from engine.reading.backfill import read_all
from engine.reading.declared import made_by, read_by
from engine.reading.pages import PageReader
from engine.reading.partitions import find_partitions
from engine.reading.source import Source, sources
from engine.requests import Record
from engine.rows.mapping import Row
from engine.spec.dialect import Spec
from engine.spec.load import ResolvedSpec
from engine.spec.partitions import Partition, choose
from engine.state import PassState, StreamState, load_state
from engine.sync.groups import PartitionLog
from engine.sync.partitions import check_keys

_STEP: Final = timedelta(microseconds=1)
_NARROWEST: Final = timedelta(seconds=1)
_PARTS_BY_TIME: Final = 64  # of a list that the server does not count
_RANGES_MAX: Final = 100  # of open rows, in the state


@dataclass(frozen=True)
class Part:
    """A part of a stream's list. It holds no setting, and pickles.

    ``position``: where it starts and ends; None for the whole of a list that cannot be cut. ``partition``: where the
    list is, if the connection has partitions.
    """

    stream: str
    position: str | None = None
    partition: Partition | None = None


@dataclass(frozen=True)
class Plan:
    """The parts of a stream's list.

    ``began``: when it was made. What changes later can be in no part. ``is_dated``: whether that is by the server's
    clock. ``until``: rows dated then or later are in no part; None if all rows are in one. ``partitions``: those whose
    lists were cut; None stands for a connection without partitions. ``made_by``, ``read_by``: fingerprints of the
    declaration.
    """

    stream: str
    began: datetime
    is_dated: bool
    until: datetime | None
    parts: tuple[Part, ...]
    partitions: tuple[Partition | None, ...]
    made_by: str
    read_by: str


class PartRow(NamedTuple):
    """A row of a part. ``open_at``: set if the row is open: the timestamp by which its list is cut."""

    row: Row
    open_at: datetime | None


def plan(resolved: ResolvedSpec, name: str, log: Log, *, rows: int = 100_000, recent: timedelta | None = None) -> Plan:
    """Cut the list of a stream into parts; that of a child stream as its parent's.

    A list that is read from one timestamp to another is cut by the server's counts or, without those, by time. Any
    other is one part.

    Args:
        resolved: The spec with the settings of the connection.
        name: The stream.
        log: Receives retries and warnings.
        rows: About how many rows a part should have at most.
        recent: Leaves out rows dated less than this before now, and later: the connector reads those.

    Raises:
        Failure: the first page of the list, or a count, could not be read.
    """
    parts: list[Part] = []
    log = RedactingLog(log, resolved.settings.secrets.redact)
    with Client(resolved, log) as client, PageReader(client, 1) as pages:
        partitions = _partitions(resolved, name, pages, log)
        every = [_source(resolved, name, pages, log, partition) for partition in partitions]
        starts = [_start(_top(source)) for source in every]
        dated = [asked_at for asked_at, _ in starts if asked_at is not None]
        began = min(dated, default=pages.now)
        until = began - recent if recent is not None else None
        for partition, source, (_, first) in zip(partitions, every, starts, strict=True):
            edges = _edges(_top(source), first, began, until, rows)
            parts += [Part(name, _position(start, end), partition) for start, end in pairwise(edges)]
    declared = made_by(every[0]), read_by(every[0])
    return Plan(name, began, bool(dated), until, tuple(parts), tuple(partitions), *declared)


def read(resolved: ResolvedSpec, part: Part, log: Log, *, share: float = 1.0) -> Iterator[Sequence[PartRow]]:
    """Read the rows of a part, page by page. It ends once the part is confirmed to be complete.

    Parts of a list that is read in windows overlap by a second; others have no row in common.

    Args:
        resolved: The spec with the settings for which the plan was made.
        part: The part.
        log: Receives retries and warnings.
        share: This reader's share of the API's rate limit.

    Raises:
        Failure: the part could not be read completely.
    """
    log = RedactingLog(log, resolved.settings.secrets.redact)
    with Client(with_share(resolved, share), log) as client, PageReader(client, 1) as pages:
        source = _source(resolved, part.stream, pages, log, part.partition)
        mapping, open_at = source.mapping, _open_at(source)
        columns = part.partition.columns if part.partition is not None else {}
        for batch in read_all(source, part.position, restarts=part.position is None):
            records = [record for _, record in batch.records if mapping.is_row(record)]
            if records:
                yield [PartRow({**mapping.row(record), **columns}, open_at(record)) for record in records]
        for warning in mapping.mismatch_warnings():
            source.log.warning(warning)


def hand_over(
    resolved: ResolvedSpec, made: Plan, opened: Iterable[PartRow], state: Mapping[str, Any] | None = None
) -> dict[str, Any]:
    """The state of a first sync that was interrupted after all parts of a plan.

    The next sync reads the rows that are dated ``until`` or later, those at the timestamps of open rows, and all
    changes since the plan was made. It truncates nothing.

    Args:
        resolved: The spec with the settings of the connection.
        made: The plan. All of its parts were read.
        opened: The rows that were open. Of their columns, only those of the partition are needed.
        state: The connection's state so far; its other streams keep theirs.

    Raises:
        Failure: the stream cannot be handed over, or the state is of another API.
    """
    reason = _reason_against(resolved.spec, made)
    if reason is not None or made.until is None:
        raise Failure(f"{made.stream}: {reason}; leave its first sync to the connector.")
    after = load_state(state or {}, resolved.spec.api.base_url)
    check_keys(resolved, after)
    columns = tuple(resolved.partitions.columns) if resolved.partitions is not None else ()
    after, instants = replace(after, partitioned_by=columns), _instants(opened, columns, made.until)
    for partition in made.partitions:
        key, of = (partition.key, tuple(partition.columns.values())) if partition is not None else (None, ())
        interrupted = PassState(made.began, _rest(instants.get(of, ()), made.until))
        before = after.streams_of(key).get(made.stream, StreamState())
        one = StreamState(current_pass=interrupted, open=before.open, made_by=made.made_by, read_by=made.read_by)
        after = after.with_stream(made.stream, one, key)
    return after.dump()


def with_share(resolved: ResolvedSpec, share: float) -> ResolvedSpec:
    """The spec with a share of the API's rate limit, for one of several readers."""
    api = resolved.spec.api
    if api.rate_limit is None:
        return resolved
    slower = replace(api.rate_limit, per=api.rate_limit.per / share)
    return replace(resolved, spec=replace(resolved.spec, api=replace(api, rate_limit=slower)))


def _source(resolved: ResolvedSpec, name: str, pages: PageReader, log: Log, partition: Partition | None) -> Source:
    """One stream on the server, in a partition if the connection has any."""
    if partition is not None:
        pages, log = pages.below(partition.base_url), PartitionLog(log, partition.name)
    return sources(resolved.spec, pages, log)[name]


def _top(source: Source) -> Source:
    """The source whose list is cut: of a child, that of its parent, or of the parent's parent."""
    while source.parent is not None and source.stream.parent is not None:
        source = source.parent
    return source


def _partitions(resolved: ResolvedSpec, name: str, pages: PageReader, log: Log) -> Sequence[Partition | None]:
    """The partitions that a stream is read in.

    Raises:
        Failure: their list could not be read, or none of them is selected.
    """
    declared = resolved.partitions
    if declared is None:
        return [None]
    found = find_partitions(resolved, declared, pages, log)
    setting = " and ".join(resolved.settings_behind("api.partitions.selected")) or "api.partitions.selected"
    chosen = choose(found, declared.selected, declared.noun, setting)
    if not chosen:
        raise Failure(f"{declared.noun}: their list is empty. Check that the key has access to them.")
    if not resolved.spec.is_in_partitions(resolved.spec.streams[name]):
        raise Failure(f"{name}: it is the same in all {declared.noun}; leave it to the connector.")
    return chosen


# --- cutting ----------------------------------------------------------------------------------------------------------


def _start(source: Source) -> tuple[datetime | None, datetime | None]:
    """When the list was requested, by the server's clock, and its first timestamp, if it is sorted by one."""
    began: datetime | None = None
    for batch in read_all(source, ahead=False):
        began, style = began or batch.asked_at, source.pagination
        if not isinstance(style, Keyset):
            break
        dated = [clamped(at) for _, record in batch.records if (at := style.field.get(record)) is not None]
        if dated:
            return began, min(dated)
    return began, None


def _edges(
    source: Source, first: datetime | None, began: datetime, until: datetime | None, rows: int
) -> Sequence[datetime | None]:
    """The timestamps between which the parts lie; None is no bound."""
    start, end, windows = source.start().get("from"), until or began, source.stream.windows
    if start is not None and start >= end:
        return []
    if isinstance(source.pagination, Keyset):
        return [start, *_cuts(source, first or end, end, source.count(start, until), rows), until]
    if windows is not None and start is not None and not source.is_declared_to_move:
        return [start, *_by_time(start, end, min(_PARTS_BY_TIME, (end - start) // windows.at_most)), until]
    return [None, None]


def _cuts(source: Source, first: datetime, end: datetime, total: int | None, rows: int) -> Iterable[datetime]:
    return _by_time(first, end, _PARTS_BY_TIME) if total is None else _by_counts(source, first, end, total, rows)


def _by_time(first: datetime, end: datetime, parts: int) -> Sequence[datetime]:
    return [first + (end - first) * number / parts for number in range(1, parts)] if first < end else []


def _by_counts(source: Source, first: datetime, end: datetime, total: int, rows: int) -> Iterator[datetime]:
    """Cut in two halves of equal time, until no part has more rows than wanted."""
    if total <= rows or end - first < 2 * _NARROWEST:
        return
    middle = first + (end - first) / 2
    counted = source.count(first, middle)
    left = total // 2 if counted is None else counted
    yield from _by_counts(source, first, middle, left, rows)
    yield middle
    yield from _by_counts(source, middle, end, total - left, rows)


def _position(start: datetime | None, end: datetime | None) -> str | None:
    """The position of a part, in the form of the list's pagination."""
    if start is None and end is None:
        return None
    bounds = format_instant(start) if start is not None else ""
    return bounds if end is None else f"{bounds}..{format_instant(end)}"


# --- handing over -----------------------------------------------------------------------------------------------------


def _open_at(source: Source) -> Callable[[Record], datetime | None]:
    """A function that returns the timestamp of an open record; None for any other."""
    opened = source.stream.incremental.open if source.stream.incremental is not None else None

    def open_at(record: Record) -> datetime | None:
        if opened is None or not opened.includes(record):
            return None
        style = source.pagination
        at = style.field.get(record) if isinstance(style, Keyset) else None
        return EARLIEST if at is None else clamped(at)

    return open_at


def _reason_against(spec: Spec, made: Plan) -> str | None:
    """Why the connector cannot go on after the parts of a plan; None if it can."""
    stream = spec.streams[made.stream]
    family = [stream]
    while (parent := spec.parent_of(family[-1])) is not None:
        family.append(parent)
    if stream.sync_mode == "full_refresh":
        return "each sync reads the whole list of a full refresh"
    if made.until is None:
        return "its plan was made without `recent`"
    if any(part.position is None for part in made.parts):
        return "its list cannot be cut"
    if not made.is_dated:
        return "the server's responses have no Date header, so it is not known when its plan was made"
    if stream.finds_deleted or stream.where:
        return "the connector could not delete rows outside of its table, as `deleted: soft_delete` and `where` require"
    if any(one.asks_each_parent for one in family):
        return "it asks each row of its parent, of which it remembers those that it read"
    if stream.cursor_field is not None and not stream.has_instants:
        return "its cursor is no instant, so its changes since the plan was made are not known"
    has_open = stream.incremental is not None and stream.incremental.open is not None
    if has_open and (stream.windows is not None or stream.parent is not None):
        return "its rows can be open, and do not show where in the list they lie"
    return None


def _instants(
    opened: Iterable[PartRow], columns: Sequence[str], until: datetime
) -> Mapping[tuple[Any, ...], set[datetime]]:
    """The timestamps of open rows, by the values of the columns of their partition."""
    found: dict[tuple[Any, ...], set[datetime]] = {}
    for row, at in opened:
        if at is not None and EARLIEST < at < until:
            found.setdefault(tuple(row[column] for column in columns), set()).add(at)
    return found


def _rest(opened: Collection[datetime], until: datetime) -> str:
    """The position of an interrupted pass that has read all but the rows at these timestamps and from ``until`` on."""
    ranges = ((first, last + _STEP) for first, last in _ranges(opened, _RANGES_MAX))
    bounds = [f"{format_instant(first)}..{format_instant(end)}" for first, end in ranges]
    return ",".join([*bounds, format_instant(until)])


def _ranges(instants: Collection[datetime], most: int) -> Sequence[tuple[datetime, datetime]]:
    """The first and last instants of at most so many ranges; those that lie closest to each other share one."""
    ordered = sorted(instants)
    gaps = sorted(range(1, len(ordered)), key=lambda number: ordered[number] - ordered[number - 1], reverse=True)
    bounds = [0, *sorted(gaps[: most - 1]), len(ordered)] if ordered else []
    return [(ordered[first], ordered[last - 1]) for first, last in pairwise(bounds)]
