"""What nothing changed for costs nothing, and what changed costs what changed."""

from __future__ import annotations

import json
import threading
import time
from typing import Any

import pytest

from dev.testbed.loopback import Reply, Seen
from tests.hostile.misbehaviors import dated, numbered, respond
from tests.hostile.model import OPEN, TABLES, Model
from tests.hostile.prefect import prefect
from tests.hostile.world import World, edit, only
from tests.in_process import InProcess

pytestmark = pytest.mark.scenario("misbehavior")

DAY = 86400.0


def requested(world: World, path: str) -> int:
    """How many requests of the last sync were for a path that contains this."""
    return sum(path in seen.path for seen in world.api.requests[-world.sent :]) if world.sent else 0


# --- children ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("state", OPEN)
def test_open_rows_that_did_not_change_cost_no_request_for_their_children(
    world: World, model: Model, state: str
) -> None:
    """Only those that changed do."""
    only(world, "runs", "steps")
    for _ in range(30):
        model.make_run(state)
    model.wait(3600)
    for _ in range(2):
        world.sync()
        model.wait(3600)
    assert requested(world, "/steps/") == 0
    run = next(key for key, row in model.tables["runs"].items() if row["state"] == state)
    model.move_run(run, "RUNNING")
    world.sync()
    assert 1 <= requested(world, "/steps/") <= 2
    assert not world.wrong("steps")


def test_rows_in_the_lookback_cost_no_request_for_their_children_again(world: World, model: Model) -> None:
    """A run that ended a minute before the last sync, and did not change since, is not asked for its steps."""
    only(world, "runs", "steps")
    world.sync()
    model.wait(3600)
    for _ in range(10):
        model.make_run()
    model.wait(60)
    world.sync()
    assert requested(world, "/steps/") >= 10
    model.wait(60)
    world.sync()
    assert requested(world, "/steps/") == 0
    assert not world.wrong("steps")


def test_the_states_of_unchanged_runs_cost_no_request(server: InProcess) -> None:
    """The project's own table of states, with 60 runs that are scheduled."""
    world = prefect(server, "flow_runs,flow_run_states")
    for number in range(60):
        instants = {"expected_start_time": world.api.at(minutes=-60), "start_time": None, "end_time": None}
        run = world.api.add(
            "flow_runs", name=f"run {number}", state_type="SCHEDULED", state={"type": "SCHEDULED"}, **instants
        )
        world.api.add("flow_run_states", flow_run_id=run, timestamp=world.api.at())
    world.api.wait(3600)
    for _ in range(2):
        world.sync(checkpoint_rows=1000)
        world.api.wait(600)
    assert not world.wrong("flow_run_states")
    assert requested(world, "/flow_run_states/") == 0


# --- checkpoints ------------------------------------------------------------------------------------------------------


def test_checkpoints_grow_with_the_open_rows_and_not_with_their_square(world: World, model: Model) -> None:
    """Twice the open rows: about twice the bytes of state in the two checkpoints of a first pass."""
    only(world, "runs")
    written = []
    for rows in (100, 100):
        for minute in range(rows):
            model.make_run("SCHEDULED", minutes=minute)
        world.warehouse.state, world.warehouse.tables = {}, {}
        world.sync(checkpoint_rows=10_000)
        states = [state for name, state in world.warehouse.operations if name == "checkpoint"]
        assert len(states) == 2
        assert world.lines.infos[-2] == f"Synced {len(model.tables['runs'])} runs"
        written.append(sum(len(json.dumps(state)) for state in states))
    assert written[1] < 2.6 * written[0]


# --- dates ------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("stream", ["runs", "notes"])
def test_without_dates_only_changes_are_sent(world: World, model: Model, stream: str) -> None:
    """The newest cursor seen stands in for the server's clock."""
    only(world, stream)
    model.misbehaviors = [dated(model, None, lambda seen: True)]
    for _ in range(2):
        world.sync()
        model.wait(3600)
    assert not world.warehouse.writes()
    if stream == "runs":
        model.make_run()
    else:
        model.add("notes")
    model.wait(3600)
    world.sync()
    assert world.warehouse.count("upsert") == 1
    assert not world.wrong(stream)


