"""Every sync ends, and every sync that is stopped leaves the next one less to do."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from dev.testbed.loopback import Answerer, Reply, Seen
from engine.failures import Failure
from tests.effort import pairs, some
from tests.hostile.misbehaviors import NOT_FOUND, PROXY_PAGE, SERVER_ERROR, after_each, numbered, on, respond
from tests.hostile.model import FINAL, TABLES, Model, paused_query
from tests.hostile.prefect import prefect
from tests.hostile.world import Killed, World, edit, only
from tests.in_process import InProcess

pytestmark = pytest.mark.scenario("misbehavior")

ENOUGH = 150
"""More requests than any list here needs that does not grow."""


# --- rows keep coming -------------------------------------------------------------------------------------------------


def by_keyset(seen: Seen) -> bool:
    """Whether a request is for a page of runs by keyset."""
    return bool((seen.json or {}).get("sort") == "EXPECTED_ASC")


def begin_reconciliation(world: World) -> None:
    """Sync twice: the first round of reconciliation begins with the sync after the first pass."""
    for _ in range(2):
        world.sync()
        world.api.wait(600)


def grow(model: Model) -> None:
    """Four runs, as many as a page holds."""
    for _ in range(4):
        model.wait(0.1)
        model.make_run()


@pytest.mark.parametrize("reading", ["a first pass", "reconciliation", "soft deletion"])
def test_a_pass_ends_though_rows_keep_coming(world: World, model: Model, reading: str) -> None:
    """A page of new rows arrives during each request. The pass reads what existed when it began; the next, the rest."""
    only(world, "runs")
    if reading == "soft deletion":
        edit(world, add={"streams.runs.deleted": "soft_delete"})
    if reading != "a first pass":
        begin_reconciliation(world)
        model.wait(25 * 3600)
    model.misbehaviors = [
        respond(Reply(status=418), numbered(ENOUGH, 10**9)),
        after_each(by_keyset, lambda: grow(model)),
    ]
    world.sync()
    assert world.sent < ENOUGH / 3
    model.misbehaviors.clear()
    world.sync()
    assert not world.wrong("runs")


@pytest.mark.parametrize(("stream", "first"), pairs(["logs", "events"], [True, False]))
def test_logs_and_events_end_though_more_keep_coming(server: InProcess, stream: str, first: bool) -> None:
    """The project's tables that grow fastest: in a first pass, and in a pass over changes."""
    world = prefect(server, stream, batch_size="10")
    api = world.api

    def log() -> None:
        for _ in range(10 if stream == "logs" else 50):
            api.wait(0.01)
            api.add("logs", timestamp=api.at()) if stream == "logs" else api.notify("prefect.flow.x", occurred=api.at())

    for _ in range(3):
        log()
    if not first:
        world.sync()
        api.wait(3600)
        log()
    api.misbehaviors = [respond(Reply(status=418), numbered(ENOUGH, 10**9)), after_each(on(f"/{stream}/"), log)]
    world.sync(checkpoint_rows=1000)
    assert world.sent < ENOUGH / 2
    api.misbehaviors.clear()
    api.wait(60)
    world.sync(checkpoint_rows=1000)
    assert not world.wrong(stream)


# --- what another list names ------------------------------------------------------------------------------------------

NAMES: dict[str, Any] = {
    "another form": "run.my-note",
    "empty": "run.",
    "another resource": "pool.main",
    "a path": "run.../../admin",
    "long": f"run.{'x' * 100_000}",
    "a number": 17,
    "nothing": None,
    "an object": {"run": "x"},
    "no run": "run.00000000-0000-4000-8000-000000000000",
    "a hex form": "run.00000000000040008000000000000000",
}


@pytest.mark.parametrize("name", NAMES)
def test_an_event_that_names_something_else_blocks_nothing(world: World, model: Model, name: str) -> None:
    """Anyone can emit events. The other rows that events name arrive, and the next sync does not read them again."""
    only(world, "runs").sync()
    model.wait(3600)
    run = next(key for key, row in model.tables["runs"].items() if row["state"] == "FAILED")
    model.notify(NAMES[name])
    model.change("runs", run, state="COMPLETED")
    model.notify(f"run.{run}")
    model.notify(NAMES[name])
    world.sync()
    assert not world.wrong("runs")
    model.wait(3600)
    world.sync()
    assert not world.warehouse.count("upsert", "runs")


