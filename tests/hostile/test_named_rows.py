"""No row is lost, stale, deleted by mistake or wrong without a word, whatever the server does."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from decimal import Decimal
from itertools import product
from random import Random
from typing import Any

import pytest

from dev.testbed.loopback import Answerer, Reply, Seen
from engine.declare.problems import SpecError
from tests import effort
from tests.effort import pairs
from tests.hostile.misbehaviors import (
    NOT_FOUND,
    PROXY_PAGE,
    SERVER_ERROR,
    after_each,
    both,
    dated,
    numbered,
    on,
    respond,
)
from tests.hostile.model import TABLES, Model, paused_query
from tests.hostile.prefect import prefect
from tests.hostile.world import World, edit, only
from tests.in_process import InProcess

pytestmark = pytest.mark.scenario("misbehavior")

DAY = 86400.0


def run_of(model: Model, state: str = "FAILED") -> str:
    """The key of the last run in a state."""
    return next(key for key, row in reversed(model.tables["runs"].items()) if row["state"] == state)


def reconcile(world: World) -> None:
    """Let every stream be reconciled once."""
    world.api.misbehaviors.clear()
    for _ in range(2):
        world.api.wait(DAY + 3600)
        world.sync()


# --- not found --------------------------------------------------------------------------------------------------------

CHILDREN = {"steps": "/steps/", "queues": "/queues/filter"}


PASSING = {"a proxy's": PROXY_PAGE, "the API's": NOT_FOUND, "empty": Reply(status=404)}


@pytest.mark.parametrize(("which", "first"), pairs(product(CHILDREN, PASSING), [True, False]))
def test_a_passing_404_deletes_and_loses_no_children(
    world: World, model: Model, which: tuple[str, str], first: bool
) -> None:
    """A rollout's 404 for the children of a parent that is still there is no proof that the parent is gone."""
    stream, reply = which
    if not first:
        world.sync()
        model.wait(3600)
        for run in list(model.tables["runs"]):
            model.move_run(run, "FAILED")
        model.wait(600)
    model.misbehaviors = [respond(PASSING[reply], both(on(CHILDREN[stream]), numbered(2)))]
    world.may_fail()
    assert not world.deleted_by_mistake(TABLES)
    model.misbehaviors.clear()
    model.wait(3600)
    world.sync()
    assert not world.wrong(stream)


@pytest.mark.parametrize("stream", CHILDREN)
def test_the_children_of_a_deleted_parent_are_gone(world: World, model: Model, stream: str) -> None:
    """The API's own 404 for a parent that is gone from its list is no failure."""
    world.sync()
    model.wait(3600)
    pool = next(iter(model.tables["pools"]))
    name = model.tables["pools"].pop(pool)["name"]
    model.tables["queues"] = {key: row for key, row in model.tables["queues"].items() if row["parent_name"] != name}
    model.delete_run(run_of(model, "RUNNING"))
    world.sync()
    assert not world.wrong("queues")
    assert not world.wrong("runs")


@pytest.mark.parametrize("stream", CHILDREN)
def test_what_was_never_there_was_never_read(world: World, model: Model, stream: str) -> None:
    """A child endpoint that is "not found" throughout a first sync arrives whole once it is there."""
    model.misbehaviors = [respond(NOT_FOUND, on(CHILDREN[stream]))]
    for _ in range(2):
        world.may_fail()
        model.wait(3600)
    model.misbehaviors.clear()
    world.sync()
    assert not world.wrong(stream)


def test_a_re_sync_of_children_whose_endpoint_is_not_found_deletes_nothing(world: World, model: Model) -> None:
    """Their table is truncated only once the endpoint has answered."""
    edit(only(world, "steps"), add={"streams.steps.deleted": "soft_delete"})
    world.sync()
    world.warehouse.state = {}
    model.misbehaviors = [respond(NOT_FOUND, on("/steps/"))]
    world.may_fail()
    assert not world.deleted_by_mistake(["steps"])
    model.misbehaviors.clear()
    del model.tables["steps"][next(iter(model.tables["steps"]))]
    world.sync()
    assert not world.wrong("steps")


