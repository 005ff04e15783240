"""Partitions: several workspaces in one connection, whose rows have the same keys."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import replace
from random import Random
from threading import Barrier, Lock

import pytest

from dev.testbed.loopback import Answerer, Reply, Seen
from engine.failures import Failure, Unauthorized
from tests import effort
from tests.effort import cases, some
from tests.hostile.account import PARTITIONED, Account, AccountWorld
from tests.hostile.misbehaviors import NOT_FOUND, SERVER_ERROR, dated, on, respond
from tests.hostile.model import FINAL, OPEN, Model
from tests.hostile.world import Killed
from tests.in_process import InProcess
from tests.specs import edited

PERIOD = 25 * 3600.0
UNAUTHORIZED = Reply({"detail": "Unauthorized"}, 401)
SOFT = {f"streams.{stream}.deleted": "soft_delete" for stream in ("runs", "steps")}
FORBIDDEN = Reply({"detail": "Forbidden"}, 403)


@pytest.fixture
def server() -> Iterator[InProcess]:
    with InProcess(lambda seen: Reply([])) as server:
        yield server


@pytest.fixture
def account() -> Account:
    return Account("w1", "w2", "w3")


@pytest.fixture
def world(server: InProcess, account: Account) -> AccountWorld:
    """All workspaces, synced once."""
    world = AccountWorld(server, account)
    world.sync(checkpoint_rows=10_000)
    assert world.all_wrong() == {}
    account.wait(3600)
    return world


# --- rows ------------------------------------------------------------------------------------------------------------


def test_each_row_has_its_workspace_and_the_rows_of_the_account_arrive_once(
    world: AccountWorld, account: Account
) -> None:
    """Each table is truncated once, before the first row of any workspace. The account's table has no workspace."""
    assert account.sent_to("/members") == 1
    for table in ("runs", "notes", "pools", "queues", "tags", "members"):
        assert world.warehouse.count("truncate", table) == 1
    assert world.warehouse.tables["members"].keys() == {"m1", "m2"}
    assert world.lines.infos[-2].endswith("18 tags, and 2 members of 3 workspaces")


def test_nothing_changed_is_one_checkpoint_and_no_row(world: AccountWorld) -> None:
    """However many workspaces there are."""
    world.sync(checkpoint_rows=10_000)
    assert world.warehouse.writes() == []
    assert world.warehouse.count("checkpoint") == 1


def test_changes_of_each_workspace_arrive_and_only_they(world: AccountWorld, account: Account) -> None:
    """A row that changes or is gone in one workspace leaves the rows of that key in the others alone."""
    note = next(iter(account.models["w1"].tables["notes"]))
    tag = next(iter(account.models["w2"].tables["tags"]))
    account.models["w2"].change("notes", note)
    del account.models["w3"].tables["notes"][note]
    del account.models["w3"].tables["tags"][tag]
    account.models["w2"].change("tags", tag)
    world.sync()
    assert sorted(world.warehouse.writes()) == [
        ("delete", "notes"), ("delete", "tags"), ("upsert", "notes"), ("upsert", "tags"),
    ]  # fmt: skip
    assert world.all_wrong() == {}


def test_changes_in_all_workspaces_take_three_checkpoints(world: AccountWorld, account: Account) -> None:
    """One before rows are written that the state must list first, one before what is reconciled, one at the end."""
    for model in account.models.values():
        model.make_run("RUNNING")
        model.change("tags", next(iter(model.tables["tags"])))
    world.sync(checkpoint_rows=10_000)
    assert world.warehouse.count("checkpoint") <= 3
    assert world.all_wrong() == {}


def test_a_limit_on_requests_leaves_the_next_sync_less_to_do(server: InProcess, account: Account) -> None:
    """Also rows that wait to be written with those of others are written before the sync fails."""
    text = edited(PARTITIONED, add={"api.limits": {"requests": 12}})
    world = AccountWorld(server, account, text, streams="runs")
    assert "api.limits.requests" in world.fails(checkpoint_rows=10_000)
    left = {key[0] for key in world.wrong("runs")}
    assert left < {"w1", "w2", "w3"}
    account.requests.clear()
    world.fails(checkpoint_rows=10_000)
    assert {key[0] for key in world.wrong("runs")} < left


