"""A hostile API, a connection to it, a destination, and the syncs from one to the other."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from engine.failures import Failure
from engine.sync import sync
from tests.hostile.api import Api, Row
from tests.in_process import InProcess
from tests.shop import Lines, Recorder, connected
from tests.specs import edited

Tables = dict[str, dict[Any, dict[str, Any]]]


class Killed(BaseException):
    """The sync's process ends here."""


@dataclass
class Warehouse(Recorder):
    """A destination that keeps or drops, when a sync is killed, what was written after the last checkpoint.

    The SDK's local destination drops it. What Fivetran does in production is not documented.
    """

    drops: bool = True
    kept: Tables = field(default_factory=dict)
    killed_at: int | None = None

    def upsert(self, table: str, data: dict[str, Any]) -> None:
        """Store a row."""
        self._step()
        super().upsert(table, data)

    def delete(self, table: str, keys: dict[str, Any]) -> None:
        """Mark a row as deleted."""
        self._step()
        super().delete(table, keys)

    def truncate(self, table: str) -> None:
        """Mark all rows as deleted."""
        self._step()
        super().truncate(table)

    def checkpoint(self, state: dict[str, Any]) -> None:
        """Store the state as JSON does, and the rows."""
        self._step()
        super().checkpoint(json.loads(json.dumps(state)))
        self.kept = {name: {key: dict(row) for key, row in rows.items()} for name, rows in self.tables.items()}

    def _step(self) -> None:
        if self.killed_at is not None and len(self.operations) >= self.killed_at:
            raise Killed

    def roll_back(self) -> None:
        """End a sync that did not succeed."""
        if self.drops:
            self.tables = {name: {key: dict(row) for key, row in rows.items()} for name, rows in self.kept.items()}

    def durable(self, operation: str, table: str) -> int:
        """How often an operation was called before the last checkpoint."""
        checkpoints = [at for at, (name, _) in enumerate(self.operations) if name == "checkpoint"]
        until = checkpoints[-1] if checkpoints else 0
        return self.operations[:until].count((operation, table))

    def writes(self) -> list[tuple[str, Any]]:
        """The operations on rows."""
        return [one for one in self.operations if one[0] != "checkpoint"]


class World:
    """Syncs from an API to a warehouse.

    Args:
        server: Hands the requests over.
        api: Responds to them.
        text: The streams.yaml. A test can replace it between syncs.
    """

    def __init__(self, server: InProcess, api: Api, text: str, **settings: str) -> None:
        self.server, self.api, self.text, self.settings = server, api, text, settings
        self.warehouse = Warehouse()
        self.lines = Lines()
        self.checkpoint_seconds = 60.0
        self.sent: int = 0
        """The requests of the last sync."""
        server.answer = api.answer

    def sync(
        self, *, checkpoint_rows: int = 3, stopped_by: tuple[type[BaseException], ...] = ()
    ) -> BaseException | None:
        """Run one sync; returns what stopped it, if that is expected.

        The saved state goes through JSON, and is what the last checkpoint had.
        """
        self.lines, before = Lines(), len(self.api.requests)
        self.warehouse.operations.clear()
        resolved = connected(self.text, api_url=self.server.url, **self.settings)
        try:
            sync(
                resolved,
                self.warehouse.state,
                self.warehouse,
                self.lines,
                checkpoint_rows=checkpoint_rows,
                checkpoint_seconds=self.checkpoint_seconds,
            )
        except stopped_by as stop:
            self.warehouse.roll_back()
            return stop
        finally:
            self.sent = len(self.api.requests) - before
        return None

    def fails(self, **options: Any) -> str:
        """Run one sync that must fail; returns the message."""
        failure = self.sync(stopped_by=(Failure,), **options)
        assert failure is not None, "the sync succeeded"
        return str(failure)

    def may_fail(self, **options: Any) -> str | None:
        """Run one sync; returns the message if it failed."""
        failure = self.sync(stopped_by=(Failure,), **options)
        return None if failure is None else str(failure)

    def rows(self, table: str) -> dict[Any, dict[str, Any]]:
        """The rows of a destination table that are not deleted."""
        rows = self.warehouse.tables.get(table, {})
        return {key: row for key, row in rows.items() if not row["deleted"]}

    def wrong(self, table: str, source: str | None = None, *, kept: bool = False) -> Mapping[str, str]:
        """The rows in which a destination table differs from the API's, by key.

        Args:
            table: The destination table.
            source: The API's table, if it has another name.
            kept: Whether rows that are deleted on the server may stay.
        """
        want, have = self.api.tables[source or table], self.rows(table)
        missing = dict.fromkeys(want.keys() - have.keys(), "missing")
        extra = {} if kept else dict.fromkeys(have.keys() - want.keys(), "extra")
        stale = {key: "stale" for key in want.keys() & have.keys() if not _same(want[key], have[key])}
        return {**missing, **extra, **stale}

    def deleted_by_mistake(self, tables: Iterable[str]) -> list[tuple[str, str]]:
        """The rows that are marked as deleted though the API has them."""
        return [
            (table, key)
            for table in tables
            for key, row in self.warehouse.tables.get(table, {}).items()
            if row["deleted"] and key in self.api.tables[table]
        ]


def only(world: World, *streams: str) -> World:
    """The same world with some streams only."""
    world.settings["streams"] = ",".join(streams)
    return world


def edit(world: World, **changes: Any) -> None:
    """Edit the streams.yaml."""
    world.text = edited(world.text, **changes)


def _same(want: Row, have: Row) -> bool:
    """Whether a row is in its current version. Tables without a version are compared by their name."""
    return all(str(have[name]) == str(want.get(name)) for name in ("version", "name") if name in have)
