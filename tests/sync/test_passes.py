"""Passes that are interrupted, resumed, or run with a state that another streams.yaml left."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from random import Random
from typing import Any

import pytest

from dev.testbed.loopback import Answerer, Reply, Seen
from tests.effort import some
from tests.hostile.api import Misbehavior
from tests.hostile.misbehaviors import NOT_FOUND, SERVER_ERROR, after_each, both, dated, numbered, on, respond
from tests.hostile.model import STREAMS, Model
from tests.hostile.world import Killed, World
from tests.in_process import InProcess
from tests.specs import edited

MARKS: dict[str, Any] = {
    "description": "One row per mark on a note.",
    "endpoint": "GET /marks/",
    "parent": "notes",
    "query": {"note_id": "$parent.id"},
    "pagination": "single",
    "primary_key": "id",
    "cursor_field": "updated",
    "sync_mode": "incremental",
    "incremental": {},
    "fields": {"id": "$.id", "updated": {"path": "$.updated", "type": "UTC_DATETIME"}},
}
TOOLS: dict[str, Any] = {
    **MARKS,
    "description": "One row per tool of a step: a child of a child.",
    "endpoint": "GET /tools/",
    "parent": "steps",
    "query": {"step_id": "$parent.id"},
}


@pytest.fixture
def server() -> Iterator[InProcess]:
    with InProcess(lambda seen: Reply([])) as server:
        yield server


@pytest.fixture
def model() -> Model:
    """A few rows of each kind."""
    return Model().filled()


def connected(server: InProcess, model: Model, text: str, *streams: str) -> World:
    """A connection that syncs some streams."""
    return World(server, model, text, streams=",".join(streams))


def sync_in_parts(world: World, requests: int, *, syncs: int = 60, **options: Any) -> int:
    """Sync until one succeeds, each after at most so many requests; returns the number of syncs."""
    for number in range(1, syncs + 1):
        world.api.misbehaviors.append(respond(Reply(status=418), numbered(requests + 1, 10**9)))
        failure = world.may_fail(**options)
        world.api.misbehaviors.pop()
        if failure is None:
            return number
    raise AssertionError(f"{syncs} syncs were not enough: {failure}")


# --- keys that the state remembers ------------------------------------------------------------------------------------


def test_children_of_a_stream_that_remembers_all_its_keys_arrive(server: InProcess, model: Model) -> None:
    """Its keys detect deletions. They are no open rows, which would be looked up."""
    model.tables["marks"] = {}
    world = connected(server, model, edited(STREAMS, add={"streams.marks": MARKS}), "notes", "marks")
    world.sync()
    note = next(iter(model.tables["notes"]))
    model.wait(600)
    model.change("notes", note)
    model.add("marks", note_id=note)
    world.sync()
    assert not world.wrong("marks")


def test_children_that_become_visible_within_half_a_minute_arrive(server: InProcess, model: Model) -> None:
    """Whenever the sync comes: a run that has just changed is asked for its steps again."""
    world = connected(server, model, STREAMS, "runs", "steps")
    world.sync()
    for seconds in (1, 15, 29):
        model.wait(3600)
        model.move_run(next(reversed(model.tables["runs"])), "FAILED")
        model.hide("steps", next(reversed(model.tables["steps"])), None, 29)
        model.wait(seconds)
        world.sync()
        model.wait(29)
        world.sync()
        assert not world.wrong("steps"), seconds


def test_deletions_can_be_switched_off(server: InProcess, model: Model) -> None:
    """The keys that the state remembers are dropped then."""
    world = connected(server, model, STREAMS, "notes")
    world.sync()
    world.text = edited(STREAMS, remove=["streams.notes.deleted"])
    model.wait(600)
    model.add("notes")
    world.sync()
    assert not world.wrong("notes")
    assert not {"keys", "open"} & world.warehouse.state["streams"]["notes"].keys()


# --- interruptions ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("state", ["SCHEDULED", "COMPLETED"])
def test_a_first_pass_makes_progress_however_few_requests_a_sync_may_send(
    server: InProcess, model: Model, state: str
) -> None:
    """Also if all rows are open, which are written once the saved state lists them."""
    for _ in range(40):
        model.wait(60)
        model.make_run(state)
    world = connected(server, model, STREAMS, "runs")
    sync_in_parts(world, 6, checkpoint_rows=10_000)
    assert not world.wrong("runs")


def test_a_reconciliation_that_fails_undoes_nothing(server: InProcess, model: Model) -> None:
    """The pass before it is complete, and its cursor has moved, though the slice found a row that has just opened."""
    world = connected(server, model, STREAMS, "runs")
    for _ in range(2):
        world.sync()
        model.wait(3600)
    model.wait(86400)
    first = str(min(model.tables["runs"].values(), key=lambda run: str(run["expected"]))["id"])
    pages: list[Seen] = []

    def reopen(seen: Seen, answer: Answerer) -> Reply:
        if (seen.json or {}).get("sort") == "EXPECTED_ASC":
            pages.append(seen)
            if len(pages) == 1:
                model.change("runs", first, state="RUNNING")
        return answer(seen) if len(pages) < 3 else Reply(status=418)

    model.misbehaviors.append(reopen)
    world.fails(checkpoint_rows=10_000)
    state = world.warehouse.state["streams"]["runs"]
    assert "pass" not in state
    assert state["since"] > model.at(minutes=10)
    assert state["reconcile"]["position"]
    assert world.warehouse.tables["runs"][first]["state"] == "RUNNING"


@pytest.mark.parametrize("seconds", [10, 3600])
def test_an_open_row_that_a_killed_sync_deleted_is_sent_again_when_it_returns(server: InProcess, seconds: int) -> None:
    """Though it has not changed since it was sent, just now or long ago: it was hidden for a moment."""
    for killed_at in range(3, 6):
        model = Model().filled()
        world = connected(server, model, STREAMS, "runs")
        hidden = model.make_run("RUNNING")
        model.wait(seconds)
        for _ in range(2):
            world.sync()
            model.wait(60)
        row = model.tables["runs"].pop(hidden)
        model.make_run()
        world.warehouse.killed_at = killed_at
        world.sync(stopped_by=(Killed,), checkpoint_rows=1)
        world.warehouse.killed_at = None
        model.tables["runs"][hidden] = row
        for _ in range(2):  # the first goes on behind the open rows
            world.sync()
        assert not world.wrong("runs"), killed_at


@pytest.mark.parametrize("requests", some(range(1, 24)))
def test_children_of_rows_that_change_between_two_parts_of_a_pass_arrive(
    server: InProcess, model: Model, requests: int
) -> None:
    """A row that ends meanwhile comes first in the list then. Its earlier children are read, too."""
    text = edited(
        STREAMS,
        remove=[f"streams.{path}" for path in ("runs.incremental.changes.1", "runs.incremental.reconcile")],
        replace={"streams.steps.cursor_field": "updated", "streams.steps.incremental": {}},
        add={"streams.steps.fields.updated": {"path": "$.updated", "type": "UTC_DATETIME"}},
    )
    world = connected(server, model, text, "steps")
    world.sync()
    model.wait(3600)
    ended = [model.make_run("COMPLETED", steps=0) for _ in range(3)]
    running = [model.make_run("RUNNING", steps=0) for _ in range(3)]
    for run in ended + running:
        model.change("runs", run)
        model.add("steps", run_id=run)
    model.wait(3600)
    model.misbehaviors.append(respond(Reply(status=418), numbered(requests + 1, 10**9)))
    world.may_fail()
    model.misbehaviors.clear()
    model.wait(1800)
    for run in running:
        model.move_run(run, "COMPLETED")
    model.wait(1800)
    for _ in range(3):
        world.sync()
        model.wait(600)
    assert not world.wrong("steps")


@pytest.mark.parametrize("requests", some(range(8, 43, 3)))
def test_a_pass_over_children_of_children_goes_on_where_it_stopped(
    server: InProcess, model: Model, requests: int
) -> None:
    """In the first pass and in one over changes."""
    model.tables["tools"] = {}
    text = edited(STREAMS, add={"streams.tools": TOOLS})
    for step in list(model.tables["steps"]):
        for _ in range(2):
            model.add("tools", step_id=step)
    world = connected(server, model, text, "tools")
    sync_in_parts(world, requests)
    assert not world.wrong("tools")
    model.wait(3600)
    for state in ("COMPLETED", "RUNNING", "FAILED") * 3:
        model.make_run(state, steps=3)
        for step in list(model.tables["steps"])[-3:]:
            model.add("tools", step_id=step)
    model.wait(60)
    sync_in_parts(world, requests)
    assert not world.wrong("tools")


@pytest.mark.parametrize("path", ["/events/filter", "PAUSED_DESC"])
@pytest.mark.parametrize("streams", [["steps"], ["runs", "steps"]])
def test_children_that_are_not_reconciled_need_everything_that_finds_their_parents(
    server: InProcess, model: Model, path: str, streams: list[str]
) -> None:
    """If a change feed or an optional query fails, the reconciliation of the parents does not find their children."""
    text = edited(STREAMS, replace={"streams.steps.incremental": {}})
    world = connected(server, model, text, *streams)
    world.sync()
    model.wait(600)
    run = next(key for key, run in model.tables["runs"].items() if run["state"] == "COMPLETED")
    model.move_run(run, "FAILED")
    model.change("runs", run, paused=model.at())
    model.misbehaviors = [respond(SERVER_ERROR, lambda seen: path in f"{seen.path} {(seen.json or {}).get('sort')}")]
    world.fails()
    model.misbehaviors.clear()
    model.wait(600)
    world.sync()
    assert not world.wrong("steps")


def test_children_of_a_row_that_only_a_lookup_found_arrive_once_they_can_be_read(
    server: InProcess, model: Model
) -> None:
    """The row is no longer open when they can be, and no query finds it."""
    text = edited(STREAMS, replace={"streams.steps.incremental": {}})
    world = connected(server, model, text, "runs", "steps")
    for _ in range(2):
        world.sync()
        model.wait(3600)
    run = next(key for key, run in model.tables["runs"].items() if run["state"] == "RUNNING")
    model.change("runs", run, state="CANCELED")
    model.add("steps", run_id=run)
    model.wait(600)
    model.misbehaviors = [respond(SERVER_ERROR, on("/steps/"))]
    for _ in range(2):
        world.fails()
        assert not world.wrong("runs")
        model.wait(600)
    model.misbehaviors.clear()
    for _ in range(2):
        world.sync()
        assert not world.wrong("steps")
    assert "closed_parents" not in world.warehouse.state["streams"]["steps"]


def test_children_of_a_row_that_is_renamed_while_they_are_read_arrive(server: InProcess, model: Model) -> None:
    """Their path has the name that the row had when its list was read."""
    world = connected(server, model, STREAMS, "pools", "queues")

    def rename() -> None:
        pool = next(reversed(model.tables["pools"]))
        before = model.tables["pools"][pool]["name"]
        model.change("pools", pool, name="renamed")
        for key, queue in [*model.tables["queues"].items()]:
            if queue["parent_name"] == before:
                model.change("queues", key, parent_name="renamed")

    model.misbehaviors = [after_each(both(on("/queues/filter"), numbered(1)), rename)]
    world.sync()
    assert not world.wrong("queues")


# --- what reconciliation heals, and when ------------------------------------------------------------------------------


def test_an_open_row_that_becomes_visible_long_after_its_cursor_arrives(server: InProcess, model: Model) -> None:
    """It shows among the open rows, and the state does not list it, so it was not sent."""
    world = connected(server, model, STREAMS, "runs")
    world.sync()
    run = model.make_run("RUNNING")
    model.hide("runs", run, None, 3000)
    for _ in range(2):
        model.wait(2000)
        world.sync()
    assert not world.wrong("runs")


def test_children_whose_parents_an_optional_query_did_not_find_are_reconciled(server: InProcess, model: Model) -> None:
    """The query failed, for the parents and for their children."""
    world = connected(server, model, STREAMS, "runs", "steps")
    world.sync()
    model.wait(600)
    world.sync()
    run = [key for key, run in model.tables["runs"].items() if run["state"] == "FAILED"][-1]  # behind the first slice
    model.change("runs", run, paused=model.at())
    model.add("steps", run_id=run)
    model.wait(600)
    paused = "PAUSED_DESC"
    model.misbehaviors = [
        respond(SERVER_ERROR, both(lambda seen: (seen.json or {}).get("sort") == paused, numbered(1, 10)))
    ]
    world.sync()
    model.misbehaviors.clear()
    assert world.wrong("steps")
    for _ in range(3):
        model.wait(86400)
        world.sync()
    assert not world.wrong("steps")


def test_a_round_that_a_wrong_clock_began_ends(server: InProcess, model: Model) -> None:
    """Responses without dates for one sync let it begin by this machine's clock."""
    world = connected(server, model, STREAMS, "runs")
    world.sync()
    model.wait(600)
    model.misbehaviors = [dated(model, None, lambda seen: True)]
    world.sync()
    model.misbehaviors.clear()
    model.edit_run(next(key for key, run in model.tables["runs"].items() if run["state"] == "COMPLETED"))
    for _ in range(4):
        model.wait(86400)
        world.sync()
    assert not world.wrong("runs")


