"""Whatever happens on the server, and whenever a sync is stopped: what the promise covers arrives, and in time.

The same model shows the usual ways of reading to lose rows, so that it could show ours to.
"""

from __future__ import annotations

import copy
import json
import random
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

import engine.sync.writer
from dev.testbed.loopback import Loopback, Reply, Seen
from engine.failures import Failure
from engine.spec.load import ResolvedSpec
from engine.sync import sync
from tests.reading.model import FINAL, OPEN, STREAMS, Model
from tests.reading.naive import STRATEGIES
from tests.scenarios import RecordProperty
from tests.shop import Lines, Recorder, connection

HOUR = 3600.0
DAY = 24 * HOUR
SWEEP = "      reconcile: 24h\n"


class Warehouse(Recorder):
    """A destination that, when a sync fails, drops what came after the last checkpoint, or keeps it.

    The SDK's local one drops it. What Fivetran does in production is not documented.
    """

    kept: Any = None
    drops: bool = True

    def checkpoint(self, state: dict[str, Any]) -> None:
        """Keep the state and the rows."""
        super().checkpoint(state)
        self.kept = copy.deepcopy(self.tables)

    def roll_back(self) -> None:
        """A sync failed."""
        if self.drops:
            self.tables = copy.deepcopy(self.kept) or {}


class Storm:
    """A model and what happens in it, between the requests of a reader too."""

    def __init__(self, model: Model, seed: int) -> None:
        self.model, self.dice = model, random.Random(seed)
        self._calm = False

    def calm(self) -> None:
        """The storm is over: what commits late has committed, and nothing changes any more."""
        self._calm = True
        self.model.wait(300)

    def ask(self, sort: str, offset: int, limit: int) -> list[dict[str, Any]]:
        """A page, for readers that need no server."""
        body = {"sort": sort, "offset": offset, "limit": limit}
        return list(self.answer(Seen("POST", "/api/runs/filter", {}, body, {}, 0.0)).value)

    def answer(self, seen: Seen) -> Reply:
        """The model's answer, before which something may change."""
        if not self._calm and self.dice.random() < 0.1:
            self.act()
        return self.model.answer(seen)

    def act(self) -> None:
        """One change of a random kind."""
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
        elif open_now:  # as schedules do; finished runs stay
            model.delete(key)
            return
        if dice.random() < 0.2:
            model.show_later(key, before, dice.uniform(0, 120))

    def live_through(self, seconds: float, changes: int) -> None:
        """So many changes, spread over a time."""
        for _ in range(changes):
            self.model.wait(self.dice.uniform(0, 2 * seconds / max(1, changes)))
            self.act()