# --- orders that move -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("stream", "share"), pairs(["pools", "queues"], [0.1, 0.3]))
def test_no_live_row_is_deleted_or_missed_while_a_list_moves(
    world: World, model: Model, stream: str, share: float
) -> None:
    """Heartbeats and priorities move rows between pages: what was read twice or not at all is still there."""
    dice = Random(4)
    only(world, "pools", "queues")
    if stream == "pools":
        for _ in range(28):
            model.make_pool(queues=0)
    else:
        pool = model.make_pool(queues=30)
    for _ in range(4 if effort.quick else 12):
        model.misbehaviors = [after_each(on(stream), lambda: model.shuffle(stream, dice, share))]
        world.sync()
        assert not world.deleted_by_mistake([stream])
        assert not world.wrong(stream)
    model.misbehaviors.clear()
    if stream == "pools":
        del model.tables["pools"][dice.choice(sorted(model.tables["pools"]))]
    else:
        name = model.tables["pools"][pool]["name"]
        gone = next(key for key, row in model.tables["queues"].items() if row["parent_name"] == name)
        del model.tables["queues"][gone]
    world.sync()
    assert not world.wrong(stream)


@pytest.mark.parametrize("pools", [5, 8])
def test_a_row_that_moves_off_the_last_page_is_not_deleted(world: World, model: Model, pools: int) -> None:
    """The list has one row more than its pages, and that row moves to the first page once that was read."""
    only(world, "pools")
    while len(model.tables["pools"]) < pools:
        model.wait(1)
        model.make_pool(queues=0)
    world.sync()
    last, *_ = model.tables["pools"]  # the oldest heartbeat
    model.wait(1)
    model.misbehaviors = [after_each(numbered(1), lambda: model.beat(last))]
    world.may_fail()
    assert not world.deleted_by_mistake(["pools"])


@pytest.mark.parametrize("table", ["workers", "queues"])
def test_workers_and_queues_of_more_than_a_page(server: InProcess, table: str) -> None:
    """The project's own lists that move: workers by heartbeat, queues by priority."""
    stream = {"workers": "workers", "queues": "work_queues"}[table]
    world, dice = prefect(server, f"work_pools,{stream}", batch_size="10"), Random(1)
    api = world.api
    api.add("work_pools", name="main")
    for number in range(35):
        stamps = {"last_heartbeat_time": api.at(), "priority": number}
        api.add(table, name=f"{table} {number}", parent_name="main", status="ONLINE", **stamps)

    def move() -> None:
        key = dice.choice(sorted(api.tables[table]))
        api.wait(1)
        if dice.random() < 0.5:
            return
        api.tables[table][key] |= {"last_heartbeat_time": api.at(), "priority": dice.randrange(35)}

    for _ in range(4 if effort.quick else 12):
        api.misbehaviors = [after_each(on(f"/{table}/"), move)]
        world.sync(checkpoint_rows=100)
        assert not world.wrong(stream, table)


@pytest.mark.parametrize("stream", ["tags", "notes"])
@pytest.mark.parametrize("cap", [2, 4])
def test_a_list_that_grows_in_a_random_order_is_read(world: World, model: Model, stream: str, cap: int) -> None:
    """Random keys sort new rows among those that were read. For a while, one arrives with each request."""
    model.cap = cap
    only(world, stream)
    growing = numbered(1, 12)
    model.misbehaviors = [after_each(both(on(f"/{stream}/filter"), growing), lambda: model.add(stream))]
    world.sync()
    assert not world.deleted_by_mistake([stream])
    model.misbehaviors.clear()
    model.wait(3600)
    world.sync()
    assert not world.wrong(stream)


PAGED = {"style": "page_number", "page_size": 4, "total": "$.total"}