def test_a_key_that_only_the_server_refuses_blocks_no_other(world: World, model: Model) -> None:
    """A key can have the right form and be refused: the others of the same lookup arrive."""
    only(world, "runs").sync()
    model.wait(3600)
    refused, *runs = [key for key, row in model.tables["runs"].items() if row["state"] in FINAL]
    model.notify(f"run.{refused}")
    for run in runs:
        model.change("runs", run)
        model.notify(f"run.{run}")

    def refuse(seen: Seen) -> bool:
        return refused in (seen.json or {}).get("runs", {}).get("id", {}).get("any_", ())

    model.misbehaviors = [respond(Reply({"detail": "refused"}, 422), refuse)]
    world.sync()
    assert not world.wrong("runs")


@pytest.mark.parametrize("first", [True, False])
def test_more_events_of_one_instant_than_a_page_holds(server: InProcess, first: bool) -> None:
    """A worker that comes up for sixty deployments dates their events alike. All arrive, and so do all other tables."""
    world = prefect(server, "deployments,events,work_pools")
    api = world.api
    api.notify("prefect.flow.x", occurred=api.at(minutes=1))
    if not first:
        world.sync()
        api.wait(3600)
    instant = api.at()
    for number in range(60):
        deployment = api.add("deployments", name=f"deployment {number}")
        api.notify(f"prefect.deployment.{deployment}", "prefect.deployment.ready", occurred=instant)
    api.wait(1)
    api.notify("prefect.flow.y")
    api.wait(60)
    world.sync()
    assert not world.wrong("events")
    assert not world.wrong("deployments")
    api.wait(3600)
    world.sync()
    assert not world.warehouse.count("upsert", "events")


# --- stopped syncs ----------------------------------------------------------------------------------------------------


def model_of(world: World) -> Model:
    assert isinstance(world.api, Model)
    return world.api


def many_runs(world: World, state: str = "COMPLETED", **values: Any) -> None:
    for minute in range(60):
        world.api.wait(1)
        model_of(world).make_run(state, minutes=-minute, **values)
    world.api.wait(3600)


def many_notes(world: World) -> None:
    for _ in range(60):
        world.api.wait(1)
        world.api.add("notes")
    world.api.wait(3600)


def synced(world: World) -> None:
    begin_reconciliation(world)
    world.api.wait(3600)


def first_pass_by_keyset(world: World) -> None:
    many_runs(only(world, "runs"))


def first_pass_by_offset(world: World) -> None:
    edit(only(world, "notes"), remove=["streams.notes.deleted"])
    many_notes(world)


def first_pass_of_a_stream_that_finds_deleted_rows(world: World) -> None:
    many_notes(only(world, "notes"))


def first_pass_over_children(world: World) -> None:
    many_runs(only(world, "steps"))


def first_pass_over_runs_of_one_instant(world: World) -> None:
    many_runs(only(world, "runs"), expected="2024-05-01T01:07:00Z")


def first_pass_over_children_of_runs_of_one_instant(world: World) -> None:
    for _ in range(10):
        model_of(world).make_run(expected="2024-05-01T01:07:00Z")
    many_runs(only(world, "steps"))


def first_pass_over_children_of_many_runs_of_one_instant(world: World) -> None:
    many_runs(only(world, "steps"), expected="2024-05-01T01:07:00Z")


def changes_after_a_long_pause(world: World) -> None:
    synced(only(world, "runs"))
    many_runs(world)


def open_rows(world: World) -> None:
    synced(only(world, "runs"))
    many_runs(world, "RUNNING")


def new_rows_newest_first(world: World) -> None:
    synced(only(world, "notes"))
    many_notes(world)


def deletions_that_a_count_shows(world: World) -> None:
    many_notes(only(world, "notes"))
    synced(world)
    for note in list(world.api.tables["notes"])[::6]:
        del world.api.tables["notes"][note]
    world.checkpoint_seconds = 0.0  # a reading that finds nothing writes no rows, which are what is counted otherwise


def overdue_reconciliation(world: World) -> None:
    many_runs(only(world, "runs"))
    synced(world)
    world.api.wait(3 * 86400)
    for run in world.api.tables["runs"]:
        world.api.change("runs", run)


def overdue_reconciliation_with_changes(world: World) -> None:
    overdue_reconciliation(world)
    many_runs(world)


def overdue_soft_deletion(world: World) -> None:
    edit(world, add={"streams.runs.deleted": "soft_delete"})
    overdue_reconciliation(world)
    del world.api.tables["runs"][next(iter(world.api.tables["runs"]))]


def overdue_reconciliation_of_children(world: World) -> None:
    many_runs(only(world, "steps"))
    synced(world)
    world.api.wait(3 * 86400)
    for run in [key for key, row in world.api.tables["runs"].items() if row["state"] in FINAL]:
        world.api.change("runs", run)
        world.api.add("steps", run_id=run)