def test_a_new_workspace_is_read_from_the_start_and_truncates_nothing(world: AccountWorld, account: Account) -> None:
    """The rows of the others stay."""
    account.add("w4")
    world.sync()
    assert world.warehouse.count("truncate") == 0
    assert world.all_wrong() == {}
    assert "4 of 4 workspaces selected" in world.lines.infos


# --- failures --------------------------------------------------------------------------------------------------------


def test_a_workspace_that_fails_does_not_keep_the_others_from_being_read(world: AccountWorld, account: Account) -> None:
    """The failure names it, and its streams shortly. Once it is well, it is read on."""
    for model in account.models.values():
        model.make_run()
        model.add("tags")
    account.misbehaviors = [respond(SERVER_ERROR, on("/workspaces/w2/"))]
    message = world.fails()
    first, reason = message.splitlines()
    assert first == "1 of 3 workspaces are not complete. The next sync goes on where they stopped."
    assert reason.startswith("name of w2: 6 streams failed (runs, notes, pools, tags, steps, queues). runs: POST ")
    assert {key[0] for wrong in world.all_wrong().values() for key in wrong} == {"w2"}
    account.misbehaviors.clear()
    world.sync()
    assert world.all_wrong() == {}


@pytest.mark.parametrize("reply", [UNAUTHORIZED, FORBIDDEN])
def test_a_workspace_without_access_is_the_failure_of_that_workspace(
    world: AccountWorld, account: Account, reply: Reply
) -> None:
    """The key has lost one workspace, and a key that is rejected there is tried with no other stream of it."""
    for model in account.models.values():
        model.make_run()
    account.misbehaviors = [respond(reply, on("/workspaces/w1/"))]
    account.requests.clear()
    assert "name of w1: " in world.fails()
    assert {key[0] for wrong in world.all_wrong().values() for key in wrong} == {"w1"}
    if reply is UNAUTHORIZED:
        assert account.sent_to("/w1/") == 4  # the runs, and full refreshes that were read ahead


def test_a_stream_that_no_workspace_has_is_one_warning(world: AccountWorld, account: Account) -> None:
    """The log has the others as information."""
    account.misbehaviors = [respond(NOT_FOUND, on("/notes"))]
    world.sync()
    assert sum("not found; skipping" in line for line in world.lines.warnings) == 1
    assert sum("not found; skipping" in line for line in world.lines.infos) == 2


def test_a_key_that_all_workspaces_reject_is_one_failure(world: AccountWorld, account: Account) -> None:
    """Its message has one reason."""
    account.misbehaviors = [respond(UNAUTHORIZED, on("/workspaces/w"))]
    stop = world.sync(stopped_by=(Failure,))
    assert isinstance(stop, Unauthorized)
    assert str(stop).count("401") == 1


def test_a_workspace_that_vanishes_during_a_sync_is_a_failure_and_gone_at_the_next(
    world: AccountWorld, account: Account
) -> None:
    """Its rows stay, and a warning says so once."""
    rows = {table: dict(world.rows(table)) for table in ("runs", "tags")}
    account.misbehaviors = [respond(Reply({"detail": "Not Found"}, 404), on("/workspaces/w3/"))]
    assert "name of w3: " in world.fails()
    account.misbehaviors.clear()
    del account.models["w3"]
    world.sync()
    assert [line for line in world.lines.warnings if "gone" in line] == [
        "workspaces: name of w3 (w3) is gone; its rows stay as they are"
    ]
    assert {table: world.rows(table) for table in rows} == rows
    world.sync()
    assert world.lines.warnings == []


def test_a_workspace_that_returns_is_read_on(world: AccountWorld, account: Account) -> None:
    """What changed while it was gone arrives."""
    model = account.models.pop("w2")
    world.sync()
    account.models["w2"] = model
    account.wait(0)
    model.make_run()
    note = next(iter(model.tables["notes"]))
    del model.tables["notes"][note]
    world.sync()
    assert world.all_wrong() == {}
    assert world.warehouse.count("truncate") == 0