def test_pages_with_a_total_prove_nothing_while_rows_come_and_go(world: World, model: Model) -> None:
    """A row that is deleted before and one that is inserted behind leave the total alone, and hide a row in between."""
    only(world, "tags")
    changes = {"streams.tags.endpoint": "GET /paged"}
    edit(world, replace=changes, remove=["streams.tags.body"], add={"streams.tags.pagination": PAGED})
    for _ in range(9):
        model.add("tags")

    def pages(seen: Seen, answer: Answerer) -> Reply:
        if not seen.path.endswith("/paged"):
            return answer(seen)
        rows = [model.tables["tags"][key] for key in sorted(model.tables["tags"])]
        first = (int(seen.query["page"][0]) - 1) * 4
        return replace(answer(seen), status=200, value={"results": rows[first : first + 4], "total": len(rows)})

    edit(world, add={"streams.tags.records": "$.results"})
    model.misbehaviors = [pages]
    world.sync()
    assert not world.wrong("tags")

    def come_and_go() -> None:
        del model.tables["tags"][min(model.tables["tags"])]
        model.add("tags", id="ffffffff-ffff-4fff-8fff-ffffffffffff")

    model.misbehaviors.append(after_each(numbered(2), come_and_go))
    world.may_fail()
    assert not world.deleted_by_mistake(["tags"])
    model.misbehaviors.pop()
    world.sync()
    assert not world.wrong("tags")


# --- what no query found ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("reply", "syncs"), pairs([NOT_FOUND, PROXY_PAGE, Reply({"detail": "extra"}, 422)], [1, 3]))
def test_reconciliation_finds_what_a_query_missed_before_it_worked(
    world: World, model: Model, reply: Reply, syncs: int
) -> None:
    """A query that works today did not deliver what changed while it was refused: before an upgrade, or only once."""
    only(world, "runs", "steps")
    world.sync()
    model.misbehaviors = [respond(reply, paused_query)]
    for _ in range(syncs):
        model.wait(3600)
        run = run_of(model)
        model.change("runs", run, paused=model.at())
        model.add("steps", run_id=run)
        model.wait(3600)
        world.sync()
    model.misbehaviors.clear()
    model.wait(3600)
    world.sync()
    reconcile(world)
    assert not world.wrong("runs")
    assert not world.wrong("steps")


@pytest.mark.parametrize(("hours", "first"), pairs([1, 30], [True, False]))
def test_reconciliation_finds_what_a_wrong_clock_hid(world: World, model: Model, hours: float, first: bool) -> None:
    """One sync's dates are ahead. What changes before that time is not found by any query, and still arrives."""
    if not first:
        world.sync()
        model.wait(3600)
    model.misbehaviors = [dated(model, hours, lambda seen: True)]
    world.sync()
    model.misbehaviors.clear()
    model.wait(600)
    run = run_of(model)
    model.change("runs", run, state="FAILED", ended=model.at())
    model.add("steps", run_id=run)
    model.wait(3600 * hours + 3600)
    world.sync()
    for _ in range(2):
        reconcile(world)
    assert not world.wrong("runs")
    assert not world.wrong("steps")


def test_reconciliation_finds_an_edit_that_became_visible_after_the_query_had_found_its_row(
    world: World, model: Model
) -> None:
    """In the slice that is read meanwhile, the row seems to have been sent. It is not taken for known."""
    only(world, "runs")
    for _ in range(2):
        world.sync()
        model.wait(DAY + 3600)
    run = run_of(model, "COMPLETED")
    model.change("runs", run, ended=model.at())
    model.wait(600)

    def edit_late(seen: Seen, answer: Answerer) -> Reply:
        if seen.json.get("sort") == "EXPECTED_ASC":
            model.change("runs", run, updated=model.at(seconds=60))
            model.misbehaviors.clear()
        return answer(seen)

    model.misbehaviors = [edit_late]
    world.sync()
    assert world.wrong("runs") == {run: "stale"}
    reconcile(world)
    assert not world.wrong("runs")


def test_reconciliation_goes_on_though_it_began_ahead_of_the_clock(world: World, model: Model) -> None:
    """Without dates, a round begins by this machine's clock. Where that is ahead, it ends a day later, as any other."""
    world.sync()
    model.misbehaviors = [dated(model, None, lambda seen: True)]
    for _ in range(2):
        model.wait(600)
        world.sync()
    model.misbehaviors.clear()
    model.wait(600)
    model.edit_run(run_of(model))
    for _ in range(2):
        world.sync()
        model.wait(DAY)
    assert not world.wrong("runs")


