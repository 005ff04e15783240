"""Rows that are gone are found by a reading of the whole list, and only they and what changed are written."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import pytest

from dev.testbed.loopback import Answerer, Reply, Seen
from tests.hostile.api import Misbehavior
from tests.hostile.misbehaviors import after_each, both, numbered, respond
from tests.hostile.model import STREAMS, Model
from tests.hostile.world import Killed, World
from tests.in_process import InProcess
from tests.specs import edited

PERIOD = 25 * 3600.0
SOFT: dict[str, Any] = {f"streams.{stream}.deleted": "soft_delete" for stream in ("runs", "steps")}
RECONCILED_NOTES: dict[str, Any] = {"streams.notes.incremental.reconcile": {"every": "24h"}}


@pytest.fixture
def server() -> Iterator[InProcess]:
    with InProcess(lambda seen: Reply([])) as server:
        yield server


@pytest.fixture
def model() -> Model:
    """A few rows of each kind, and 20 runs more."""
    model = Model().filled()
    for minute in range(20):
        model.make_run(minutes=-minute)
    model.wait(3600)
    return model


def connected(server: InProcess, model: Model, streams: str, **added: Any) -> World:
    """A connection of some streams that find what is gone. A round is under way."""
    world = World(server, model, edited(STREAMS, add={**SOFT, **added}), streams=streams)
    for _ in range(2):
        world.sync()
        model.wait(3600)
    return world


def by_keyset(seen: Seen) -> bool:
    """Whether a request is for a page of the whole list of runs."""
    return bool((seen.json or {}).get("sort") == "EXPECTED_ASC")


def finished(model: Model) -> list[str]:
    """The keys of the runs that completed."""
    return [key for key, run in model.tables["runs"].items() if run["state"] == "COMPLETED"]


def test_only_rows_that_are_gone_and_changes_are_written(server: InProcess, model: Model) -> None:
    """One run is gone and one was edited: one delete and one upsert, no truncate, and none in the next round."""
    world = connected(server, model, "runs")
    gone, changed, *_ = finished(model)
    model.delete_run(gone)
    model.edit_run(changed)
    model.wait(PERIOD)
    world.sync()
    assert sorted(world.warehouse.writes()) == [("delete", "runs"), ("upsert", "runs")]
    assert not world.wrong("runs")
    assert "runs: 1 row gone from the server: soft-deleted" in world.lines.infos
    model.wait(PERIOD)
    world.sync()
    assert not world.warehouse.writes()


def hide(stream: str, key: str, times: int) -> Misbehavior:
    """Leave a row out of the first responses of a list that would have it. Lookups of runs have it."""
    left = [times]

    def misbehave(seen: Seen, answer: Answerer) -> Reply:
        reply = answer(seen)
        is_list = by_keyset(seen) if stream == "runs" else f"/{stream}/" in seen.path
        kept = [row for row in reply.value if row["id"] != key] if is_list and isinstance(reply.value, list) else None
        if kept is None or len(kept) == len(reply.value) or not left[0]:
            return reply
        left[0] -= 1
        return replace(reply, value=kept)

    return misbehave


@pytest.mark.parametrize(("stream", "readings"), [("runs", 1), ("steps", 2), ("notes", 2)])
def test_a_row_is_deleted_once_two_readings_missed_it(
    server: InProcess, model: Model, stream: str, readings: int
) -> None:
    """The list and a lookup or, without lookups, the list twice. For children, that of all parents is read."""
    world = connected(server, model, "runs,steps,notes", **RECONCILED_NOTES)
    gone, missed = (step_of(model, run) if stream == "steps" else run for run in finished(model)[:2])
    if stream == "notes":
        gone, missed, *_ = sorted(model.tables["notes"])
    del model.tables[stream][gone]
    model.wait(PERIOD)
    model.misbehaviors = [hide(stream, missed, 10 if stream == "runs" else 1)]
    world.sync()
    assert not world.wrong(stream)
    assert [one for one in world.warehouse.writes() if one[1] == stream] == [("delete", stream)]
    assert sum(line.startswith(f"{stream}: reconciled") for line in world.lines.infos) == 1
    model.misbehaviors = [hide(stream, missed, readings)]
    model.wait(PERIOD)
    world.sync()
    assert (missed in world.rows(stream)) == (stream == "runs")
    model.misbehaviors.clear()
    model.wait(PERIOD)
    world.sync()
    assert not world.wrong(stream)
    assert world.warehouse.writes() == [("upsert", stream)] * (stream != "runs")


def step_of(model: Model, run: str) -> str:
    """The key of the first step of a run."""
    return next(key for key, step in model.tables["steps"].items() if step["run_id"] == run)


def test_a_row_that_was_gone_for_a_while_returns(server: InProcess, model: Model) -> None:
    """With the cursor that it had when a query delivered it. Its row is known to be deleted, so it is sent again."""
    world = connected(server, model, "runs")
    run = model.make_run()
    model.wait(3600)
    world.sync()
    model.hide("runs", run, None, PERIOD + 60)
    model.wait(PERIOD)
    world.sync()
    assert world.warehouse.writes() == [("delete", "runs")]
    model.wait(PERIOD)
    world.sync()
    assert world.warehouse.writes() == [("upsert", "runs")]
    assert not world.wrong("runs")


def test_a_row_that_where_excludes_is_deleted_and_returns(server: InProcess, model: Model) -> None:
    """Each record is written when it becomes a row, and deleted when it is none any more, and never else."""
    world = connected(server, model, "runs", **{"streams.runs.where": {"path": "$.kind", "not": "internal"}})
    run, other, *_ = finished(model)
    for kind, writes in (("internal", [("delete", "runs")]), ("public", [("upsert", "runs")])):
        model.change("runs", run, kind=kind)
        model.tables["runs"][other]["kind"] = kind  # without a trace
        model.wait(PERIOD)
        world.sync()
        assert world.warehouse.writes() == 2 * writes
        model.wait(PERIOD)
        world.sync()
        assert not world.warehouse.writes()
    assert not world.wrong("runs")


@pytest.mark.parametrize("drops", [True, False])
def test_a_row_that_a_killed_sync_wrote_and_that_is_gone_is_deleted(
    server: InProcess, model: Model, drops: bool
) -> None:
    """Whether or not the destination keeps what was written after the last checkpoint, wherever the sync is killed."""
    for operation in range(3, 9, 2):
        world = connected(server, model, "runs")
        world.warehouse.drops = drops
        new = [model.make_run(minutes=60) for _ in range(6)]
        model.wait(600)
        world.warehouse.killed_at = operation
        world.sync(stopped_by=(Killed,))
        world.warehouse.killed_at = None
        for run in new[::2]:
            model.delete_run(run)
        for _ in range(2):
            model.wait(PERIOD)
            world.sync()
        assert not world.wrong("runs")


def test_deletions_go_on_where_a_sync_was_stopped(server: InProcess, model: Model) -> None:
    """However many rows are gone: each sync of eight requests deletes some of them, and none twice."""
    gone = [model.make_run(minutes=-100 - number) for number in range(60)]
    world = connected(server, model, "runs")
    for run in gone:
        model.delete_run(run)
    model.wait(PERIOD)
    deleted = 0
    for _ in range(40):
        model.misbehaviors = [respond(Reply(status=418), numbered(9, 10**9))]
        failure = world.may_fail()
        deleted += world.warehouse.count("delete")
        if failure is None:
            break
    assert failure is None
    assert deleted == len(gone)
    assert not world.wrong("runs")


def test_deletions_go_on_where_a_sync_was_killed(server: InProcess, model: Model) -> None:
    """Those that a checkpoint made durable are not sent again."""
    gone = [model.make_run(minutes=-100 - number) for number in range(9)]
    world = connected(server, model, "runs")
    for run in gone:
        model.delete_run(run)
    model.wait(PERIOD)
    world.warehouse.killed_at = 8
    world.sync(stopped_by=(Killed,), checkpoint_rows=2)
    durable, world.warehouse.killed_at = world.warehouse.durable("delete", "runs"), None
    world.sync()
    assert (durable > 0, world.warehouse.count("delete")) == (True, len(gone) - durable)
    assert not world.wrong("runs")


# --- more keys than the state holds -----------------------------------------------------------------------------------


def test_a_list_of_more_rows_than_the_state_has_keys_of_is_sent_again(
    server: InProcess, model: Model, monkeypatch: pytest.MonkeyPatch
) -> None:
    """After a truncate, once in a period. Once it is short enough, only what is gone is deleted."""
    monkeypatch.setattr("engine.reading.known_keys.KEYS_MAX", 20)
    world = connected(server, model, "runs")
    assert "keys" not in world.warehouse.state["streams"]["runs"]
    for run in finished(model)[:10]:
        model.delete_run(run)
    model.wait(PERIOD)
    world.sync()
    assert world.warehouse.writes() == [("truncate", "runs")] + [("upsert", "runs")] * len(model.tables["runs"])
    assert not world.wrong("runs")
    model.delete_run(finished(model)[0])
    model.wait(PERIOD)
    world.sync()
    assert world.warehouse.writes() == [("delete", "runs")]
    assert not world.wrong("runs")


def test_a_list_that_outgrows_the_state_while_it_is_read_is_sent_again(
    server: InProcess, model: Model, monkeypatch: pytest.MonkeyPatch
) -> None:
    """In the same sync, so what is gone is found in time."""
    monkeypatch.setattr("engine.reading.known_keys.KEYS_MAX", len(model.tables["runs"]))
    world = connected(server, model, "runs")
    gone, *_ = finished(model)
    model.wait(PERIOD)
    model.delete_run(gone)

    def grow() -> None:
        for _ in range(2):
            model.make_run(expected="2024-04-01T00:00:00Z")

    model.misbehaviors = [after_each(both(by_keyset, numbered(1)), grow)]
    model.make_run(minutes=600)
    world.sync()
    assert world.warehouse.count("truncate") == 1
    assert gone not in world.rows("runs")
    model.misbehaviors.clear()
    model.wait(600)
    world.sync()
    assert not world.wrong("runs")


def test_a_limit_that_does_not_allow_for_the_whole_list_is_named_before_it_is_spent(
    server: InProcess, model: Model, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The sync fails with the remedy and sends no request in vain. The other streams are reconciled."""
    monkeypatch.setattr("engine.reading.known_keys.KEYS_MAX", 20)
    world = connected(server, model, "runs,notes", **RECONCILED_NOTES)
    for number in range(80):
        model.make_run(minutes=-number)
    for _ in range(2):
        model.wait(3600)
        world.sync()
    gone = next(iter(model.tables["notes"]))
    del model.tables["notes"][gone]
    model.wait(PERIOD)
    world.text = edited(world.text, add={"api.limits": {"requests": 24}})
    message = world.fails()
    assert "runs: POST /runs/filter takes about 27 requests, and api.limits.requests leaves " in message
    assert "Raise the limit by at least" in message
    assert "or declare `deleted: keep`" in message
    assert not any(map(by_keyset, model.requests[-world.sent :]))
    assert gone not in world.rows("notes")
    world.text = edited(world.text, replace={"api.limits.requests": 100})
    world.sync()
    assert not world.wrong("runs")


def test_rows_that_were_gone_before_deletions_are_switched_on_are_marked(server: InProcess, model: Model) -> None:
    """The state has no keys of its rows yet, so the table is truncated and sent again, once."""
    world = World(server, model, STREAMS, streams="runs")
    for _ in range(2):
        world.sync()
        model.wait(3600)
    model.delete_run(finished(model)[0])
    world.text = edited(STREAMS, add=SOFT)
    truncates = []
    for _ in range(3):
        model.wait(PERIOD)
        world.sync()
        truncates.append(world.warehouse.count("truncate"))
        assert not world.wrong("runs")
        model.delete_run(finished(model)[0])
    assert truncates == [1, 0, 0]


def test_deletions_that_are_switched_off_leave_no_keys(server: InProcess, model: Model) -> None:
    """They would be wrong once it is switched on again."""
    world = connected(server, model, "runs")
    assert "keys" in world.warehouse.state["streams"]["runs"]
    world.text = STREAMS
    world.sync()
    assert "keys" not in world.warehouse.state["streams"]["runs"]