def test_rows_of_a_workspace_that_is_gone_are_soft_deleted_if_declared(server: InProcess, account: Account) -> None:
    """In the tables in which rows that are gone are: not finished runs, which stay."""
    world = AccountWorld(server, account, edited(PARTITIONED, add={"api.partitions.gone": "soft_delete"}))
    world.sync()
    gone = account.models.pop("w3")
    world.sync()
    (warning,) = (line for line in world.lines.warnings if "gone" in line)
    assert warning == "workspaces: name of w3 (w3) is gone: 20 rows soft-deleted"
    finished = {("w3", key) for key, run in gone.tables["runs"].items() if run["state"] in FINAL}
    assert set[object](world.wrong("runs")) == finished
    assert set(world.all_wrong()) == {"runs", "steps"}
    assert "w3" not in world.warehouse.state["partitions"]


@pytest.mark.parametrize("at", [5, 25])
def test_a_workspace_that_returns_after_half_of_its_rows_were_deleted_is_read_again(
    server: InProcess, account: Account, at: int
) -> None:
    """The sync that deletes them is killed, and the destination keeps what it wrote."""
    text = edited(PARTITIONED, add={**SOFT, "api.partitions.gone": "soft_delete"})
    world = AccountWorld(server, account, text)
    world.sync()
    model = account.models.pop("w3")
    world.warehouse.drops, world.warehouse.killed_at = False, at
    assert world.sync(stopped_by=(Killed,), checkpoint_rows=10_000)
    assert world.all_wrong() != {}
    account.models["w3"], world.warehouse.killed_at = model, None
    account.wait(60)
    world.sync()
    assert world.all_wrong() == {}


def test_workspaces_are_read_at_the_same_time_within_the_concurrency(server: InProcess, account: Account) -> None:
    """The first requests of two of them wait for each other. No more are in flight than the API allows."""
    both, lock = Barrier(2, timeout=30), Lock()
    first, in_flight, most = {"w1", "w2"}, 0, 0
    world = AccountWorld(server, account, edited(PARTITIONED, replace={"api.concurrency": 2}))

    def answer(seen: Seen) -> Reply:
        nonlocal in_flight, most
        workspace = seen.path.split("/")[3] if "/runs/" in seen.path else ""
        with lock:
            in_flight, is_first = in_flight + 1, workspace in first
            most = max(most, in_flight)
            first.discard(workspace)
        if is_first:
            both.wait()
        reply = account.answer(seen)
        with lock:
            in_flight -= 1
        return reply

    server.answer = answer
    world.sync()
    assert world.all_wrong() == {}
    assert most == 2


# --- the list of workspaces ------------------------------------------------------------------------------------------


def test_an_empty_list_is_a_failure_and_no_workspace_is_gone(world: AccountWorld, account: Account) -> None:
    """More likely, the key has lost its access."""
    before = json.dumps(world.warehouse.state)
    account.misbehaviors = [respond(Reply([]), on("/workspaces/filter"))]
    assert world.fails() == (
        "workspaces: their list is empty, but 3 were synced before. Check that the key has access to them."
    )
    account.misbehaviors = [respond(SERVER_ERROR, on("/workspaces/filter"))]
    assert "/workspaces/filter" in world.fails()
    assert json.dumps(world.warehouse.state) == before


def test_without_a_list_there_are_no_workspaces(world: AccountWorld, account: Account) -> None:
    """The failure says which setting is to be empty."""
    account.misbehaviors = [respond(Reply({"detail": "Not Found"}, 404), on("/workspaces/filter"))]
    assert "Without it, the connection has no workspaces: leave workspaces empty." in world.fails()


def test_a_workspace_that_is_listed_twice_is_read_once(world: AccountWorld, account: Account) -> None:
    """On the same page or on two."""

    def twice(seen: Seen, answer: Answerer) -> Reply:
        reply = answer(seen)
        return replace(reply, value=reply.value * 2) if on("/workspaces/filter")(seen) else reply

    world.sync()
    sent = sum("/w2/tags/" in seen.path for seen in account.requests[-world.sent :])
    account.misbehaviors = [twice]
    world.sync()
    assert sum("/w2/tags/" in seen.path for seen in account.requests[-world.sent :]) == sent