def test_without_dates_a_first_pass_is_resumed(world: World, model: Model) -> None:
    """A sync that is stopped leaves the next one less to do."""
    only(world, "runs")
    for minute in range(60):
        model.make_run(minutes=minute)
    model.wait(3600)
    model.misbehaviors = [dated(model, None, lambda seen: True), respond(Reply(status=418), numbered(13))]
    world.fails()
    model.misbehaviors.pop()
    world.sync()
    assert world.warehouse.count("upsert") < 50
    assert not world.wrong("runs")


@pytest.mark.parametrize(
    ("hours", "request_number"),
    [(-5, 1), (-5, 3), (-5, 9), (-1000, 2), (5, 1), (5, 3)],
)
def test_one_wrong_date_sends_nothing_again(world: World, model: Model, hours: float, request_number: int) -> None:
    """A cached response repeats an old date. The others of the sync agree on another."""
    only(world, "runs", "steps", "notes")
    for _ in range(2):
        world.sync()
        model.wait(3600)
    model.misbehaviors = [dated(model, hours, numbered(request_number))]
    world.sync()
    assert not world.warehouse.writes()
    model.misbehaviors.clear()
    model.wait(1800)
    model.make_run()
    model.wait(1800)
    world.sync()
    assert world.warehouse.count("upsert", "runs") == 1
    assert not world.wrong("runs")
    assert not world.wrong("steps")


@pytest.mark.parametrize("hours", [30, 1000])
def test_rows_that_are_ahead_of_a_clock_that_was_set_back_are_sent_once(
    world: World, model: Model, hours: float
) -> None:
    """Also when the clock reaches the time of their last change, and by reconciliation."""
    only(world, "runs", "steps")
    model.wait(-3600 * hours)
    world.sync()
    for _ in range(6):
        model.wait(3600 * max(25, hours / 4))
        world.sync()
        assert not world.warehouse.writes()
    assert not world.wrong("runs")


# --- quiet syncs ------------------------------------------------------------------------------------------------------


def test_a_quiet_sync_of_the_project_writes_nothing(server: InProcess) -> None:
    """All default tables of a Prefect in which nothing happens: no row is written, and at most two checkpoints."""
    world = prefect(server)
    api = world.api
    for table in api.tables:
        if "run" not in table:
            for number in range(3):
                schedule = {"id": f"{table} {number}", "updated": api.at(), "schedule": {"cron": "* * * * *"}}
                api.add(table, name=f"{table} {number}", parent_name="work_pools 0", priority=number,
                        last_heartbeat_time=api.at(), key=f"key {number}", occurred=api.at(), event="x", resource={},
                        schedules=[schedule])  # fmt: skip
    api.wait(3600)
    for _ in range(2):
        world.sync(checkpoint_rows=10_000)
        api.wait(3600)
    assert len(world.rows("deployments")) == len(world.rows("deployment_schedules")) == len(world.rows("workers")) == 3
    assert not world.warehouse.writes()
    assert world.warehouse.count("checkpoint") <= 2


@pytest.mark.parametrize("rows", [3, 3000])
def test_a_full_refresh_of_which_nothing_changed_writes_nothing(world: World, model: Model, rows: int) -> None:
    """However many rows the table has."""
    only(world, "tags")
    edit(world, replace={"api.pagination.page_size": 200})
    model.cap = 200
    for _ in range(rows):
        model.add("tags")
    for _ in range(2):
        world.sync(checkpoint_rows=10_000)
        model.wait(3600)
    assert not world.warehouse.writes()
    assert world.warehouse.count("checkpoint") <= 2