def test_a_pass_of_which_every_query_is_rejected_keeps_its_cursor(server: InProcess, model: Model) -> None:
    """The next sync is no first sync."""
    text = edited(
        STREAMS,
        remove=[
            f"streams.runs.{path}" for path in ("incremental.changes.0", "incremental.open", "incremental.change_feed")
        ],
    )
    world = connected(server, model, text, "runs")
    world.sync()
    since = world.warehouse.state["streams"]["runs"]["since"]
    model.misbehaviors = [respond(NOT_FOUND, lambda seen: (seen.json or {}).get("sort") == "PAUSED_DESC")]
    world.sync()
    assert world.warehouse.state["streams"]["runs"]["since"] == since
    model.wait(600)
    model.misbehaviors.clear()
    world.sync()
    assert world.warehouse.count("truncate") == 0


def test_one_row_without_a_cursor_is_no_column_of_nulls(server: InProcess, model: Model) -> None:
    """The warning that each sync sends all rows is for tables of which it does."""
    model.add("notes", updated=None)
    text = edited(STREAMS, remove=["streams.notes.deleted"])
    text = edited(text, remove=["streams.notes.incremental"])
    world = connected(server, model, text, "notes")
    for _ in range(2):
        world.sync()
        model.wait(600)
    assert world.warehouse.count("upsert") == 1
    assert not any("NULL in every record" in line for line in world.lines.warnings)