def by_a_limit(world: World, syncs: int) -> type[BaseException]:
    """At most twelve requests a sync."""
    if "limits" not in world.text:
        edit(world, add={"api.limits": {"requests": 12}})
    return Failure


def by_a_failure(world: World, syncs: int) -> type[BaseException]:
    """The thirteenth request fails for good."""
    world.api.misbehaviors = [respond(Reply(status=418), numbered(13))]
    return Failure


def by_a_kill(world: World, syncs: int) -> type[BaseException]:
    """The process ends at the twentieth request: what follows the last checkpoint is read again."""

    def kill(seen: Seen, answer: Answerer) -> Reply:
        if is_last(seen):
            raise Killed
        return answer(seen)

    is_last = numbered(20)
    world.api.misbehaviors = [kill]
    return Killed


LONG_READS: dict[Callable[[World], None], str] = {
    first_pass_by_keyset: "runs",
    first_pass_by_offset: "notes",
    first_pass_of_a_stream_that_finds_deleted_rows: "notes",
    first_pass_over_children: "steps",
    first_pass_over_runs_of_one_instant: "runs",
    first_pass_over_children_of_runs_of_one_instant: "steps",
    first_pass_over_children_of_many_runs_of_one_instant: "steps",
    changes_after_a_long_pause: "runs",
    open_rows: "runs",
    new_rows_newest_first: "notes",
    deletions_that_a_count_shows: "notes",
    overdue_reconciliation: "runs",
    overdue_reconciliation_with_changes: "runs",
    overdue_soft_deletion: "runs",
    overdue_reconciliation_of_children: "steps",
}


@pytest.mark.parametrize(("reading", "stopped"), some(pairs(LONG_READS, [by_a_limit, by_a_failure, by_a_kill])))
def test_a_long_read_ends_though_each_sync_is_stopped(
    world: World, model: Model, reading: Callable[[World], None], stopped: Callable[[World, int], type[BaseException]]
) -> None:
    """After a dozen requests each time: each sync goes on where the last one stopped."""
    reading(world)
    sync_until_complete(world, stopped)
    assert not world.wrong(LONG_READS[reading])


@pytest.mark.parametrize(("events_a_page", "stopped"), pairs([4, 50], [by_a_limit, by_a_kill]))
def test_a_change_feed_is_read_though_each_sync_is_stopped(
    world: World, model: Model, events_a_page: int, stopped: Callable[[World, int], type[BaseException]]
) -> None:
    """However many pages it has, and however many rows a page names."""
    edit(world, replace={"streams.runs.incremental.change_feed.body.limit": events_a_page})
    many_runs(only(world, "runs"))
    synced(world)
    for run in [key for key, row in model.tables["runs"].items() if row["state"] in FINAL]:
        model.change("runs", run)
        model.notify(f"run.{run}")
    model.wait(3600)
    sync_until_complete(world, stopped)
    assert not world.wrong("runs")


def sync_until_complete(world: World, stopped: Callable[[World, int], type[BaseException]]) -> None:
    """Sync until nothing stops a sync before its end."""
    for syncs in range(120):
        if world.sync(stopped_by=(stopped(world, syncs),)) is None:
            return
    pytest.fail("120 syncs of a dozen requests do not read 20 pages")


def test_changes_are_done_before_reconciliation_begins(world: World, model: Model) -> None:
    """A reconciliation that fails does not make the next sync read the same changes again."""
    begin_reconciliation(only(world, "runs"))
    model.wait(25 * 3600)
    model.make_run()
    model.misbehaviors = [respond(Reply(status=418), by_keyset)]
    asked = []
    for _ in range(2):
        model.wait(3600)
        first = len(model.requests)
        world.may_fail()
        queries = [(seen.json or {}).get("runs", {}) for seen in model.requests[first:]]
        asked.append(next(query["ended"]["after_"] for query in queries if "ended" in query))
    assert asked[0] < asked[1]
    assert not world.wrong("runs")


# --- rate limits ------------------------------------------------------------------------------------------------------