@pytest.mark.parametrize("stream", ["tags", "pools", "queues"])
def test_a_full_refresh_sends_what_changed_and_deletes_what_is_gone(world: World, model: Model, stream: str) -> None:
    """One row is new, one changed, one is gone: two upserts, one delete and no truncate."""
    only(world, "pools", "queues", "tags")
    for _ in range(3):
        model.make_pool(queues=2)
    world.sync()
    model.wait(3600)
    first, second, *_ = model.tables[stream]
    values = {"name": "new", "heartbeat": model.at(), "priority": 0, "parent_name": model.tables["pools"][
        next(reversed(model.tables["pools"]))]["name"]}  # fmt: skip
    model.change(stream, first)
    model.add(stream, **values)
    gone = model.tables[stream].pop(second)
    if stream == "pools":
        orphans = [key for key, row in model.tables["queues"].items() if row["parent_name"] == gone["name"]]
        for key in orphans:
            del model.tables["queues"][key]
    world.sync()
    assert not any(world.wrong(table) for table in ("pools", "queues", "tags"))
    assert world.warehouse.count("upsert", stream) == 2
    assert world.warehouse.count("delete", stream) == 1
    assert world.warehouse.count("truncate") == 0


@pytest.mark.parametrize("streams", [TABLES, ("runs", "steps", "notes")])
def test_a_quiet_sync_has_at_most_two_checkpoints(world: World, model: Model, streams: tuple[str, ...]) -> None:
    """No row is written, so there is nothing to make durable but the state."""
    only(world, *streams)
    for _ in range(3):
        world.sync()
        model.wait(3600)
    assert not world.warehouse.writes()
    assert world.warehouse.count("checkpoint") <= 2


# --- reconciliation ---------------------------------------------------------------------------------------------------


def test_reconciliation_reads_concurrently(world: World, model: Model) -> None:
    """Like a first pass: several requests are in flight at once."""
    only(world, "runs")
    edit(world, replace={"api.concurrency": 4})
    for minute in range(150):
        model.make_run(minutes=minute)
        model.wait(60)
    for _ in range(2):
        world.sync(checkpoint_rows=1000)
        model.wait(3600)
    most = watch(world)
    model.wait(3 * DAY)
    world.sync(checkpoint_rows=1000)
    assert most() > 1


@pytest.mark.parametrize("ahead", [0, 1000])
def test_reconciliation_sends_an_edit_once(world: World, model: Model, ahead: float) -> None:
    """An edit that no query finds is sent by one round, and so are its children, even if it is dated ahead."""
    only(world, "runs", "steps")
    for _ in range(2):
        world.sync()
        model.wait(3600)
    edited_run = next(key for key, row in model.tables["runs"].items() if row["state"] == "FAILED")
    model.change("runs", edited_run, updated=model.at(hours=-ahead))
    sent = 0
    for _ in range(5):
        model.wait(DAY + 3600)
        world.sync()
        sent += len(world.warehouse.writes())
    assert sent == 2  # the run, and its step with the time of its change


def watch(world: World) -> Any:
    """Let each response take a few milliseconds, and count the requests in flight; returns what reads the maximum."""
    lock, flying, most = threading.Lock(), 0, 0

    def answer(seen: Seen) -> Reply:
        nonlocal flying, most
        with lock:
            flying += 1
            most = max(most, flying)
        time.sleep(0 if seen.path.endswith("/count") else 0.003)
        reply = world.api.answer(seen)
        with lock:
            flying -= 1
        return reply

    world.server.answer = answer
    return lambda: most


def test_the_period_of_reconciliation_can_be_a_setting(world: World, model: Model) -> None:
    """A user decides what freshness is worth, without an edit of streams.yaml."""
    only(world, "runs")
    setting = {"description": "How often all runs are read again.", "default": "24h"}
    edit(
        world,
        add={"configuration.period": setting},
        replace={"streams.runs.incremental.reconcile.every": "${period}"},
    )
    world.settings["period"] = "2h"
    for _ in range(2):
        world.sync()
        model.wait(600)
    run = next(key for key, row in model.tables["runs"].items() if row["state"] == "FAILED")
    model.edit_run(run)
    model.wait(3 * 3600)
    world.sync()
    assert not world.wrong("runs")
