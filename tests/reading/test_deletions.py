"""Rows that are gone from a list whose keys are all remembered: what the server's count is good for."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

import pytest

from dev.testbed.loopback import Answerer, Reply, Seen
from tests.hostile.api import Misbehavior
from tests.hostile.misbehaviors import on, respond
from tests.hostile.model import STREAMS, Model
from tests.hostile.world import World
from tests.in_process import InProcess


def counting(more: int) -> Misbehavior:
    """Count so many rows more than the list has."""

    def misbehave(seen: Seen, answer: Answerer) -> Reply:
        reply = answer(seen)
        return replace(reply, value=reply.value + more) if on("/count")(seen) else reply

    return misbehave


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
    return sum((seen.json or {}).get("sort") == "ID_DESC" for seen in world.api.requests[first:])


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