def test_an_open_row_whose_key_the_server_rejects_blocks_no_other(server: InProcess, model: Model) -> None:
    """Halving the lookup finds it. It is not taken for deleted."""
    running = [model.make_run("RUNNING") for _ in range(5)]
    world = connected(server, model, STREAMS, "runs")
    world.sync()
    model.wait(600)
    odd, gone = running[0], running[1]
    model.delete_run(gone)
    kept = model.tables["runs"].pop(odd)

    def is_rejected(seen: Seen) -> bool:
        return odd in (seen.json or {}).get("runs", {}).get("id", {}).get("any_", ())

    model.misbehaviors = [respond(Reply({"detail": "odd"}, 422), is_rejected)]
    world.sync()
    model.tables["runs"][odd] = kept
    assert not world.wrong("runs")
    assert any("rejects the key" in line for line in world.lines.warnings)


# --- children ---------------------------------------------------------------------------------------------------------


def test_without_dates_a_child_stream_without_rows_reads_only_the_children_of_changed_rows(
    server: InProcess, model: Model
) -> None:
    """The newest change of a parent stands in for the server's clock. A first row arrives."""
    model.tables["steps"] = {}
    model.misbehaviors = [dated(model, None, lambda seen: True)]
    world = connected(server, model, STREAMS, "steps")
    for _ in range(2):
        world.sync()
        model.wait(3600)
    assert "since" in world.warehouse.state["streams"]["steps"]
    assert not any("/steps/" in seen.path for seen in model.requests[-world.sent :])
    model.move_run(next(iter(model.tables["runs"])), "FAILED")
    model.wait(3600)
    world.sync()
    assert world.warehouse.count("upsert", "steps") == 1
    assert not world.wrong("steps")


