"""Whole syncs that begin with the state of an earlier version: nothing is lost, and nothing is read again in vain."""

from __future__ import annotations

import base64
import json
from collections.abc import Iterator
from typing import Any

import pytest

from dev.testbed.loopback import Reply, Seen
from tests.hostile.misbehaviors import numbered, respond
from tests.hostile.model import STREAMS, TABLES, Model
from tests.hostile.world import World
from tests.in_process import InProcess

VERSIONS = (1, 2, 3)
PERIOD = 25 * 3600.0
KEPT = ("since", "recent", "pass", "open", "reconcile")
IN_A_ROUND = ("began", "previous", "position", "rows")


@pytest.fixture
def world() -> Iterator[World]:
    """A connection of all streams. Nothing is synced yet."""
    model = Model().filled()
    for minute in range(40):
        model.make_run(minutes=-minute)
    model.wait(3600)
    with InProcess(lambda seen: Reply([])) as server:
        yield World(server, model, STREAMS)


def as_version(state: dict[str, Any], version: int) -> dict[str, Any]:
    """A state as an earlier version wrote it.

    Version 3 had no intervals of queries, no versions of rows, and no fingerprints of declarations, so nothing of full
    refreshes. Where all keys were kept, to find deleted rows, they were under the name of open ones. Version 2 called a
    round of reconciliation a sweep. Version 1 did not name its API, and its fingerprints had 8 bytes.
    """
    streams = {name: _stream(document, version) for name, document in state["streams"].items()}
    api = {"api": state["api"]} if version > 1 else {}
    return {"version": version, **api, "streams": {name: document for name, document in streams.items() if document}}


def _stream(document: dict[str, Any], version: int) -> dict[str, Any]:
    kept = {name: document[name] for name in KEPT if name in document and (name != "recent" or "since" in document)}
    if "reconcile" in kept:
        parts = {name: kept["reconcile"][name] for name in IN_A_ROUND}
        kept = {**kept, "reconcile": parts} if version == 3 else {**_without(kept, "reconcile"), "sweep": parts}
    if "keys" in document:
        kept["open"] = document["keys"]["found"]
    if version == 1 and kept.get("recent"):
        count = len(base64.b64decode(kept["recent"])) // 6
        kept["recent"] = base64.b64encode(bytes(8 * count)).decode()
    return kept


def _without(document: dict[str, Any], name: str) -> dict[str, Any]:
    return {key: value for key, value in document.items() if key != name}


def migrate(world: World, version: int) -> dict[str, Any]:
    """Let the next sync begin with the state as this version wrote it."""
    world.warehouse.state = as_version(json.loads(json.dumps(world.warehouse.state)), version)
    return world.warehouse.state


def lower_bounds(world: World) -> list[str | None]:
    """From where the whole list of runs was read in the last sync, page by page; None is its start."""
    pages = [seen for seen in world.api.requests[-world.sent :] if _is_page(seen)]
    return [((page.json.get("runs") or {}).get("expected") or {}).get("after_") for page in pages]


def _is_page(seen: Seen) -> bool:
    return bool((seen.json or {}).get("sort") == "EXPECTED_ASC")


def last_run(world: World) -> str:
    """The key of the run that is at the end of the list."""
    return str(max(world.api.tables["runs"].values(), key=lambda run: str(run["expected"]))["id"])


@pytest.mark.parametrize("version", VERSIONS)
def test_changes_since_then_arrive_and_only_they(world: World, version: int) -> None:
    """Of the full refreshes, whose rows no earlier state has, every row is sent, after a truncate."""
    model = world.api
    assert isinstance(model, Model)
    for _ in range(2):
        world.sync()
        model.wait(3600)
    migrate(world, version)
    runs = model.tables["runs"]
    running, scheduled = (next(key for key, run in runs.items() if run["state"] == s) for s in ("RUNNING", "SCHEDULED"))
    edited = last_run(world)
    model.move_run(running, "COMPLETED")
    model.delete_run(scheduled)
    model.edit_run(edited)
    del model.tables["notes"][next(iter(model.tables["notes"]))]
    model.add("notes")
    model.make_run()
    model.wait(600)
    world.sync()
    assert world.wrong("runs") == {edited: "stale"}
    assert not any(world.wrong(table) for table in ("notes", "pools", "queues", "tags"))
    assert [world.warehouse.count("truncate", table) for table in TABLES] == [0, 0, 0, 1, 1, 1]
    assert world.warehouse.count("upsert", "runs") == 2
    assert world.warehouse.count("delete", "runs") == 1
    assert world.warehouse.writes().count(("upsert", "notes")) == 1
    assert len(lower_bounds(world)) <= 2  # a slice of reconciliation
    assert world.warehouse.state["version"] == 4
    for _ in range(3):
        model.wait(PERIOD)
        world.sync()
    assert not any(world.wrong(table, kept=table == "steps") for table in TABLES)
    assert not world.warehouse.writes()


@pytest.mark.parametrize("version", VERSIONS)
def test_rows_in_the_lookback_are_not_sent_again(world: World, version: int) -> None:
    """Apart from version 1, of whose fingerprints none can be compared."""
    world.settings["streams"] = "runs,steps,notes"
    world.sync()
    model = world.api
    assert isinstance(model, Model)
    model.make_run()
    model.add("notes")
    model.wait(60)
    world.sync()
    migrate(world, version)
    model.wait(60)
    world.sync()
    assert len(world.warehouse.writes()) == (3 if version == 1 else 0)


@pytest.mark.parametrize("version", VERSIONS)
def test_an_interrupted_first_pass_goes_on_where_it_stopped(world: World, version: int) -> None:
    """Without a truncate: the rows before its position are there."""
    world.settings["streams"] = "runs"
    world.api.misbehaviors = [respond(Reply(status=418), numbered(10))]
    world.fails()
    world.api.misbehaviors.clear()
    position = migrate(world, version)["streams"]["runs"]["pass"]["position"]
    there = len(world.rows("runs"))
    world.sync()
    assert lower_bounds(world)[0] == position.partition("..")[0]
    assert world.warehouse.count("truncate") == 0
    assert world.warehouse.count("upsert") <= len(world.api.tables["runs"]) - there + 4
    assert not world.wrong("runs")


@pytest.mark.parametrize("version", VERSIONS)
def test_a_round_of_reconciliation_goes_on_where_it_was(world: World, version: int) -> None:
    """It reads the rest of the list, and finds an edit there."""
    world.settings["streams"] = "runs"
    for _ in range(2):
        world.sync()
        world.api.wait(12 * 3600)
    world.sync()
    position = migrate(world, version)["streams"]["runs"]["reconcile" if version == 3 else "sweep"]["position"]
    world.api.change("runs", last_run(world))
    world.api.wait(13 * 3600)
    world.sync()
    assert lower_bounds(world)[0] == position.partition("..")[0]
    assert world.warehouse.writes() == [("upsert", "runs")]
    assert not world.wrong("runs")