@pytest.mark.long
@pytest.mark.parametrize("retry_after", [True, False])
def test_a_rate_limit_slows_a_sync_and_does_not_end_it(world: World, model: Model, retry_after: bool) -> None:
    """The server accepts a request whenever enough time has passed since the last one, and refuses all others."""
    seconds = 0.9 if retry_after else 0.03
    accepted = [0.0]

    def limit(seen: Seen, answer: Answerer) -> Reply:
        if seen.at - accepted[0] < seconds:
            return Reply({"detail": "Too many requests"}, 429, headers={"Retry-After": "1"} if retry_after else {})
        accepted[0] = seen.at
        return answer(seen)

    only(world, "pools", "queues", "tags")
    if retry_after:
        model.tables |= {"pools": {}, "queues": {}, "tags": {}}
    retry = {"attempts": 1, "wait_initial": "10ms", "wait_max": "20ms"}
    edit(world, replace={"api.retry": retry, "api.concurrency": 4})
    model.misbehaviors = [limit]
    world.sync()
    assert not world.wrong("tags")


# --- instants ---------------------------------------------------------------------------------------------------------


LAST, FIRST = "9999-12-31T23:59:59.999999Z", "0001-01-01T00:00:00Z"


@pytest.mark.parametrize(("instant", "rows"), pairs([LAST, FIRST], [1, 9]))
def test_every_instant_that_a_server_can_hold_is_read(world: World, model: Model, instant: str, rows: int) -> None:
    """Alone and as a tie of more rows than a page holds, in a first pass and in reconciliation."""
    only(world, "runs")
    for _ in range(rows):
        model.make_run(expected=instant)
    begin_reconciliation(world)
    assert not world.wrong("runs")
    model.wait(25 * 3600)
    model.edit_run(next(reversed(model.tables["runs"])))
    world.sync()
    model.wait(25 * 3600)
    world.sync()
    assert not world.wrong("runs")


# --- what is dispensable ----------------------------------------------------------------------------------------------


def fail_feed(seen: Seen) -> bool:
    """Whether a request is for events."""
    return "/events/" in seen.path


BROKEN = {
    "500": SERVER_ERROR,
    "503": Reply(status=503),
    "403": Reply({"detail": "Forbidden"}, 403),
    "404": NOT_FOUND,
    "a proxy's 404": PROXY_PAGE,
    "405": Reply(status=405),
    "418": Reply(status=418),
    "422": Reply({"detail": "Unprocessable"}, 422),
    "a web page": Reply(body=b"<html>sign in</html>", headers={"Content-Type": "text/html"}),
    "another shape": Reply({"message": "try again"}),
    "torn": Reply(body=b'[{"id": '),
}


@pytest.mark.parametrize(("broken", "which"), some(pairs(BROKEN, [fail_feed, paused_query])))
def test_what_is_dispensable_may_fail_in_every_way(
    world: World, model: Model, which: Callable[[Seen], bool], broken: str
) -> None:
    """A feed of changes or an optional query fails: the rest arrives. Reconciliation finds what they would find."""
    only(world, "runs", "steps")
    world.sync()
    model.wait(3600)
    new = model.make_run()
    runs = [key for key, row in model.tables["runs"].items() if row["state"] == "FAILED"]
    model.change("runs", runs[0], paused=model.at())
    model.change("runs", runs[1], state="COMPLETED")
    model.notify(f"run.{runs[1]}")
    model.misbehaviors = [respond(BROKEN[broken], which)]
    world.sync()
    assert new in world.rows("runs")
    model.misbehaviors.clear()
    for _ in range(2):
        model.wait(25 * 3600)
        world.sync()
    assert not world.wrong("runs")
    assert not world.wrong("steps")


# --- one stream fails -------------------------------------------------------------------------------------------------

DEPEND = {"runs": {"steps"}, "pools": {"queues"}}


@pytest.mark.parametrize(("failing", "broken"), pairs(TABLES, ["500", "418", "422", "a web page"]))
def test_the_failure_of_one_stream_is_not_that_of_others(world: World, model: Model, failing: str, broken: str) -> None:
    """The others are read, written and checkpointed. Then the sync fails, and its message names what failed."""
    path = "/queues/filter" if failing == "queues" else f"/api/{failing}/"
    world.sync()
    model.wait(3600)
    changed = model.make_run()
    for table in ("notes", "tags"):
        model.add(table)
    model.make_pool()
    model.misbehaviors = [respond(BROKEN[broken], on(path))]
    message = world.fails()
    affected = {failing} | DEPEND.get(failing, set())
    for table in TABLES:
        assert (f"{table}: " in message) == (table in affected), message
        assert bool(world.wrong(table)) == (table in affected), table
    again = world.fails()
    assert affected == {table for table in TABLES if f"{table}: " in again}
    assert not world.warehouse.writes()
    model.misbehaviors.clear()
    world.sync()
    assert not any(world.wrong(table) for table in TABLES)
    assert changed in world.rows("runs")