class World(Storm):
    """A storm, the server that speaks for it, a destination, and the syncs between them."""

    def __init__(self, server: Loopback, connected: ResolvedSpec, model: Model, seed: int) -> None:
        super().__init__(model, seed)
        self.server, self.connected = server, connected
        self.recorder = Warehouse()
        self.stop_after: int | None = None
        server.answer = self.answer

    def answer(self, seen: Seen) -> Reply:
        """The model's answer; a sync may be stopped at any of them."""
        if self.stop_after is not None:
            self.stop_after -= 1
            if self.stop_after < 0:
                return Reply({"detail": "stopped"}, 418)
        return super().answer(seen)

    def sync(self, stop_after: int | None = None) -> Warehouse:
        """One sync; stopped after so many requests, if it gets that far."""
        self.stop_after = stop_after
        self.recorder.operations.clear()
        try:
            sync(self.connected, json.loads(json.dumps(self.recorder.state)), self.recorder, Lines())
        except Failure:
            assert stop_after is not None
            self.recorder.roll_back()
        self.stop_after = None
        return self.recorder

    def differences(self) -> set[str]:
        """The runs that the destination does not hold as the server has them, and those it holds and should not.

        A run that is gone from the server stays where the destination knows it as finished: retention deletes those.
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
def server() -> Iterator[Loopback]:
    with Loopback(lambda seen: Reply([])) as loopback, pytest.MonkeyPatch.context() as patch:
        patch.setattr(engine.sync.writer, "CHECKPOINT_ROWS", 3)  # so that a stopped sync has something to go on from
        yield loopback


def world(server: Loopback, folder: Path, model: Model, seed: int, text: str = STREAMS) -> World:
    return World(server, connection(folder, server.url, text), model, seed)


STEPS = st.lists(
    st.tuples(
        st.sampled_from([30.0, HOUR, 7 * HOUR, 3 * DAY]),  # the time until the next sync
        st.integers(0, 12),  # the changes in it
        st.none() | st.integers(0, 25),  # after how many requests the sync is stopped, if at all
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


@settings(max_examples=100, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(model=SERVERS, seed=st.integers(0, 2**32), steps=STEPS, drops=st.booleans())
def test_every_change_arrives(
    server: Loopback, tmp_path: Path, model: Model, seed: int, steps: list[tuple[float, int, int | None]], drops: bool
) -> None:
    """Syncs stopped anywhere, changes of every kind at any time; then two periods of the sweep, and all is equal."""
    there = world(server, tmp_path, copy.deepcopy(model), seed)
    there.recorder.drops = drops
    there.live_through(3 * DAY, 10)
    for seconds, changes, stop_after in steps:
        there.sync(stop_after)
        there.live_through(seconds, changes)
    there.calm()
    for _ in range(3):
        there.sync()
        there.model.wait(DAY + 1)
    there.sync()
    assert there.differences() == set()


@settings(max_examples=100, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(model=SERVERS, seed=st.integers(0, 2**32), steps=STEPS, drops=st.booleans())
def test_what_queries_see_arrives_with_the_next_sync(
    server: Loopback, tmp_path: Path, model: Model, seed: int, steps: list[tuple[float, int, int | None]], drops: bool
) -> None:
    """Without edits of finished runs, and with events: the next sync is enough, no sweep needed."""
    there = world(server, tmp_path, copy.deepcopy(model), seed, STREAMS.replace(SWEEP, ""))
    there.recorder.drops = drops
    there.model.has_events = True
    edit = there.model.edit
    there.model.edit = lambda key: edit(key) if there.model.runs[key]["state"] in OPEN else None  # type: ignore[method-assign]
    there.live_through(3 * DAY, 10)
    for seconds, changes, stop_after in steps:
        there.sync(stop_after)
        there.live_through(seconds, changes)
    there.calm()
    there.model.wait(130)
    there.sync()
    there.sync()  # what became visible during the last stopped sync lies within the overlap
    assert there.differences() == set()


NAIVE = {
    "only what ended, no open set": lambda text: text[: text.index("      open:")] + text[text.index("    fields:") :],
    "no overlap": lambda text: text.replace("lookback: 5m", "lookback: 0s").replace(SWEEP, ""),
    "no sweep": lambda text: text.replace(SWEEP, ""),
    "no lookup of what left the open set": lambda text: text.replace(
        "      open: {field: $.state, values: [SCHEDULED, RUNNING]", "      open: {field: $.state, values: [NEVER]"
    ),
}


STORMS = 15


@pytest.mark.parametrize("name", NAIVE)
def test_the_model_shows_what_lesser_readings_lose(
    server: Loopback, tmp_path: Path, name: str, record_property: RecordProperty
) -> None:
    """Take any part of the strategy away, and the same storm leaves the destination different from the server."""
    text = NAIVE[name](STREAMS)
    assert text != STREAMS
    lost = 0
    for seed in range(STORMS):
        there = world(server, tmp_path, Model(), seed, text)
        there.live_through(3 * DAY, 10)
        for _ in range(6):
            there.sync()
            there.live_through(HOUR, 8)
        there.calm()
        for _ in range(4):
            there.sync()
            there.model.wait(DAY + 1)
        lost += bool(there.differences())
    record_property("reading", f"this project's, {name}")
    record_property("storms", STORMS)
    record_property("wrong", lost)
    assert lost


@pytest.mark.parametrize("name", STRATEGIES)
def test_the_model_shows_what_the_usual_readings_lose(name: str, record_property: RecordProperty) -> None:
    """The strategies of other connectors, in the same storms, lose rows that the server still has."""
    lost = 0
    for seed in range(4 * STORMS):
        there = Storm(Model(), seed)
        state, table = "", dict[str, Any]()
        there.live_through(3 * DAY, 10)
        for _ in range(6):
            state = STRATEGIES[name](there.ask, state, table)
            there.live_through(HOUR, 8)
        there.calm()
        for _ in range(4):
            state = STRATEGIES[name](there.ask, state, table)
            there.model.wait(DAY + 1)
        lost += any(table.get(key) != run for key, run in there.model.runs.items())
    record_property("reading", name)
    record_property("storms", 4 * STORMS)
    record_property("wrong", lost)
    assert lost


def test_the_model_loses_nothing_by_itself(server: Loopback, tmp_path: Path, record_property: RecordProperty) -> None:
    """In those very storms this project's strategy ends with what the server has."""
    lost = 0
    for seed in range(STORMS):
        there = world(server, tmp_path, Model(), seed)
        there.live_through(3 * DAY, 10)
        for _ in range(6):
            there.sync()
            there.live_through(HOUR, 8)
        there.calm()
        for _ in range(4):
            there.sync()
            there.model.wait(DAY + 1)
        lost += bool(there.differences())
    record_property("reading", "this project's")
    record_property("storms", STORMS)
    record_property("wrong", lost)
    assert not lost


