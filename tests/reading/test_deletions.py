"""Rows that are gone from a list whose keys are all remembered: what the server's count is good for."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace
from functools import partial
from itertools import product

import pytest

from dev.testbed.loopback import Answerer, Reply, Seen
from tests.effort import some
from tests.hostile.api import Misbehavior
from tests.hostile.misbehaviors import after_each, numbered, on, outdated, respond
from tests.hostile.model import STREAMS, Model
from tests.hostile.world import World
from tests.in_process import InProcess
from tests.specs import edited


def counting(more: int) -> Misbehavior:
    """Count so many rows more than the list has."""

    def misbehave(seen: Seen, answer: Answerer) -> Reply:
        reply = answer(seen)
        return replace(reply, value=reply.value + more) if on("/count")(seen) else reply

    return misbehave


def of_whole_list(seen: Seen) -> bool:
    return (seen.json or {}).get("sort") == "ID_DESC"


@pytest.fixture
def world() -> Iterator[World]:
    """A connection of notes, of which the server counts two more than it lists."""
    model = Model().filled()
    model.misbehaviors = [counting(2)]
    with InProcess(lambda seen: Reply([])) as server:
        yield World(server, model, STREAMS, streams="notes")


def synced(world: World, hours: float = 1) -> int:
    """Sync; returns how many pages of the whole list were read."""
    world.api.wait(hours * 3600)
    first = len(world.api.requests)
    world.sync()
    return sum(map(of_whole_list, world.api.requests[first:]))


def test_a_count_that_never_agrees_does_not_let_every_sync_read_the_list(world: World) -> None:
    """The first that meets it does, then one a day, also while rows come."""
    for _ in range(2):
        synced(world)
    for _ in range(3):
        world.api.add("notes")
        assert synced(world) == 0
        assert not world.wrong("notes")
    assert synced(world, 24) > 0
    assert synced(world) == 0


def test_deleted_rows_are_found_though_the_count_never_agrees(world: World) -> None:
    """Also if that makes the count as high as the number of rows that are known."""
    for _ in range(2):
        synced(world)
    for key in list(world.api.tables["notes"])[:2]:
        del world.api.tables["notes"][key]
    synced(world)
    assert not world.wrong("notes")
    assert synced(world) == 0


@pytest.mark.parametrize("at", some(range(1, 9)))
def test_a_list_that_changed_while_it_was_counted_and_read_proves_no_count_wrong(world: World, at: int) -> None:
    """A row comes or goes after one of the requests. Otherwise, as many deleted rows would be hidden for a day."""
    model = world.api
    model.misbehaviors.clear()
    for _ in range(2):
        synced(world)

    def delete(number: int = 0) -> None:
        del model.tables["notes"][list(model.tables["notes"])[number]]

    acts: list[Callable[[], object]] = [partial(model.add, "notes"), delete]
    for which, act in product((0, -1), acts):
        delete(which)
        model.misbehaviors = [after_each(numbered(at), act)]
        synced(world)
        delete(which)
        for _ in range(3):  # the first can find nothing: one row more than known, and one less
            synced(world)
        assert not world.wrong("notes")
        for _ in range(3):
            model.add("notes")


def test_a_list_that_is_older_than_the_count_proves_no_count_wrong(world: World) -> None:
    """It still has rows that are gone."""
    for more in (0, 2):
        world.api.misbehaviors = [counting(more)]
        for _ in range(2):
            synced(world)
        world.api.misbehaviors.append(outdated(world.api, of_whole_list))
        del world.api.tables["notes"][next(iter(world.api.tables["notes"]))]
        assert synced(world) > 0
        world.api.misbehaviors.pop()
        synced(world)
        assert not world.wrong("notes")


def test_a_count_that_is_too_low_is_believed_once_two_readings_show_it(world: World) -> None:
    """Then the list is read once a day, also if it shows fewer rows too many than before."""
    for more in (-1, 3, 1):
        world.api.misbehaviors = [counting(more)]
        pages = [synced(world) > 0 for _ in range(5)]
        assert pages[-2:] == [False, False], more
    assert synced(world, 24) > 0
    assert synced(world) == 0


def test_a_row_that_was_found_just_now_is_not_gone_from_a_list_that_is_older(world: World) -> None:
    """Once the row is gone indeed, the next reading finds that."""
    world.api.misbehaviors.clear()
    for _ in range(2):
        synced(world)
    behind = outdated(world.api, of_whole_list)
    added = world.api.add("notes")
    world.api.misbehaviors = [behind, counting(1)]
    assert synced(world) > 0
    assert not world.deleted_by_mistake(["notes"])
    world.api.misbehaviors.clear()
    del world.api.tables["notes"][added]
    synced(world)
    assert not world.wrong("notes")


def test_a_count_that_never_moves_hides_a_deleted_row_for_a_day(world: World) -> None:
    """Such as a cached one. The day after, the list is read whatever it is."""
    world.api.misbehaviors = [respond(Reply(10**6), on("/count"))]
    for _ in range(2):
        synced(world)
    del world.api.tables["notes"][next(iter(world.api.tables["notes"]))]
    assert synced(world) == 0
    synced(world, 24)
    assert not world.wrong("notes")


def test_a_count_that_was_wrong_for_a_while_costs_two_readings(world: World) -> None:
    """One when it becomes wrong, and one when it is right again."""
    world.api.misbehaviors.clear()
    for _ in range(2):
        synced(world)
    pages = []
    for more in (3, 3, 0, 0):
        world.api.misbehaviors = [counting(more)]
        pages.append(synced(world) > 0)
    assert pages == [True, False, True, False]


def test_a_list_of_more_rows_than_the_state_has_keys_of_is_sent_again_once_a_day(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    """After a truncate, which marks the rows that are gone."""
    monkeypatch.setattr("engine.reading.known_keys.KEYS_MAX", 4)
    synced(world)
    truncates = []
    for hours in (1, 1, 24, 1):
        del world.api.tables["notes"][next(iter(world.api.tables["notes"]))]
        world.api.add("notes")
        synced(world, hours)
        truncates.append(world.warehouse.count("truncate"))
        assert bool(world.wrong("notes")) == (not truncates[-1])
    assert truncates == [1, 0, 1, 0]


def test_a_row_that_the_list_lacks_when_it_is_sent_again_arrives_with_the_next_sync(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Though this sync has sent it before the truncate, and it has not changed since."""
    monkeypatch.setattr("engine.reading.known_keys.KEYS_MAX", 4)
    for _ in range(2):
        synced(world)
    world.api.wait(25 * 3600)
    world.api.misbehaviors.append(outdated(world.api, of_whole_list))
    world.api.add("notes")
    world.sync()
    assert world.warehouse.count("truncate") == 1
    world.api.misbehaviors.pop()
    world.api.wait(60)
    world.sync()
    assert not world.wrong("notes")


