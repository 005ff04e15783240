"""The invariants of the hostile server can fail: each of them finds the reader that violates it."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Mapping
from typing import Any

import pytest

from engine.destination import Destination
from engine.failures import Failure
from engine.log import Log
from engine.spec.load import ResolvedSpec
from engine.sync import sync
from tests.effort import some
from tests.hostile import world
from tests.hostile.misbehaviors import SERVER_ERROR
from tests.hostile.test_hostile import HostileServer
from tests.hostile.world import Warehouse

Sync = Callable[..., None]


def story() -> None:
    """What happens to a reader in one run of the machine: a failing stream, stopped syncs, and changes of each kind."""
    server = HostileServer()
    try:
        server.begin(drops=True, runs=3, pools=3, synced=True, deletes=False, one_by_one=False)
        server.a_run_is_made(state="COMPLETED", minutes=0)
        server.a_note_or_tag_changes(table="tags", kind="change", at=0)
        server.a_stream_fails_for_a_while(stream="notes", reply=SERVER_ERROR, syncs=1)
        server.a_sync()
        server.time_passes(seconds=3600.0)
        server.syncs_are_stopped_again_and_again(stream="notes", number=9)
        server.a_note_or_tag_changes(table="notes", kind="delete", at=3)
    except AssertionError:
        server.server.__exit__(None, None, None)
        raise
    server.teardown()


class Tampering:
    """A destination behind a reader that does something wrong."""

    def __init__(self, warehouse: Destination) -> None:
        assert isinstance(warehouse, Warehouse)
        self.warehouse = warehouse
        self.upserts = 0

    def upsert(self, table: str, data: dict[str, Any]) -> None:
        """Pass a row on."""
        self.upserts += 1
        self.warehouse.upsert(table, data)

    def delete(self, table: str, keys: dict[str, Any]) -> None:
        """Pass a deletion on."""
        self.warehouse.delete(table, keys)

    def truncate(self, table: str) -> None:
        """Pass a truncate on."""
        self.warehouse.truncate(table)

    def checkpoint(self, state: dict[str, Any]) -> None:
        """Pass a state on."""
        self.warehouse.checkpoint(state)


class ForgetsPositions(Tampering):
    """No state says how far an unfinished pass is."""

    def checkpoint(self, state: dict[str, Any]) -> None:
        for stream in state["streams"].values():
            stream.pop("pass", None)
        super().checkpoint(state)


class DeletesLiveRows(Tampering):
    """Some rows are deleted as soon as they are there."""

    def upsert(self, table: str, data: dict[str, Any]) -> None:
        super().upsert(table, data)
        if table == "tags" and self.upserts % 3 == 0:
            self.delete(table, {"id": data["id"]})


class SkipsRows(Tampering):
    """Some rows never arrive, though the state says so."""

    def upsert(self, table: str, data: dict[str, Any]) -> None:
        self.upserts += 1
        if table != "runs" or self.upserts % 3:
            self.warehouse.upsert(table, data)


class WritesTooMuch(Tampering):
    """Every checkpoint is preceded by a row that did not change."""

    def checkpoint(self, state: dict[str, Any]) -> None:
        for row in list(self.warehouse.tables.get("tags", {}).values())[:1]:
            self.warehouse.upsert("tags", {name: value for name, value in row.items() if name != "deleted"})
        super().checkpoint(state)


def behind(tampering: type[Tampering]) -> Sync:
    """A reader that writes through this."""

    def read(resolved: ResolvedSpec, state: Mapping[str, Any], into: Destination, log: Log, **options: Any) -> None:
        sync(resolved, state, tampering(into), log, **options)

    return read


def swallows_failures(*arguments: Any, **options: Any) -> None:
    """A reader that reports success."""
    with contextlib.suppress(Failure):
        sync(*arguments, **options)


def names_nothing(*arguments: Any, **options: Any) -> None:
    """A reader whose failures say nothing."""
    try:
        sync(*arguments, **options)
    except Failure:
        raise Failure("something went wrong") from None


READERS: dict[str, tuple[Sync, str]] = {
    "deletes live rows": (behind(DeletesLiveRows), "tags"),
    "forgets how far it is": (behind(ForgetsPositions), "do not complete notes"),
    "moves its state past rows": (behind(SkipsRows), "runs"),
    "writes though nothing changed": (behind(WritesTooMuch), "upsert"),
    "swallows failures": (swallows_failures, "None"),
    "names nothing": (names_nothing, "something went wrong"),
}


def test_the_reader_passes() -> None:
    """Otherwise the story would show nothing."""
    story()


@pytest.mark.scenario("wrong-reader")
@pytest.mark.parametrize("reader", some([*READERS]))
def test_an_invariant_finds_a_reader_that(monkeypatch: pytest.MonkeyPatch, reader: str) -> None:
    """One that is wrong in one way, and right in all others."""
    wrong, message = READERS[reader]
    monkeypatch.setattr(world, "sync", wrong)
    with pytest.raises(AssertionError, match=message):
        story()
