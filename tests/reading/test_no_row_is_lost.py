"""Whatever happens on the server, and wherever a sync is interrupted: every row arrives, and within the promised time.

The same model makes other strategies lose rows, which shows that it could make this one lose rows too.
"""

from __future__ import annotations

import copy
import json
import random
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from dev.testbed.loopback import Reply, Seen
from engine.failures import Failure
from engine.spec.load import ResolvedSpec
from engine.sync import sync
from tests.effort import cases
from tests.in_process import InProcess
from tests.reading.model import FINAL, OPEN, STREAMS, Model
from tests.reading.naive import STRATEGIES
from tests.scenarios import RecordProperty
from tests.shop import Lines, Recorder, connection
from tests.specs import edited

Tables = dict[str, dict[Any, dict[str, Any]]]

HOUR = 3600.0
DAY = 24 * HOUR
CHECKPOINT_ROWS = 3
NOT_RECONCILED = edited(STREAMS, remove=["streams.runs.incremental.reconcile"])


@dataclass
class Warehouse(Recorder):
    """A destination that drops or keeps, if a sync fails, what was written after the last checkpoint.

    The SDK's local destination drops it. What Fivetran does in production is not documented.
    """

    kept: Tables = field(default_factory=dict)
    drops: bool = True

    def checkpoint(self, state: dict[str, Any]) -> None:
        """Store the state and the rows."""
        super().checkpoint(state)
        self.kept = self._copy(self.tables)

    def roll_back(self) -> None:
        """Handle a failed sync."""
        if self.drops:
            self.tables = self._copy(self.kept)

    @staticmethod
    def _copy(tables: Tables) -> Tables:
        return {name: {key: dict(row) for key, row in rows.items()} for name, rows in tables.items()}


class Storm:
    """A model and random changes of it, between a reader's requests too."""

    def __init__(self, model: Model, seed: int) -> None:
        self.model, self.dice = model, random.Random(seed)
        self._calm = False

    def calm(self) -> None:
        """End the storm: late commits become visible, and nothing changes anymore."""
        self._calm = True
        self.model.wait(300)

    def fetch(self, sort: str, offset: int, limit: int) -> list[dict[str, Any]]:
        """A page, for readers that need no server."""
        body = {"sort": sort, "offset": offset, "limit": limit}
        return list(self.answer(Seen("POST", "/api/runs/filter", {}, body, {}, 0.0)).value)

    def answer(self, seen: Seen) -> Reply:
        """The model's response. Something may change before it."""
        if not self._calm and self.dice.random() < 0.1:
            self.act()
        return self.model.answer(seen)

    def act(self) -> None:
        """Make one random change."""
        model, dice = self.model, self.dice
        keys = sorted(model.runs)
        if not keys or dice.random() < 0.3:
            model.make(dice.choice(OPEN + FINAL), dice.choice([-2000, -60, 0, 0, 0, 5, 600]))
            return
        key = dice.choice(keys)
        before = copy.deepcopy(model.runs[key])
        open_now = before["state"] in OPEN
        kind = dice.choice(["move", "move", "edit", "delete"])
        if kind == "move":
            model.move(key, dice.choice(OPEN + FINAL))
        elif kind == "edit":
            model.edit(key)
        elif open_now:  # as schedules do; finished runs are kept
            model.delete(key)
            return
        if dice.random() < 0.2:
            model.show_later(key, before, dice.uniform(0, 120))

    def live_through(self, seconds: float, changes: int) -> None:
        """Make this many changes, spread over a time."""
        for _ in range(changes):
            self.model.wait(self.dice.uniform(0, 2 * seconds / max(1, changes)))
            self.act()


class World(Storm):
    """A storm, its server, a destination, and the syncs from one to the other."""

    def __init__(self, server: InProcess, connected: ResolvedSpec, model: Model, seed: int) -> None:
        super().__init__(model, seed)
        self.server, self.connected = server, connected
        self.recorder = Warehouse()
        self.stop_after: int | None = None
        server.answer = self.answer

    def answer(self, seen: Seen) -> Reply:
        """The model's response, or an error that interrupts the sync."""
        if self.stop_after is not None:
            self.stop_after -= 1
            if self.stop_after < 0:
                return Reply({"detail": "stopped"}, 418)
        return super().answer(seen)

    def sync(self, stop_after: int | None = None) -> Warehouse:
        """Run one sync, interrupted after this many requests."""
        self.stop_after = stop_after
        self.recorder.operations.clear()
        try:
            state = json.loads(json.dumps(self.recorder.state))
            # With few rows per checkpoint, so that an interrupted sync has something to resume.
            sync(self.connected, state, self.recorder, Lines(), checkpoint_rows=CHECKPOINT_ROWS)
        except Failure:
            assert stop_after is not None
            self.recorder.roll_back()
        self.stop_after = None
        return self.recorder

    def differences(self) -> set[str]:
        """The runs that the destination lacks, has in another version than the server, or should have deleted.

        A finished run that is gone from the server stays in the destination: it was deleted by retention.
        """
        want = {key: (run["state"], run["name"]) for key, run in self.model.runs.items()}
        table = self.recorder.tables.get("runs", {})
        have = {
            key: (row["state"], row["name"])
            for key, row in table.items()
            if not row["deleted"] and (key in want or row["state"] in OPEN)
        }
        return {key for key in want.keys() | have.keys() if want.get(key) != have.get(key)}