# --- streams whose rows have open states, or keys of several columns --------------------------------------------------


def test_finished_rows_that_are_gone_are_found_beside_open_ones(world: World) -> None:
    """An open row that is gone is looked up and costs no reading of the list; a finished one shows in the count."""
    world.text = edited(
        STREAMS,
        add={"streams.runs.deleted": "soft_delete"},
        remove=["streams.runs.incremental.reconcile", "streams.runs.incremental.changes.1", "streams.steps"],
    )
    world.settings["streams"] = "runs"
    model = world.api
    assert isinstance(model, Model)
    model.misbehaviors.clear()
    for _ in range(2):
        synced(world)
    for state, reads in (("RUNNING", False), ("COMPLETED", True)):
        model.delete_run(next(key for key, run in model.tables["runs"].items() if run["state"] == state))
        synced(world)
        assert world.warehouse.writes() == [("delete", "runs")]
        assert any("reading the whole list" in line for line in world.lines.infos) == reads
        assert not world.wrong("runs")


def test_rows_with_keys_of_several_columns_are_found(world: World) -> None:
    """One that is gone is deleted by all of them."""
    world.text = edited(STREAMS, replace={"streams.notes.primary_key": ["id", "version"]})
    world.api.misbehaviors.clear()
    for _ in range(2):
        synced(world)
    del world.api.tables["notes"][next(iter(world.api.tables["notes"]))]
    synced(world)
    assert world.warehouse.writes() == [("delete", "notes")]
    assert not world.wrong("notes")


def test_rows_without_a_cursor_are_not_sent_again_by_a_reading_for_deleted_ones(world: World) -> None:
    """Their keys are known."""
    body = {"notes": {"updated": {"after_": "$since"}}, "sort": "UPDATED_DESC"}
    world.text = edited(STREAMS, replace={"streams.notes.incremental.changes": [{"body": body}]})
    for note in world.api.tables["notes"].values():
        note["updated"] = None
    world.api.misbehaviors.clear()
    for _ in range(2):
        synced(world)
    del world.api.tables["notes"][next(iter(world.api.tables["notes"]))]
    assert synced(world) > 0
    assert world.warehouse.writes() == [("delete", "notes")]
    assert not world.wrong("notes")
