"""Syncs of a file in examples/ into tables in memory, without a socket."""

from __future__ import annotations

from collections.abc import Hashable, Mapping
from dataclasses import dataclass, field, replace
from functools import cache
from pathlib import Path
from typing import Any

from engine.failures import Failure
from engine.spec.load import ResolvedSpec, resolve
from engine.sync import sync
from tests.examples.stubs.api import Api
from tests.in_process import InProcess
from tests.shop import Lines

EXAMPLES = Path(__file__).parents[2] / "examples"

Row = Mapping[str, Any]


@dataclass
class Tables:
    """A destination in memory.

    Attributes:
        keys: The primary keys of the tables.
        rows: The rows of each table that are not deleted, by their keys.
        sent: The keys of the rows that were sent, by table, in order.
        deleted: Those of the rows that were deleted.
    """

    keys: Mapping[str, tuple[str, ...]]
    rows: dict[str, dict[Hashable, Row]] = field(default_factory=dict)
    sent: dict[str, list[Hashable]] = field(default_factory=dict)
    deleted: dict[str, list[Hashable]] = field(default_factory=dict)
    state: dict[str, Any] = field(default_factory=dict)

    def upsert(self, table: str, data: dict[str, Any]) -> None:
        """Store a row."""
        key = self._key(table, data)
        self.sent.setdefault(table, []).append(key)
        self.rows.setdefault(table, {})[key] = data

    def delete(self, table: str, keys: dict[str, Any]) -> None:
        """Delete a row, if it is there."""
        key = self._key(table, keys)
        if self.rows.setdefault(table, {}).pop(key, None) is not None:
            self.deleted.setdefault(table, []).append(key)

    def truncate(self, table: str) -> None:
        """Delete all rows."""
        self.rows[table] = {}

    def checkpoint(self, state: dict[str, Any]) -> None:
        """Store the state."""
        self.state = state

    def _key(self, table: str, row: Row) -> Hashable:
        key = tuple(row[name] for name in self.keys[table])
        return key[0] if len(key) == 1 else key


class Example:
    """An example's streams.yaml, connected to a stub of its API. By default, all its streams are synced.

    Attributes:
        resolved: The file, with the settings of the connection.
        tables: What the syncs have written.
        log: What the last sync has logged.
        requests: The paths of its requests, each with its method.
    """

    def __init__(self, name: str, api: Api, *streams: str, **settings: str) -> None:
        self.api = api
        self.resolved = resolved = _resolved(name, tuple(settings.items()))
        if streams:
            self.resolved = replace(resolved, selected=streams)
        self.tables = Tables(
            {stream.destination_table: tuple(stream.primary_key) for stream in resolved.spec.streams.values()}
        )
        self.log = Lines()
        self.requests: list[str] = []

    def sync(self) -> dict[str, list[Hashable]]:
        """Sync; returns the keys of the rows that were sent, by table, sorted.

        Raises:
            Failure: the sync failed.
        """
        self.tables.sent, self.tables.deleted, self.log = {}, {}, Lines()
        self.api.seen.clear()
        try:
            with InProcess(self.api):
                sync(self.resolved, self.tables.state, self.tables, self.log)
        finally:
            self.requests = [f"{seen.method} {seen.path.removeprefix('/api')}" for seen in self.api.seen]
        return {table: sorted(keys, key=str) for table, keys in self.tables.sent.items()}

    def failure(self) -> str:
        """Sync, which must fail; returns the message."""
        try:
            self.sync()
        except Failure as failure:
            return str(failure)
        raise AssertionError("the sync succeeds")

    def column(self, table: str, name: str) -> dict[Hashable, Any]:
        """A column's values, by the keys of the rows."""
        return {key: row[name] for key, row in self.tables.rows[table].items()}


@cache
def _resolved(name: str, settings: tuple[tuple[str, str], ...]) -> ResolvedSpec:
    """An example with the settings of a connection, read once. It waits a hundredth as long before it tries again."""
    resolved = resolve(EXAMPLES / name / "streams.yaml", {"api_url": InProcess.url, **dict(settings)})
    api = resolved.spec.api
    api = replace(api, retry=replace(api.retry, wait_initial=api.retry.wait_initial / 100))
    return replace(resolved, spec=replace(resolved.spec, api=api))