@pytest.mark.parametrize("key", ["a/b", "ü?#", "%2f", "-x, all"])
def test_any_key_can_be_in_a_path(server: InProcess, key: str) -> None:
    """It is quoted, and stays in its segment."""
    account = Account("w1", key)
    world = AccountWorld(server, account)
    world.sync()
    assert world.all_wrong() == {}
    assert key in world.warehouse.state["partitions"]


@pytest.mark.parametrize("key", ["..", "a/../b", "", "%2e%2e"])
def test_a_key_that_leads_elsewhere_is_a_failure(server: InProcess, key: str) -> None:
    """Nothing is read below it."""
    account = Account("w1", key)
    message = AccountWorld(server, account).fails()
    assert "has no value that can be in /workspaces/$(partition.id)" in message
    assert len(account.requests) == 1


def test_names_and_keys_select(server: InProcess, account: Account) -> None:
    """All but some, or some; a workspace that is not selected keeps its rows and its state."""
    world = AccountWorld(server, account, workspaces="-name of w2")
    world.sync()
    assert {key[0] for key in world.rows("tags")} == {"w1", "w3"}
    world.settings["workspaces"] = "name of w2, w3"
    world.sync()
    assert world.all_wrong() == {}
    account.models["w1"].add("tags")
    world.settings["workspaces"] = "all, -w2, -w3"
    world.sync()
    assert world.all_wrong() == {}


def test_a_name_that_the_list_does_not_have_is_a_failure_at_once(server: InProcess, account: Account) -> None:
    """It says which there are, and does not repeat the name, which could be a misplaced secret."""
    account.names["w3"] = account.names["w2"]
    world = AccountWorld(server, account, workspaces="w1, s3cret, name of w2")
    assert world.fails() == (
        "workspaces: item 2 is none of the workspaces; item 3 is the name of 2 workspaces: select by key. There are: "
        "name of w1 (w1), name of w2 (w2), name of w2 (w3)."
    )
    assert {seen.path for seen in account.requests} == {"/api/workspaces/filter"}
    world.settings["workspaces"] = "-all"
    assert "none of the workspaces is left" in world.fails()


def test_a_selected_workspace_that_is_gone_is_no_mistake(server: InProcess, account: Account) -> None:
    """It was there when it was selected. The others are read."""
    world = AccountWorld(server, account, workspaces="name of w1, w2")
    world.sync()
    del account.models["w1"]
    account.models["w2"].add("tags")
    world.sync()
    assert [key for key in world.wrong("tags") if key[0] == "w2"] == []
    assert "workspaces: name of w1 (w1) is gone; its rows stay as they are" in world.lines.warnings


# --- with and without ------------------------------------------------------------------------------------------------


def test_a_connection_without_workspaces_is_as_it_was(server: InProcess, account: Account) -> None:
    """The same requests, rows and state as those of a streams.yaml that declares none."""
    account.add("main")
    plain = AccountWorld(server, account, edited(PARTITIONED, remove=["api.partitions"]), workspaces="")
    plain.sync()
    operations, sent = list(plain.warehouse.operations), plain.sent
    world = AccountWorld(server, account, workspaces="")
    world.sync()
    assert [name for name, _ in world.warehouse.operations] == [name for name, _ in operations]
    assert world.sent == sent
    assert world.warehouse.state["version"] == 4
    assert "partitions" not in world.warehouse.state
    assert all(not isinstance(key, tuple) for key in world.rows("tags"))


@pytest.mark.parametrize(("before", "after"), [("", "all"), ("all", "")])
def test_workspaces_are_neither_added_to_a_connection_nor_removed(
    server: InProcess, account: Account, before: str, after: str
) -> None:
    """The primary keys would change. The failure says what to do, before any request."""
    account.add("main")
    world = AccountWorld(server, account, workspaces=before)
    world.sync()
    account.requests.clear()
    world.settings["workspaces"] = after
    assert world.fails().startswith("workspaces: this connection was synced ")
    assert account.requests == []
    world.warehouse.state = {}  # a historical re-sync, into tables that were dropped
    world.warehouse.tables.clear()
    world.sync()
    assert world.rows("tags")


