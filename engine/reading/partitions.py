"""The partitions of a connection: the records of a list of the API, or the values of a setting."""

from __future__ import annotations

import json
from collections.abc import Collection, Mapping, Sequence
from dataclasses import replace
from typing import Any, Final

from engine.failures import Failure, NotFound
from engine.log import Log, escaped
from engine.pagination.single import Single
from engine.reading.backfill import read_all
from engine.reading.pages import PageReader
from engine.reading.shared_lists import SharedLists
from engine.reading.source import Source
from engine.requests import Record, Request, leaves_its_place, url_below
from engine.rows.mapping import RowMapping
from engine.spec.dialect import Partitions, Stream
from engine.spec.load import ResolvedSpec
from engine.spec.partitions import Partition, choose

_NAME_MAX: Final = 100  # characters in a log line


def find_partitions(resolved: ResolvedSpec, declared: Partitions, pages: PageReader, log: Log) -> list[Partition]:
    """All partitions that there are, each once, in the order of the list.

    Raises:
        Failure: the list could not be read, or one of its records is no partition.
    """
    stream = _as_stream(resolved, declared)
    source = Source(resolved.spec, stream, None, pages, log, SharedLists({}))
    if declared.list is not None:
        source.records = [{"value": value} for values in declared.list for value in values]
    mapping, found = source.mapping, dict[str, Partition]()
    try:
        for batch in read_all(source):
            for _, record in batch.records:
                one = _partition(resolved, declared, mapping, record)
                found[one.key] = one
    except NotFound as not_found:
        why = f"Without it, the connection has no {declared.noun}: leave {_setting(resolved)} empty."
        raise Failure(f"{not_found} {why}") from None
    return [*found.values()]


def selected_partitions(
    resolved: ResolvedSpec, declared: Partitions, found: Sequence[Partition], gone: Collection[str] = ()
) -> list[Partition]:
    """Those partitions that the connection selects. ``gone``: the names and keys of those that there were.

    Raises:
        Failure: a name that is selected is none of them.
    """
    return choose(found, declared.selected, declared.noun, _setting(resolved), gone)


def in_partition(resolved: ResolvedSpec, partition: Partition) -> ResolvedSpec:
    """The spec of a single partition, as if the connection had only that."""
    api = replace(resolved.spec.api, base_url=partition.base_url)
    return replace(resolved, spec=replace(resolved.spec, api=api))


def _setting(resolved: ResolvedSpec) -> str:
    return " and ".join(resolved.settings_behind("api.partitions.selected")) or "api.partitions.selected"


def columns_of(key: str, declared: Partitions) -> Mapping[str, Any]:
    """The columns of the partition with a key."""
    values = [key] if _is_plain(declared) else json.loads(key)
    return dict(zip(declared.columns, values, strict=True))


def _as_stream(resolved: ResolvedSpec, declared: Partitions) -> Stream:
    """The list of partitions as a stream."""
    api = resolved.spec.api
    return Stream(
        description=f"One row per partition: {declared.noun}.",
        endpoint=declared.endpoint,
        primary_key=tuple(declared.columns),
        sync_mode="full_refresh",
        body=declared.body,
        query=declared.query,
        records=declared.records or api.records,
        pagination=(Single() if declared.list is not None else declared.pagination or api.pagination,),
        form=api.form,
        fields=declared.fields,
        name=declared.noun,
    )


def _partition(resolved: ResolvedSpec, declared: Partitions, mapping: RowMapping, record: Record) -> Partition:
    values = mapping.key(record)
    assert isinstance(values, tuple)
    key = str(values[0]) if _is_plain(declared) else json.dumps(values)
    names = [path.get(record) for path in declared.names]
    return Partition(
        key,
        tuple(escaped(name[:_NAME_MAX]) for name in names if isinstance(name, str) and name),
        _base_url(resolved, declared, record, key),
        dict(zip(declared.columns, values, strict=True)),
    )


def _is_plain(declared: Partitions) -> bool:
    """Whether the key of a partition is one string, which the state has as it is."""
    return [column.type for column in declared.columns.values()] == ["STRING"]


def _base_url(resolved: ResolvedSpec, declared: Partitions, record: Record, key: str) -> str:
    request = Request(declared.base_url, values={"partition": record})
    path = declared.base_url.path
    values = [variable.value(request.values or {}) for variable in request.variables]
    if not all(isinstance(value, (str, int)) and str(value) for value in values) or leaves_its_place(
        path, request.values or {}
    ):
        raise Failure(f"{declared.noun}: the record of {escaped(key[:_NAME_MAX])} has no value that can be in {path}.")
    url = url_below(resolved.spec.api.base_url, request.written_out().endpoint)
    if url is None:
        raise Failure(f"{declared.noun}: {path} goes above the root of the server.")
    return url