def test_a_clock_that_was_set_back_deletes_nothing(world: World, model: Model) -> None:
    """The whole list is sent again. Meanwhile, and if that is stopped, the rows of the table stay."""
    only(world, "runs")
    world.sync()
    gone = run_of(model, "COMPLETED")
    model.delete_run(gone)
    model.wait(-30 * 3600)
    model.misbehaviors = [respond(Reply(status=418), numbered(4))]
    world.fails()
    assert not world.deleted_by_mistake(["runs"])
    model.misbehaviors.clear()
    world.sync()
    assert gone in world.rows("runs")


COUNTS = {
    "500": SERVER_ERROR,
    "404": NOT_FOUND,
    "422": Reply({"detail": "no"}, 422),
    "a string": Reply("many"),
    "zero": Reply(0),
    "minus one": Reply(-1),
    "a million": Reply(1_000_000),
}


@pytest.mark.parametrize(("count", "deleted"), pairs(COUNTS, ["keep", "soft_delete"]))
def test_a_count_gates_nothing(world: World, model: Model, count: str, deleted: str) -> None:
    """Reconciliation finds edits, and deletions where they are promised, if counts fail or lie."""
    only(world, "runs", "notes")
    if deleted == "soft_delete":
        edit(world, add={"streams.runs.deleted": "soft_delete"})
    world.sync()
    model.misbehaviors = [respond(COUNTS[count], on("/count"))]
    model.wait(3600)
    world.sync()
    model.edit_run(run_of(model))
    gone = run_of(model, "COMPLETED")
    model.delete_run(gone)
    for _ in range(2):
        model.wait(DAY + 3600)
        world.sync()
    assert not world.wrong("runs", kept=deleted == "keep")
    assert (gone in world.rows("runs")) == (deleted == "keep")


# --- the state belongs to what made it --------------------------------------------------------------------------------


def renamed(world: World) -> None:
    edit(world, add={"streams.runs.table": "executions"})


def widened(world: World) -> None:
    edit(world, remove=["streams.runs.body.runs.state"])


def moved(world: World) -> None:
    edit(world, replace={"streams.runs.endpoint": "POST /v2/runs/filter"})


CHANGED: dict[Callable[[World], None], tuple[str, str]] = {
    renamed: ("executions", "runs"),
    widened: ("runs", "runs"),
    moved: ("runs", "v2/runs"),
}


@pytest.mark.parametrize(("change", "child"), pairs(CHANGED, [False, True]))
def test_a_stream_that_was_changed_is_read_again(
    world: World, model: Model, change: Callable[[World], None], child: bool
) -> None:
    """Another table, filter or endpoint: all its rows arrive, not only those that change from then on."""
    only(world, "runs", "steps")
    if change is widened:
        edit(world, add={"streams.runs.body.runs.state": {"any_": ["FAILED"]}})
        edit(world, replace={"streams.runs.incremental.open.values": ["SCHEDULED"]})
    if change is moved:
        others = [dict(row) for row in Model().filled().tables["runs"].values()]
        model.tables["v2/runs"] = {f"{row['id'][:-1]}f": {**row, "id": f"{row['id'][:-1]}f"} for row in others}
    for _ in range(2):
        world.sync()
        model.wait(3600)
    change(world)
    world.sync()
    assert not world.wrong(*CHANGED[change], kept=True)
    if child and change is not moved:
        assert not world.wrong("steps", kept=True)


def test_the_keyset_field_is_changed_during_a_first_pass(world: World, model: Model) -> None:
    """A position says nothing about another field: the pass begins again."""
    only(world, "runs")
    for hours in range(30):
        model.make_run(minutes=60 * hours)
        model.wait(60)
    model.misbehaviors = [respond(Reply(status=418), numbered(9))]
    world.fails()
    model.misbehaviors.clear()
    edit(
        world,
        replace={
            "streams.runs.body": {"runs": {"created": {"after_": "$from", "before_": "$to"}}, "sort": "CREATED_ASC"},
            "streams.runs.pagination.field": "$.created",
        },
    )
    world.sync()
    assert not world.wrong("runs")