# --- truncates -------------------------------------------------------------------------------------------------------


def test_a_changed_declaration_truncates_a_table_once(world: AccountWorld, account: Account) -> None:
    """Every workspace is read again from the start, also one that failed in between."""
    world.text = edited(world.text, add={"streams.tags.where": {"path": "$.version", "is": [0, 1]}})
    account.misbehaviors = [respond(SERVER_ERROR, on("/workspaces/w3/tags"))]
    world.fails()
    assert world.warehouse.count("truncate") == world.warehouse.count("truncate", "tags") == 1
    assert {key[0] for key in world.wrong("tags")} == {"w3"}
    account.misbehaviors.clear()
    world.sync()
    assert world.warehouse.count("truncate") == 0
    assert world.all_wrong() == {}


@pytest.mark.parametrize("reply", [SERVER_ERROR, NOT_FOUND])
def test_a_table_of_too_many_rows_to_know_is_sent_again_once_all_lists_are_read(
    server: InProcess, account: Account, reply: Reply, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A truncate deletes the rows of all workspaces. If one of them cannot be read, the table is left as it is."""
    monkeypatch.setattr("engine.reading.full_refresh.KNOWN_MAX", 6)
    account.models["w2"].add("tags")
    world = AccountWorld(server, account, streams="tags")
    world.sync()
    assert not world.wrong("tags")
    gone = next(iter(account.models["w2"].tables["tags"]))
    del account.models["w2"].tables["tags"][gone]
    account.misbehaviors = [respond(reply, on("/workspaces/w3/tags"))]
    message = world.fails()
    assert (
        "the table is truncated and sent again; it is left as it is until the workspaces name of w3 can be" in message
    )
    assert world.warehouse.writes() == []
    account.misbehaviors.clear()
    world.sync()
    assert world.warehouse.count("truncate", "tags") == 1
    assert not world.wrong("tags")
    world.sync()
    assert world.warehouse.writes() == []


@pytest.mark.parametrize("operations", [1, 2, 3])
def test_a_table_that_was_truncated_before_the_sync_was_killed_is_sent_again(
    server: InProcess, account: Account, operations: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Though all lists are then as they were before: the state does not say that the table has their rows."""
    monkeypatch.setattr("engine.reading.full_refresh.KNOWN_MAX", 5)
    world = AccountWorld(server, account, streams="tags")
    world.sync()
    tags = account.models["w2"].tables["tags"]
    key, tag = tags.popitem()
    world.warehouse.drops, world.warehouse.killed_at = False, operations
    world.sync(stopped_by=(Killed,))
    tags[key], world.warehouse.killed_at = tag, None
    world.sync()
    assert not world.wrong("tags")


def test_rows_that_leave_no_trace_in_the_state_are_not_truncated_by_the_next_workspace(
    server: InProcess, account: Account
) -> None:
    """Without a cursor and without a clock, nothing in the state says that there are rows."""
    for model in account.models.values():
        for note in model.tables["notes"].values():
            note["updated"] = None
    account.misbehaviors = [dated(account, None, on("/"))]  # type: ignore[arg-type]
    world = AccountWorld(server, account, streams="notes")
    for _ in range(2):
        world.sync()
        assert not world.wrong("notes")


def test_more_keys_than_the_state_holds_truncate_at_the_next_sync(
    server: InProcess, account: Account, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The keys of all workspaces share the state. Once in a period, the next sync reads the table from the start."""
    monkeypatch.setattr("engine.reading.known_keys.KEYS_MAX", 15)
    text = edited(PARTITIONED, add={"streams.runs.deleted": "soft_delete"})
    world = AccountWorld(server, account, text, streams="runs")
    world.sync()
    for model in account.models.values():
        model.delete_run(next(key for key, run in model.tables["runs"].items() if run["state"] in FINAL))
    for _ in range(3):
        account.wait(PERIOD)
        world.sync()
        if not world.wrong("runs"):
            break
        assert world.warehouse.count("truncate") == 0
    assert world.warehouse.count("truncate") == 1
    assert not world.wrong("runs")
    truncates = 0
    for _ in range(4):
        account.wait(3600)
        world.sync()
        truncates += world.warehouse.count("truncate")
    assert truncates == 0


# --- interruptions ---------------------------------------------------------------------------------------------------


def test_a_sync_that_is_killed_anywhere_loses_nothing(server: InProcess) -> None:
    """Neither the rows of the workspace that it was in, nor those of the others."""
    for at in Random(1).sample(range(110), cases(20)):
        account = Account("w1", "w2", "w3")
        world = AccountWorld(server, account)
        world.warehouse.drops = bool(at % 2)
        world.warehouse.killed_at = at
        world.sync(stopped_by=(Killed,))
        world.warehouse.killed_at = None
        account.wait(60)
        world.sync()
        assert world.all_wrong() == {}, at


@pytest.mark.parametrize("is_sent_again", [False, True])
def test_a_row_that_a_killed_sync_wrote_and_that_is_gone_is_deleted(
    server: InProcess, is_sent_again: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Though its table is not truncated again: be it new, or one of too many rows that was sent again."""
    monkeypatch.setattr("engine.reading.full_refresh.KNOWN_MAX", 6)
    for at in some(range(8, 26, 3)):
        account = Account("w1", "w2", "w3")
        world = AccountWorld(server, account, streams="tags")
        tables = [model.tables["tags"] for model in account.models.values()]
        if is_sent_again:
            account.models["w2"].add("tags")
            world.sync()
            for tags in tables:
                tags.popitem()
        world.warehouse.drops, world.warehouse.killed_at = False, at
        world.sync(stopped_by=(Killed,), checkpoint_rows=7)
        world.warehouse.killed_at = None
        for tags in tables:
            for key in [*tags][:3]:
                del tags[key]
        world.sync()
        assert not world.wrong("tags"), at


@pytest.mark.parametrize("seed", range(cases(10)))
def test_workspaces_that_change_at_random_arrive(server: InProcess, seed: int) -> None:
    """Rows, failures of single workspaces, kills, new workspaces and selections, in any order."""
    dice = Random(seed)
    account = Account("w1", "w2", "w3")
    text = edited(PARTITIONED, add=SOFT)
    world = AccountWorld(server, account, edited(text, replace={"api.concurrency": 4}) if seed % 2 == 0 else text)
    world.warehouse.drops = dice.random() < 0.5
    for _ in range(4 if effort.quick else 8):
        for model in account.models.values():
            _change(model, dice)
        account.wait(dice.choice([30, 3600, PERIOD]))
        if dice.random() < 0.15:
            account.add(f"w{len(account.models) + 1}")
        one = dice.choice([*account.models])
        account.misbehaviors = [respond(SERVER_ERROR, on(f"/{one}/"))] if dice.random() < 0.3 else []
        world.settings["workspaces"] = dice.choice(["all", f"-{one}"])
        world.warehouse.killed_at = dice.randrange(60) if dice.random() < 0.4 else None
        world.sync(checkpoint_rows=dice.choice([1, 5, 10_000]), stopped_by=(Killed, Failure))
    account.misbehaviors, world.warehouse.killed_at, world.settings["workspaces"] = [], None, "all"
    for _ in range(3):
        account.wait(PERIOD)
        world.sync()
    assert world.all_wrong() == {}


def _change(model: Model, dice: Random) -> None:
    for _ in range(dice.randrange(4)):
        table = dice.choice(["runs", "runs", "notes", "tags"])
        keys = sorted(model.tables[table])
        what = dice.random()
        if what < 0.4 or not keys:
            if table == "runs":
                model.make_run(dice.choice(OPEN + FINAL))
            else:
                model.add(table)
        elif what < 0.8:
            if table == "runs":
                model.move_run(dice.choice(keys), dice.choice(OPEN + FINAL))
            else:
                model.change(table, dice.choice(keys))
        elif table == "runs":
            model.delete_run(dice.choice(keys))
        else:
            del model.tables[table][dice.choice(keys)]