def test_what_a_change_feed_names_in_vain_is_reported_once(server: InProcess, model: Model) -> None:
    """Though it is read for the runs and once more for their steps."""
    world = connected(server, model, STREAMS, "runs", "steps")
    world.sync()
    model.wait(600)
    model.notify("run.my-note")
    world.sync()
    assert sum("names keys that are none of runs" in line for line in world.lines.warnings) == 1


# --- lists that move --------------------------------------------------------------------------------------------------


def moving(world: World, act: Callable[[], None]) -> Misbehavior:
    """Shuffle the notes for each request, so that pages do not join. Then, let something happen in each reading."""
    dice, model = Random(1), world.api
    model.orders["notes"] = lambda row: "" if is_settling() else dice.random()

    def is_settling() -> bool:
        return any("until readings agree" in line for line in world.lines.infos)

    def misbehave(seen: Seen, answer: Answerer) -> Reply:
        if is_settling() and not (seen.json or {}).get("offset"):
            act()
        return answer(seen)

    return misbehave


@pytest.mark.parametrize("loses", [False, True])
def test_a_list_that_moves_and_grows_while_it_is_read_is_complete_once_no_reading_misses_a_row(
    server: InProcess, model: Model, loses: bool
) -> None:
    """A row more in each reading, or one more and one less. Those that were there throughout arrive."""
    text = edited(STREAMS, remove=[f"streams.notes.{key}" for key in ("body", "incremental", "deleted", "count")])
    world = connected(server, model, text, "notes")
    for _ in range(20):
        model.add("notes")
    assert len(model.tables["notes"]) == 26
    throughout = list(model.tables["notes"])[10:]

    def change() -> None:
        model.add("notes")
        if loses:
            del model.tables["notes"][next(iter(model.tables["notes"]))]

    model.misbehaviors = [moving(world, change)]
    world.sync()
    assert world.rows("notes").keys() >= set(throughout)
    assert len(model.tables["notes"]) == (26 if loses else 29)