@pytest.mark.parametrize(("stopped_at", "stream"), pairs([None, 3, 9], ["notes", "runs"]))
def test_a_historical_re_sync_deletes_what_is_gone(
    world: World, model: Model, stream: str, stopped_at: int | None
) -> None:
    """It begins with a truncate where deletions are promised. Interrupted and resumed, it truncates once."""
    only(world, stream)
    if stream == "runs":
        edit(world, add={"streams.runs.deleted": "soft_delete"})
    for _ in range(20):
        model.add("notes")
        model.make_run()
    world.sync()
    for state in ("SCHEDULED", "FAILED"):
        del model.tables["runs"][run_of(model, state)]
    del model.tables["notes"][next(iter(model.tables["notes"]))]
    world.warehouse.state = {}
    truncates = 0
    if stopped_at:
        model.misbehaviors = [respond(Reply(status=418), numbered(stopped_at))]
        world.fails()
        truncates += world.warehouse.durable("truncate", stream)
        model.misbehaviors.clear()
    world.sync()
    truncates += world.warehouse.durable("truncate", stream)
    assert not world.wrong(stream)
    assert truncates == 1


@pytest.mark.parametrize("hours", [2, 48])
def test_a_first_pass_that_is_resumed_after_the_clock_was_set_back(world: World, model: Model, hours: float) -> None:
    """What changes before the instant at which the pass began, by the clock of then, arrives without reconciliation."""
    parts = ("runs.incremental.reconcile", "runs.incremental.changes.1", "steps.incremental.reconcile")
    edit(only(world, "runs"), remove=[f"streams.{part}" for part in parts])
    for _ in range(20):
        model.make_run()
        model.wait(60)
    model.misbehaviors = [respond(Reply(status=418), numbered(6))]
    world.fails()
    model.misbehaviors.clear()
    model.wait(-3600 * hours)
    first = next(iter(model.tables["runs"]))
    model.move_run(first, "RUNNING")
    model.wait(60)
    model.move_run(first, "FAILED")
    new = model.make_run(minutes=-10_000)
    for _ in range(3):
        model.wait(600)
        world.sync()
    assert new in world.rows("runs")
    assert not world.wrong("runs")


# --- instants, keys and values ----------------------------------------------------------------------------------------


@pytest.mark.parametrize("alike", [3, 20])
@pytest.mark.parametrize("digits", ["1234567", "123456789"])
def test_timestamps_finer_than_a_microsecond(world: World, model: Model, alike: int, digits: str) -> None:
    """Rows of one instant, and others within the same microsecond: an instant that was cut is no exact bound."""
    only(world, "runs")
    second = "2024-04-30T00:00:00"
    for number in range(alike):
        model.make_run(expected=f"{second}.{digits}Z")
        model.make_run(expected=f"{second}.12345{number:02}Z")
    model.make_run(expected=f"{second}.123456999Z")
    world.sync()
    assert not world.wrong("runs")


@pytest.mark.parametrize("nulls", [1, 6])
def test_rows_without_a_keyset_field_arrive_or_are_counted(world: World, model: Model, nulls: int) -> None:
    """The list cannot hold them, but the server counts them: they are read, or the log has both numbers."""
    only(world, "runs")
    for _ in range(8):
        model.make_run()
    for _ in range(nulls):
        model.make_run(expected=None)
    world.sync()
    missing = len(world.wrong("runs"))
    assert not missing or said(world, str(len(model.tables["runs"])), str(len(model.tables["runs"]) - missing))


@pytest.mark.parametrize("hidden", [1, 5])
def test_a_difference_from_the_server_count_is_reported(world: World, model: Model, hidden: int) -> None:
    """The server counts more rows than it lists: the log has both numbers."""
    only(world, "runs")
    model.misbehaviors = [respond(Reply(len(model.tables["runs"]) + hidden), on("/count"))]
    world.sync()
    assert said(world, str(len(model.tables["runs"])), str(len(model.tables["runs"]) + hidden))


