"""Rows that come, go and change between two requests of a sync, and responses that are older than those before them.

What a sync concludes from two responses (a row is gone, a list is complete, a count is wrong) can be wrong then. The
syncs after it must set it right.
"""

from __future__ import annotations

from random import Random

import pytest

from engine.failures import Failure
from tests.effort import cases
from tests.hostile.misbehaviors import Which, after_each, both, numbered, on, outdated
from tests.hostile.model import FINAL, OPEN, STREAMS, TABLES, Model
from tests.hostile.world import Killed, World
from tests.in_process import InProcess
from tests.specs import edited

HOUR, DAY = 3600.0, 86400.0
KINDS: tuple[Which, ...] = (
    on("/"),
    on("/count"),
    lambda seen: "ID_DESC" in f"{seen.json}",  # whole lists, or runs that are open or looked up
    lambda seen: "EXPECTED_ASC" in f"{seen.json}" or seen.method == "GET",
)
GROUPS = ("notes", "runs, steps", "pools, queues, tags")
SOFT = edited(STREAMS, add={f"streams.{stream}.deleted": "soft_delete" for stream in ("runs", "steps")})
ONE_BY_ONE = edited(SOFT, replace={"streams.runs.incremental.lookup": {"endpoint": "GET /runs/$(key)"}})


def act(model: Model, dice: Random, group: str) -> None:
    """Let a row of one of these streams come, go, change or move."""
    table = dice.choice(group.split(", "))
    key = dice.choice([*model.tables[table]] or [None])
    what = dice.choice(["make", "change", "change", "delete"])
    if what == "make" or key is None:
        make(model, dice, table)
    elif table in ("runs", "steps"):
        change_run(model, dice, key if table == "runs" else model.tables["steps"][key]["run_id"], what)
    elif what == "delete":
        name = model.tables[table].pop(key).get("name")
        queues = model.tables["queues"].items()
        model.tables["queues"] = {key: queue for key, queue in queues if queue["parent_name"] != name}
    elif table == "queues":
        pool = dice.choice([pool["name"] for pool in model.tables["pools"].values()])
        model.change(table, key, parent_name=pool, priority=dice.randrange(99))
    else:
        model.change(table, key)


def make(model: Model, dice: Random, table: str) -> None:
    """Make a row. That of a parent comes with its children, and a step with a change of its run."""
    if table == "runs":
        model.make_run(dice.choice(OPEN + FINAL))
    elif table == "steps" and model.tables["runs"]:
        model.move_run(dice.choice([*model.tables["runs"]]), "FAILED")
    elif table in ("notes", "tags"):
        model.add(table)
    elif table == "queues" and model.tables["pools"]:
        model.make_queue(dice.choice([*model.tables["pools"]]))
    else:
        model.make_pool()


def change_run(model: Model, dice: Random, run: str, what: str) -> None:
    """Delete a run, edit it so that no query finds that, or let its state change."""
    if what == "delete":
        model.delete_run(run)
    elif dice.random() < 0.3:
        model.edit_run(run)
    else:
        model.move_run(run, dice.choice(OPEN + FINAL))


@pytest.mark.scenario("misbehavior")
@pytest.mark.parametrize("seed", range(cases(60)))
def test_what_happens_between_requests_is_right_after_the_next_syncs(server: InProcess, seed: int) -> None:
    """Whatever it is, also if the sync is killed: after two, or a day later if only reconciliation finds it.

    No row that is there is deleted meanwhile.
    """
    dice = Random(seed)
    model, group = Model().filled(), GROUPS[seed % len(GROUPS)]
    world = World(server, model, dice.choice([SOFT, ONE_BY_ONE]), streams=group)
    world.warehouse.drops = dice.random() < 0.5
    for _ in range(dice.choice([0, 2, 2, 2])):
        world.sync()
        model.wait(HOUR)

    def happen() -> None:
        if dice.random() < 0.7:
            model.misbehaviors.insert(
                0, outdated(model, both(dice.choice(KINDS), numbered(1, dice.choice([1, 4, 20]))))
            )
        act(model, dice, group)

    for _ in range(dice.choice([0, 1, 3])):
        act(model, dice, group)
    model.wait(dice.choice([60, DAY + HOUR]))
    for at in dice.choices(range(8 if group == "notes" else 24), k=dice.randint(1, 2)):
        happen() if at == 0 else model.misbehaviors.append(after_each(numbered(at), happen))
    world.warehouse.killed_at = dice.randrange(12) if dice.random() < 0.2 else None
    stop = world.sync(stopped_by=(Killed, Failure))
    model.misbehaviors, world.warehouse.killed_at = [], None
    for number, seconds in enumerate((60, HOUR, DAY + HOUR, DAY + HOUR, 60)):
        assert stop or not world.deleted_by_mistake(TABLES)
        model.wait(seconds)
        stop = world.sync()
        wrong = {table: world.wrong(table) for table in group.split(", ")}
        assert not any(wrong.values()) or number == 0 or (number < 3 and group == "runs, steps"), wrong
    assert not world.warehouse.writes()