def test_a_list_of_which_each_reading_misses_a_row_is_not_taken_for_complete(server: InProcess, model: Model) -> None:
    """Each misses one that those before and after it have. The sync fails: another row can be missing from all."""
    text = edited(STREAMS, remove=[f"streams.notes.{key}" for key in ("body", "incremental", "deleted", "count")])
    world = connected(server, model, text, "notes")
    for _ in range(20):
        model.add("notes")
    notes = dict(model.tables["notes"])
    missing = iter(list(notes))

    def change() -> None:
        notes[f"{len(notes)}"] = {**notes[next(iter(notes))], "id": f"{len(notes)}"}
        missed = next(missing)
        model.tables["notes"] = {key: row for key, row in notes.items() if key != missed}

    model.misbehaviors = [moving(world, change)]
    assert "8 readings of POST /notes/filter each found rows that none before had found" in world.fails()


def test_children_whose_order_moves_are_done_once_their_list_is_settled(server: InProcess, model: Model) -> None:
    """A sync that is stopped after one reading of a list whose rows move leaves the list to the next sync."""
    marks = {**MARKS, "pagination": {"style": "offset", "page_size": 4}}
    note = next(iter(model.tables["notes"]))
    model.tables |= {"marks": {}, "notes": {note: model.tables["notes"][note]}}
    keys = [model.add("marks", note_id=note) for _ in range(8)]
    pages = iter([[0, 1, 2, 3], *[[3, 5, 6, 7]] * 4, [0, 1, 2, 3], [5, 6, 7], []])  # 4 moves to a page that was read

    def moving(seen: Seen, answer: Answerer) -> Reply:
        if not seen.path.endswith("/marks/"):
            return answer(seen)
        page = next(pages, None)
        if page is None:
            return Reply(status=418)
        return Reply([model.tables["marks"][keys[number]] for number in page])

    def settled(seen: Seen, answer: Answerer) -> Reply:
        first = int(seen.query.get("offset", ["0"])[0])
        rows = list(model.tables["marks"].values())
        return Reply(rows[first : first + 4]) if seen.path.endswith("/marks/") else answer(seen)

    world = connected(server, model, edited(STREAMS, add={"streams.marks": marks}), "marks")
    model.misbehaviors = [moving]
    world.fails()
    assert world.wrong("marks") == {keys[4]: "missing"}
    model.misbehaviors = [settled]
    world.sync()
    assert not world.wrong("marks")
