"""Instants of every spelling: rows arrive with them, and only rows that changed are sent again."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from datetime import datetime, timedelta, timezone
from typing import Any

import pytest

from dev.testbed.loopback import Answerer, Reply, Seen
from engine.instants import parse_instant
from tests.hostile.model import Model
from tests.hostile.world import World
from tests.specs import edited

pytestmark = pytest.mark.scenario("misbehavior")

EAST = timezone(timedelta(hours=2))

Spell = Callable[[datetime], Any]
SPELLINGS: dict[str, tuple[Spell, dict[str, str]]] = {
    "lower case": (lambda at: at.strftime("%Y-%m-%dt%H:%M:%Sz"), {}),
    "a space": (lambda at: at.strftime("%Y-%m-%d %H:%M:%S+00"), {}),
    "UTC": (lambda at: at.strftime("%Y-%m-%d %H:%M:%S UTC"), {}),
    "RFC 1123": (lambda at: at.strftime("%a, %d %b %Y %H:%M:%S GMT"), {}),
    "no offset": (lambda at: at.astimezone(EAST).strftime("%Y-%m-%dT%H:%M:%S"), {"timezone": "+02:00"}),
    "seconds": (lambda at: int(at.timestamp()), {"format": "epoch_seconds"}),
    "seconds with a fraction": (lambda at: at.timestamp(), {"format": "epoch_seconds"}),
    "digits": (lambda at: str(int(at.timestamp())), {"format": "epoch_seconds"}),
    "milliseconds": (lambda at: int(at.timestamp() * 1000), {"format": "epoch_milliseconds"}),
}


def spelled(world: World, model: Model, spell: Spell, declared: dict[str, str]) -> None:
    """Let the API write its timestamps in another way, and declare them."""
    world.settings["streams"] = "notes"
    if declared:
        world.text = edited(world.text, add={f"streams.notes.fields.updated.{key}": declared[key] for key in declared})

    def rewritten(seen: Seen, answer: Answerer) -> Reply:
        reply = answer(seen)
        if not isinstance(reply.value, list):
            return reply
        return replace(reply, value=[{**row, "updated": spell(parse_instant(row["updated"]))} for row in reply.value])

    model.misbehaviors = [rewritten]


@pytest.mark.parametrize("spelling", SPELLINGS)
def test_a_cursor_of_any_spelling_is_read(world: World, model: Model, spelling: str) -> None:
    """It arrives as the instant that it is, stops the query at the first older row, and re-sends no other row."""
    spelled(world, model, *SPELLINGS[spelling])
    world.sync()
    arrived = {key: row["updated"] for key, row in world.rows("notes").items()}
    for key, row in model.tables["notes"].items():
        assert timedelta(0) <= parse_instant(row["updated"]) - arrived[key] < timedelta(seconds=1)
    model.wait(86400)
    changed = model.add("notes")
    world.sync()
    assert world.warehouse.operations.count(("upsert", "notes")) == 1
    assert changed in world.rows("notes") and not world.wrong("notes")
    assert not world.lines.warnings


@pytest.mark.parametrize("spelling", [name for name, (_, declared) in SPELLINGS.items() if declared])
def test_a_cursor_that_must_be_declared_is_reported(world: World, model: Model, spelling: str) -> None:
    """The rows arrive all the same. The log names the column and the key that it needs."""
    spell, declared = SPELLINGS[spelling]
    spelled(world, model, spell, {})
    world.sync()
    assert not world.wrong("notes")
    (key,) = declared
    assert any("notes.updated" in line and f'needs the key "{key}"' in line for line in world.lines.warnings)