def said(world: World, *parts: str) -> bool:
    """Whether a warning has all of these."""
    return any(all(part in line for part in parts) for line in world.lines.warnings)


@pytest.mark.parametrize("column", ["DECIMAL", "JSON"])
@pytest.mark.parametrize("number", ["12345678901234567.891234", "-99999999999999999999.000001"])
def test_numbers_are_exact_or_it_is_said(world: World, model: Model, column: str, number: str) -> None:
    """A number with more digits than a float has arrives with all of them, or a warning names its column."""
    only(world, "tags")
    shape = {"type": "DECIMAL", "precision": 38, "scale": 6} if column == "DECIMAL" else {"type": column}
    edit(world, add={"streams.tags.fields.amount": {"path": "$.amount", **shape}})
    rows = f'[{{"id": "a", "version": 1, "amount": {number if column == "DECIMAL" else f"[{number}]"}}}]'
    page = {0: Reply(body=rows.encode())}
    model.misbehaviors = [lambda seen, answer: page[0] if seen.json.get("offset", 0) == 0 else Reply([])]
    world.sync()
    value = world.rows("tags")["a"]["amount"]
    if column == "DECIMAL":
        exact = Decimal(str(value)) == Decimal(number)
    else:
        exact = number in (value if isinstance(value, str) else json.dumps(value, default=str))
    assert exact or said(world, "amount")


PLACES = {
    "$.labels.team-name": "blue",
    "$.labels['team-name']": "blue",
    "$.tags[-1]": "last",
    "$.tags[ 0 ]": "first",
    "$.tags[0]": "first",
    "$.@type": "thing",
    "$.labels . team": "red",
}


@pytest.mark.parametrize("path", PLACES)
def test_a_path_to_one_place_gives_one_value(world: World, model: Model, path: str) -> None:
    """However it is spelled; or the streams.yaml is refused, with the place."""
    only(world, "tags")
    edit(world, add={"streams.tags.fields.found": path})
    labels = {"team-name": "blue", "team": "red"}
    record: dict[str, Any] = {"labels": labels, "tags": ["first", "last"], "@type": "thing"}
    model.add("tags", **record)
    try:
        world.sync()
    except SpecError as error:
        assert "found" in str(error)
        return
    found: list[Any] = [row["found"] for row in world.rows("tags").values()]
    assert [value for value in found if value is not None] == [PLACES[path]]


def test_a_cursor_that_is_null_in_every_record_is_reported(world: World, model: Model) -> None:
    """Every row would be sent at every sync: the log says so, with the first key."""
    only(world, "notes")
    for key in model.tables["notes"]:
        model.tables["notes"][key]["updated"] = None
    edit(world, replace={"streams.notes.incremental.changes": [{"body": {"sort": "ID_DESC"}}]})
    world.sync()
    model.wait(3600)
    world.sync()
    assert said(world, "notes", "updated") and any(key in str(world.lines.warnings) for key in model.tables["notes"])


def test_a_primary_key_that_is_not_unique_is_reported(world: World, model: Model) -> None:
    """Two records of one list with one key would leave one row: the log says so, or the sync fails."""
    only(world, "tags")
    edit(world, replace={"streams.tags.fields.id": "$.name"})
    for number in range(6):
        model.add("tags", name=f"name {number % 2}")
    model.tables["tags"] = {key: row for key, row in model.tables["tags"].items() if "name" in row}
    message = world.may_fail()
    assert message or said(world, "tags", "name")


def test_a_run_in_a_state_that_streams_yaml_does_not_know_is_read_like_any_other(server: InProcess) -> None:
    """A new release of Prefect can have one. Runs that are made in it arrive, and so do their changes."""
    world = prefect(server, "flow_runs")
    api = world.api
    world.sync()
    api.wait(600)
    states = {"state_type": "WAITING", "state": {"type": "WAITING"}}
    key = api.add("flow_runs", expected_start_time=api.at(), start_time=None, end_time=None, name="a", **states)
    world.sync()
    assert not world.wrong("flow_runs")
    api.wait(600)
    api.change("flow_runs", key, name="b")
    world.sync()
    assert world.rows("flow_runs")[key]["name"] == "b"