def test_a_sync_of_nothing_sends_nothing(server: Loopback, tmp_path: Path) -> None:
    """Open runs that did not change are not sent again, and neither are finished ones, sweep or not."""
    there = world(server, tmp_path, Model(), 5)
    there.live_through(3 * DAY, 60)
    there.calm()
    for _ in range(4):
        there.model.wait(DAY + 1)
        there.sync()
    assert there.differences() == set()
    for _ in range(3):
        there.model.wait(9 * HOUR)
        recorder = there.sync()
        assert recorder.count("upsert") == 0
        assert recorder.count("delete") == 0


def test_the_sweep_does_not_send_again_what_a_query_found(server: Loopback, tmp_path: Path) -> None:
    """Runs that end are sent once; only an edit afterwards, which no query sees, is for the sweep."""
    there = world(server, tmp_path, Model(), 5)
    there.calm()
    there.sync()
    there.model.wait(DAY)
    there.sync()
    for _ in range(20):
        there.model.wait(60)
        there.model.make("COMPLETED", 0)
    edited = sorted(there.model.runs)[7]
    there.sync()
    there.model.wait(HOUR)
    there.model.edit(edited)
    sent = 0
    for _ in range(12):
        there.model.wait(6 * HOUR)
        sent += there.sync().count("upsert")
    assert sent == 1
    assert there.differences() == set()


def test_requests_do_not_grow_with_the_history(server: Loopback, tmp_path: Path) -> None:
    """The same change costs the same number of requests with 30 runs and with 300."""
    counts = []
    for runs in (30, 300):
        there = world(server, tmp_path, Model(cap=200), 1, STREAMS.replace("page_size: 4", "page_size: 200"))
        there.calm()
        for _ in range(runs):
            there.model.wait(60)
            there.model.make("COMPLETED", 0)
        for _ in range(4):
            there.sync()
            there.model.wait(DAY + 1)
        there.sync()
        there.model.wait(HOUR)
        there.model.make("RUNNING", 0)
        server.seen.clear()
        recorder = there.sync()
        assert recorder.count("upsert") == 1
        counts.append(len(server.seen))
    assert counts[0] == counts[1] <= 12


def test_soft_delete_finds_every_deletion_within_its_period(server: Loopback, tmp_path: Path) -> None:
    """Finished runs that are deleted too, where the stream says so; the rest arrives as ever."""
    text = STREAMS.replace("    sync_mode: incremental\n", "    sync_mode: incremental\n    deleted: soft_delete\n")
    for seed in range(5):
        there = world(server, tmp_path, Model(), seed, text)
        there.live_through(3 * DAY, 30)
        for _ in range(4):
            there.sync()
            there.live_through(9 * HOUR, 8)
        for key in there.dice.sample(sorted(there.model.runs), 8):
            there.model.delete(key)
        there.calm()
        there.sync()
        there.model.wait(DAY + 1)
        there.sync()
        there.sync()
        assert {k for k, row in there.recorder.tables["runs"].items() if not row["deleted"]} == there.model.runs.keys()
        assert there.differences() == set()
        there.model.wait(HOUR)
        assert there.sync().count("upsert") == 0


@pytest.mark.scenario("future-state")
def test_a_server_whose_clock_was_ahead(server: Loopback, tmp_path: Path) -> None:
    """The state is dated in the future then. That is said, and everything is read anew rather than nothing."""
    there = world(server, tmp_path, Model(), 3)
    there.live_through(3 * DAY, 20)
    there.sync()
    there.calm()
    there.model.now -= 2 * timedelta(days=1)
    there.model.make("COMPLETED", 0)
    lines = Lines()
    sync(there.connected, json.loads(json.dumps(there.recorder.state)), there.recorder, lines)
    assert [line for line in lines.warnings if "the server's clock is not that far yet" in line]
    assert there.differences() == set()
    there.recorder.operations.clear()
    there.model.wait(60)
    there.sync()
    assert there.recorder.count("upsert") == 0