@pytest.fixture(scope="module")
def server() -> Iterator[InProcess]:
    with InProcess(lambda seen: Reply([])) as server:
        yield server


def make_world(server: InProcess, folder: Path, model: Model, seed: int, text: str = STREAMS) -> World:
    return World(server, connection(folder, server.url, text), model, seed)


STEPS = st.lists(
    st.tuples(
        st.sampled_from([30.0, HOUR, 7 * HOUR, 3 * DAY]),  # the time until the next sync
        st.integers(0, 12),  # the changes in it
        st.none() | st.integers(0, 25),  # after how many requests the sync is interrupted, if at all
    ),
    min_size=1,
    max_size=6,
)
SERVERS = st.builds(
    Model,
    has_end_filter=st.booleans(),
    has_events=st.booleans(),
    ends_always=st.booleans(),
    cap=st.sampled_from([2, 4]),
)


@settings(max_examples=cases(100), suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(model=SERVERS, seed=st.integers(0, 2**32), steps=STEPS, drops=st.booleans())
def test_every_change_arrives(
    server: InProcess, tmp_path: Path, model: Model, seed: int, steps: list[tuple[float, int, int | None]], drops: bool
) -> None:
    """After syncs interrupted anywhere and changes of every kind, two rounds of reconciliation leave no difference."""
    world = make_world(server, tmp_path, copy.deepcopy(model), seed)
    world.recorder.drops = drops
    world.live_through(3 * DAY, 10)
    for seconds, changes, stop_after in steps:
        world.sync(stop_after)
        world.live_through(seconds, changes)
    world.calm()
    for _ in range(3):
        world.sync()
        world.model.wait(DAY + 1)
    world.sync()
    assert world.differences() == set()


@settings(max_examples=cases(100), suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(model=SERVERS, seed=st.integers(0, 2**32), steps=STEPS, drops=st.booleans())
def test_what_queries_find_arrives_with_the_next_sync(
    server: InProcess, tmp_path: Path, model: Model, seed: int, steps: list[tuple[float, int, int | None]], drops: bool
) -> None:
    """Without edits of finished runs, and with events, the next sync is enough. No reconciliation is needed."""
    world = make_world(server, tmp_path, copy.deepcopy(model), seed, NOT_RECONCILED)
    world.recorder.drops = drops
    world.model.has_events = True
    edit = world.model.edit
    world.model.edit = lambda key: edit(key) if world.model.runs[key]["state"] in OPEN else None  # type: ignore[method-assign]
    world.live_through(3 * DAY, 10)
    for seconds, changes, stop_after in steps:
        world.sync(stop_after)
        world.live_through(seconds, changes)
    world.calm()
    world.model.wait(130)
    world.sync()
    world.sync()  # what became visible during the interrupted sync is within the lookback
    assert world.differences() == set()


WEAKENED = {
    "only what ended, no open rows": edited(
        NOT_RECONCILED,
        remove=[f"streams.runs.incremental.{name}" for name in ("open", "change_feed", "lookup")],
    ),
    "no lookback": edited(NOT_RECONCILED, replace={"api.lookback": "0s"}),
    "no reconciliation": NOT_RECONCILED,
    "no lookup of rows no longer open": edited(STREAMS, replace={"streams.runs.incremental.open.values": ["NEVER"]}),
}
STORMS = cases(15)
STORMS_OF_OTHERS = max(20, 4 * STORMS)  # the best of the others lose a row in one of twelve


@pytest.mark.parametrize("name", WEAKENED)
def test_the_model_shows_what_a_part_of_the_strategy_prevents(
    server: InProcess, tmp_path: Path, name: str, record_property: RecordProperty
) -> None:
    """Without any one part of the strategy, the same storms leave differences."""
    lost = 0
    for seed in range(STORMS):
        world = make_world(server, tmp_path, Model(), seed, WEAKENED[name])
        world.live_through(3 * DAY, 10)
        for _ in range(6):
            world.sync()
            world.live_through(HOUR, 8)
        world.calm()
        for _ in range(4):
            world.sync()
            world.model.wait(DAY + 1)
        lost += bool(world.differences())
    record_property("reading", f"this project's, {name}")
    record_property("storms", STORMS)
    record_property("wrong", lost)
    assert lost


@pytest.mark.parametrize("name", STRATEGIES)
def test_the_model_shows_what_other_strategies_lose(name: str, record_property: RecordProperty) -> None:
    """In the same storms, the strategies of other connectors lose rows that the server still has."""
    lost = 0
    for seed in range(STORMS_OF_OTHERS):
        world = Storm(Model(), seed)
        state, table = "", dict[str, Any]()
        world.live_through(3 * DAY, 10)
        for _ in range(6):
            state = STRATEGIES[name](world.fetch, state, table)
            world.live_through(HOUR, 8)
        world.calm()
        for _ in range(4):
            state = STRATEGIES[name](world.fetch, state, table)
            world.model.wait(DAY + 1)
        lost += any(table.get(key) != run for key, run in world.model.runs.items())
    record_property("reading", name)
    record_property("storms", STORMS_OF_OTHERS)
    record_property("wrong", lost)
    assert lost


def test_this_strategy_loses_nothing(server: InProcess, tmp_path: Path, record_property: RecordProperty) -> None:
    """In the storms in which the others lose rows, it leaves no difference."""
    lost = 0
    for seed in range(STORMS):
        world = make_world(server, tmp_path, Model(), seed)
        world.live_through(3 * DAY, 10)
        for _ in range(6):
            world.sync()
            world.live_through(HOUR, 8)
        world.calm()
        for _ in range(4):
            world.sync()
            world.model.wait(DAY + 1)
        lost += bool(world.differences())
    record_property("reading", "this project's")
    record_property("storms", STORMS)
    record_property("wrong", lost)
    assert not lost


def test_unchanged_rows_are_not_resent(server: InProcess, tmp_path: Path) -> None:
    """Neither open nor finished runs, with or without reconciliation."""
    world = make_world(server, tmp_path, Model(), 5)
    world.live_through(3 * DAY, 60)
    world.calm()
    for _ in range(4):
        world.model.wait(DAY + 1)
        world.sync()
    assert world.differences() == set()
    for _ in range(3):
        world.model.wait(9 * HOUR)
        recorder = world.sync()
        assert recorder.count("upsert") == 0
        assert recorder.count("delete") == 0


def test_reconciliation_does_not_resend_what_a_query_delivered(server: InProcess, tmp_path: Path) -> None:
    """A run that ended is sent once. Reconciliation only sends the one that was edited later."""
    world = make_world(server, tmp_path, Model(), 5)
    world.calm()
    world.sync()
    world.model.wait(DAY)
    world.sync()
    for _ in range(20):
        world.model.wait(60)
        world.model.make("COMPLETED", 0)
    edited = sorted(world.model.runs)[7]
    world.sync()
    world.model.wait(HOUR)
    world.model.edit(edited)
    sent = 0
    for _ in range(12):
        world.model.wait(6 * HOUR)
        sent += world.sync().count("upsert")
    assert sent == 1
    assert world.differences() == set()


def test_requests_do_not_grow_with_the_history(server: InProcess, tmp_path: Path) -> None:
    """A change costs the same number of requests with 30 runs as with 300."""
    text = edited(STREAMS, replace={"streams.runs.pagination.page_size": 200, "api.pagination.page_size": 200})
    counts = []
    for runs in (30, 300):
        world = make_world(server, tmp_path, Model(cap=200), 1, text)
        world.calm()
        for _ in range(runs):
            world.model.wait(60)
            world.model.make("COMPLETED", 0)
        for _ in range(4):
            world.sync()
            world.model.wait(DAY + 1)
        world.sync()
        world.model.wait(HOUR)
        world.model.make("RUNNING", 0)
        server.seen.clear()
        recorder = world.sync()
        assert recorder.count("upsert") == 1
        counts.append(len(server.seen))
    assert counts[0] == counts[1] <= 12


def test_soft_delete_finds_every_deleted_row_within_one_round(server: InProcess, tmp_path: Path) -> None:
    """Finished runs too, and all other changes arrive as without it."""
    text = edited(STREAMS, add={"streams.runs.deleted": "soft_delete"})
    for seed in range(5):
        world = make_world(server, tmp_path, Model(), seed, text)
        world.live_through(3 * DAY, 30)
        for _ in range(4):
            world.sync()
            world.live_through(9 * HOUR, 8)
        for key in world.dice.sample(sorted(world.model.runs), 8):
            world.model.delete(key)
        world.calm()
        world.sync()
        world.model.wait(DAY + 1)
        world.sync()
        world.sync()
        assert {k for k, row in world.recorder.tables["runs"].items() if not row["deleted"]} == world.model.runs.keys()
        assert world.differences() == set()
        world.model.wait(HOUR)
        assert world.sync().count("upsert") == 0


@pytest.mark.scenario("future-state")
def test_a_state_ahead_of_the_server_clock_re_sends_everything(server: InProcess, tmp_path: Path) -> None:
    """With a warning. Otherwise no row would count as changed until the clock had caught up."""
    world = make_world(server, tmp_path, Model(), 3)
    world.live_through(3 * DAY, 20)
    world.sync()
    world.calm()
    world.model.now -= 2 * timedelta(days=1)
    world.model.make("COMPLETED", 0)
    lines = Lines()
    sync(world.connected, json.loads(json.dumps(world.recorder.state)), world.recorder, lines)
    assert [line for line in lines.warnings if "the saved state is ahead of the server's clock" in line]
    assert world.differences() == set()
    world.recorder.operations.clear()
    world.model.wait(60)
    world.sync()
    assert world.recorder.count("upsert") == 0
