"""A server that misbehaves in every way that it can and still be honest, and a reader that loses nothing to it.

The rules are what can happen: to rows, responses, syncs and streams.yaml. The invariants hold after each sync, and
once everything is quiet again. A failure is printed as the shortest story that leads to it.
"""

from __future__ import annotations

import re
from datetime import timedelta
from random import Random
from typing import Any

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, rule

from dev.testbed.loopback import Answerer, Reply, Seen
from engine.failures import Failure
from tests import effort
from tests.effort import cases
from tests.hostile.api import START, Misbehavior
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
from tests.hostile.model import FINAL, OPEN, STREAMS, TABLES, Model
from tests.hostile.world import Killed, World
from tests.in_process import InProcess
from tests.specs import edited

HOUR, DAY = 3600.0, 86400.0
DEPEND = {"runs": ("steps",), "pools": ("queues",)}
REFRESHED = {"pools", "queues", "tags"}
FAILURES = (SERVER_ERROR, Reply(status=418), Reply(body=b"<html>", headers={"Content-Type": "text/html"}))
PATHS = {table: f"/api/{table}/filter" for table in TABLES} | {"steps": "/steps/", "queues": "/queues/filter"}
NAMES: tuple[Any, ...] = (
    "run.my-note",
    "run.",
    "pool.main",
    "run.00000000-0000-4000-8000-000000000000",
    "run.../..",
    17,
    None,
    {},
)

index = st.integers(0, 10**6)
request_number = st.integers(1, 40)
combined = st.sampled_from([False, False, True])
a_while = st.integers(1, 3)


class HostileServer(RuleBasedStateMachine):
    """One server, one connection, one destination."""

    def __init__(self) -> None:
        super().__init__()
        self.server = InProcess(lambda seen: Reply([])).__enter__()
        self.model = Model()
        self.world = World(self.server, self.model, STREAMS)
        self.once: list[Misbehavior] = []  # for the next sync
        self.lasting: dict[str, tuple[Misbehavior, int]] = {}  # for the next so many syncs
        self.unfinished: set[str] = set()  # tables that a sync began to replace and did not finish
        self.table = "runs"  # the destination table of runs
        self.seemed = START  # the latest time at which a sync seemed to begin whose clock was ahead

    @initialize(
        drops=st.booleans(),
        runs=st.integers(0, 12),
        pools=st.integers(0, 4),
        synced=st.booleans(),
        deletes=st.booleans(),
        one_by_one=st.booleans(),
    )
    def begin(self, drops: bool, runs: int, pools: int, synced: bool, deletes: bool, one_by_one: bool) -> None:
        """A few rows, synced or not. A failed sync keeps or drops what follows its last checkpoint.

        ``deletes``: whether runs and steps that are gone are to be found. ``one_by_one``: whether each run is looked up
        on its own.
        """
        self.world.warehouse.drops = drops
        if deletes:
            self._edit(add={f"streams.{stream}.deleted": "soft_delete" for stream in ("runs", "steps")})
        if one_by_one:
            self._edit(replace={"streams.runs.incremental.lookup": {"endpoint": "GET /runs/$(key)"}})
        self.model.fill()
        for _ in range(runs):
            self.model.make_run()
            self.model.wait(60)
        for number in range(pools):
            self.model.make_pool(queues=0 if number else pools)
        if synced:
            self._sync()

    # --- rows --------------------------------------------------------------------------------------------------------

    def _run(self, at: int, states: tuple[str, ...] = OPEN + FINAL) -> str | None:
        keys = sorted(key for key, row in self.model.tables["runs"].items() if row["state"] in states)
        return keys[at % len(keys)] if keys else None

    @rule(seconds=st.sampled_from([30.0, HOUR, 7 * HOUR, 3 * DAY]))
    def time_passes(self, seconds: float) -> None:
        self.model.wait(seconds)

    @rule(state=st.sampled_from(OPEN + FINAL), minutes=st.sampled_from([-2000, -60, 0, 0, 5, 600]))
    def a_run_is_made(self, state: str, minutes: int) -> None:
        self.model.make_run(state, minutes=minutes)

    @rule(at=index, state=st.sampled_from(OPEN + FINAL))
    def a_run_changes_its_state(self, at: int, state: str) -> None:
        if run := self._run(at):
            self.model.move_run(run, state)

    @rule(at=index)
    def a_run_is_paused(self, at: int) -> None:
        if run := self._run(at):
            self.model.change("runs", run, paused=self.model.at())
            self.model.add("steps", run_id=run)

    @rule(at=index)
    def a_run_is_edited_and_no_query_finds_it(self, at: int) -> None:
        if run := self._run(at):
            self.model.edit_run(run)
            self.model.add("steps", run_id=run)

    @rule(at=index)
    def a_run_is_deleted(self, at: int) -> None:
        if run := self._run(at):
            self.model.delete_run(run)

    @rule(at=index, state=st.sampled_from(FINAL), seconds=st.integers(1, 240))
    def a_run_changes_and_commits_late(self, at: int, state: str, seconds: int) -> None:
        if run := self._run(at):
            before = self.model.tables["runs"][run]
            self.model.move_run(run, state)
            self.model.hide("runs", run, before, seconds)
            self.model.hide("steps", next(reversed(self.model.tables["steps"])), None, seconds)

    @rule(seconds=st.integers(1, 240))
    def a_run_is_made_and_commits_late(self, seconds: int) -> None:
        run = self.model.make_run()
        self.model.hide("runs", run, None, seconds)

    @rule(count=st.integers(5, 9), expected=st.sampled_from(["2024-04-30T12:00:00Z", "2024-04-30T12:00:00.000001Z"]))
    def more_runs_of_one_instant_than_a_page_holds(self, count: int, expected: str) -> None:
        for _ in range(count):
            self.model.make_run(expected=expected)

    @rule(count=st.integers(1, 6), digits=st.sampled_from(["1234567", "123456799"]))
    def runs_are_dated_finer_than_a_microsecond(self, count: int, digits: str) -> None:
        for _ in range(count):
            self.model.make_run(expected=f"2024-04-29T12:00:00.{digits}Z")

    @rule(expected=st.sampled_from(["9999-12-31T23:59:59.999999Z", "0001-01-01T00:00:00Z"]))
    def a_run_is_expected_at_the_end_of_time(self, expected: str) -> None:
        self.model.make_run(expected=expected)

    @rule(name=st.sampled_from(NAMES))
    def an_event_names_something_else(self, name: Any) -> None:
        self.model.notify(name)

    @rule(table=st.sampled_from(["notes", "tags"]), kind=st.sampled_from(["make", "change", "delete"]), at=index)
    def a_note_or_tag_changes(self, table: str, kind: str, at: int) -> None:
        """No note is edited before the time at which a sync seemed to begin: nothing would find that."""
        keys = sorted(self.model.tables[table])
        if table == "notes" and kind == "change" and self.model.now < self.seemed:
            return
        if kind == "make" or not keys:
            self.model.add(table)
        elif kind == "change":
            self.model.change(table, keys[at % len(keys)])
        else:
            del self.model.tables[table][keys[at % len(keys)]]

    @rule(kind=st.sampled_from(["make", "change", "delete", "queue"]), at=index)
    def a_pool_or_its_queues_change(self, kind: str, at: int) -> None:
        model, pools = self.model, sorted(self.model.tables["pools"])
        if kind == "make" or not pools:
            model.make_pool(queues=at % 6)
            return
        pool = pools[at % len(pools)]
        if kind == "change":
            model.change("pools", pool)
        elif kind == "queue":
            model.make_queue(pool)
        else:
            name = model.tables["pools"].pop(pool)["name"]
            model.tables["queues"] = {k: row for k, row in model.tables["queues"].items() if row["parent_name"] != name}

    def _in_the_next_sync(self, more: bool, misbehavior: Misbehavior) -> None:
        """Let something happen in the next sync, which is now unless more is to happen in it."""
        self.once.append(misbehavior)
        if not more:
            self._sync()

    # --- responses ---------------------------------------------------------------------------------------------------

    @rule(number=request_number, reply=st.sampled_from(FAILURES), more=combined)
    def a_request_fails(self, number: int, reply: Reply, more: bool) -> None:
        self._in_the_next_sync(more, respond(reply, numbered(number)))

    @rule(number=request_number, stream=st.sampled_from(["pools", "notes", "runs"]), more=combined)
    def a_proxy_does_not_find_a_list(self, number: int, stream: str, more: bool) -> None:
        self._in_the_next_sync(more, respond(PROXY_PAGE, both(on(PATHS[stream]), numbered(number % 5 + 1))))

    @rule(
        number=st.integers(1, 6),
        stream=st.sampled_from(["steps", "queues"]),
        reply=st.sampled_from([NOT_FOUND, PROXY_PAGE]),
        more=combined,
    )
    def the_children_of_a_parent_are_not_found_once(self, number: int, stream: str, reply: Reply, more: bool) -> None:
        self._in_the_next_sync(more, respond(reply, both(on(PATHS[stream]), numbered(number))))

    @rule(
        numbers=st.sampled_from([(1, 1), (2, 2), (3, 3), (1, 100)]),
        reply=st.sampled_from([NOT_FOUND, PROXY_PAGE, Reply(status=422), Reply(None)]),
        more=combined,
    )
    def one_run_or_no_run_is_found_by_its_key(self, numbers: tuple[int, int], reply: Reply, more: bool) -> None:
        by_key = both(lambda seen: seen.method == "GET", on("/api/runs/"), numbered(*numbers))
        self._in_the_next_sync(more, respond(reply, by_key))

    @rule(number=request_number, hours=st.sampled_from([-1000, -3, 3, 1000]), more=combined)
    def one_response_has_a_wrong_date(self, number: int, hours: int, more: bool) -> None:
        self._in_the_next_sync(more, dated(self.model, hours, numbered(number)))

    @rule(more=combined)
    def no_response_has_a_date(self, more: bool) -> None:
        self._in_the_next_sync(more, dated(self.model, None, lambda seen: True))

    @rule(hours=st.sampled_from([1, 30]), at=index)
    def the_clock_is_ahead_for_a_sync(self, hours: int, at: int) -> None:
        """A run ends soon after that sync, at an instant before the one at which it seems to have begun.

        Only the newest change that is read shows how far the clock is ahead. So no row is dated ahead of it, and none
        changes behind the reader while others change in front of it.
        """
        if any(row["updated"] > self.model.at() for table in TABLES for row in self.model.tables[table].values()):
            return
        self.once = []
        self._in_the_next_sync(False, dated(self.model, hours, lambda seen: True))
        self.seemed = max(self.seemed, self.model.now + timedelta(hours=hours))
        self.model.wait(600)
        self.a_run_changes_its_state(at=at, state="FAILED")

    @rule(hours=st.sampled_from([1, 30]), at=index)
    def the_clock_is_set_back(self, hours: int, at: int) -> None:
        """A run ends before the next sync, which comes before the clock shows its old time: a later one cannot know."""
        self.the_server_recovers()
        self.once, self.world.settings["streams"] = [], ""
        self.model.set_back(hours * HOUR)
        self.a_run_changes_its_state(at=at, state="FAILED")
        self._sync()

    @rule(cap=st.sampled_from([2, 3, 4]))
    def pages_are_cut(self, cap: int) -> None:
        self.model.cap = cap

    @rule(number=st.integers(1, 12), stream=st.sampled_from(["notes", "tags"]), more=combined)
    def a_page_is_repeated(self, number: int, stream: str, more: bool) -> None:
        """A cache sends a page of a list again, for the next offset."""
        last: list[Reply] = []
        again = both(on(PATHS[stream]), lambda seen: seen.json.get("offset", 0) > 0, numbered(number))

        def misbehave(seen: Seen, answer: Answerer) -> Reply:
            reply = last[-1] if again(seen) and last else answer(seen)
            if on(PATHS[stream])(seen):
                last.append(reply)
            return reply

        self._in_the_next_sync(more, misbehave)

    @rule(table=st.sampled_from(["pools", "queues"]), seed=index, more=combined)
    def rows_move_between_pages(self, table: str, seed: int, more: bool) -> None:
        dice, moves = Random(seed), numbered(1, 4)
        self._in_the_next_sync(more, after_each(both(on(PATHS[table]), moves), lambda: self._shuffle(table, dice)))

    def _shuffle(self, table: str, dice: Random) -> None:
        if self.model.tables[table]:
            self.model.shuffle(table, dice, 1.0)

    @rule(seed=index, more=combined)
    def rows_change_between_requests(self, seed: int, more: bool) -> None:
        dice = Random(seed)

        def act() -> None:
            run = self._run(dice.randrange(10**6))
            if dice.random() < 0.5 or not run:
                self.model.make_run(dice.choice(OPEN + FINAL), minutes=dice.choice([-60, 0, 5]))
            else:
                self.model.move_run(run, dice.choice(OPEN + FINAL))

        self._in_the_next_sync(more, after_each(lambda seen: dice.random() < 0.1, act))

    @rule(reply=st.sampled_from([SERVER_ERROR, NOT_FOUND, Reply("many"), Reply(0), Reply(10**6)]), syncs=a_while)
    def counts_fail_or_lie(self, reply: Reply, syncs: int) -> None:
        self.lasting["counts"] = respond(reply, on("/count")), syncs

    @rule(
        reply=st.sampled_from([SERVER_ERROR, NOT_FOUND, PROXY_PAGE, Reply(status=403), Reply(status=422)]),
        syncs=a_while,
    )
    def the_change_feed_fails(self, reply: Reply, syncs: int) -> None:
        self.lasting["feed"] = respond(reply, on("/events/")), syncs

    @rule(
        reply=st.sampled_from([SERVER_ERROR, NOT_FOUND, PROXY_PAGE, Reply(status=403), Reply(status=422)]),
        syncs=a_while,
    )
    def the_optional_query_fails(self, reply: Reply, syncs: int) -> None:
        self.lasting["query"] = respond(reply, lambda seen: "paused" in ((seen.json or {}).get("runs") or {})), syncs

    @rule(stream=st.sampled_from(TABLES), reply=st.sampled_from(FAILURES), syncs=a_while)
    def a_stream_fails_for_a_while(self, stream: str, reply: Reply, syncs: int) -> None:
        self.lasting[stream] = respond(reply, on(PATHS[stream])), syncs

    @rule(stream=st.sampled_from(["notes", "tags", "steps", "queues"]), syncs=a_while)
    def a_stream_is_not_found_for_a_while(self, stream: str, syncs: int) -> None:
        self.lasting[f"no {stream}"] = respond(NOT_FOUND, on(PATHS[stream])), syncs

    @rule(more=combined)
    def requests_are_limited(self, more: bool) -> None:
        """A request is accepted two milliseconds after the last one."""
        accepted = [0.0]

        def limit(seen: Seen, answer: Answerer) -> Reply:
            if seen.at - accepted[0] < 0.002:
                return Reply({"detail": "Too many requests"}, 429)
            accepted[0] = seen.at
            return answer(seen)

        self._in_the_next_sync(more, limit)

    @rule()
    def the_server_recovers(self) -> None:
        self.lasting.clear()
        self.model.cap = 4

    # --- streams.yaml ------------------------------------------------------------------------------------------------

    def _edit(self, **changes: Any) -> None:
        self.world.text = edited(self.world.text, **changes)

    @rule()
    def the_table_of_runs_is_renamed(self) -> None:
        kind = "replace" if self.table != "runs" else "add"
        self.table = f"runs_{self.table.count('_') + 1}" + "_" * self.table.count("_")
        self._edit(**{kind: {"streams.runs.table": self.table}})
        self.unfinished.add("steps")

    @rule(field=st.sampled_from(["created", "expected"]))
    def runs_are_paginated_by_another_field(self, field: str) -> None:
        if f"field: $.{field}" in self.world.text.partition("steps:")[0]:
            return
        body = {"runs": {field: {"after_": "$from", "before_": "$to"}}, "sort": f"{field.upper()}_ASC"}
        self._edit(replace={"streams.runs.body": body, "streams.runs.pagination.field": f"$.{field}"})
        self.unfinished |= {self.table, "steps"}

    @rule(streams=st.sampled_from(["", "", "all, -runs", "steps, tags", "pools, notes"]))
    def streams_are_switched_off_and_on(self, streams: str) -> None:
        self.world.settings["streams"] = streams

    # --- syncs -------------------------------------------------------------------------------------------------------

    @rule()
    def a_sync(self) -> None:
        self._sync()

    @rule(number=request_number)
    def a_sync_is_stopped_by_a_failure(self, number: int) -> None:
        self.once.append(respond(Reply(status=418), numbered(number)))
        self._sync()

    @rule(number=request_number)
    def a_sync_is_killed_at_a_request(self, number: int) -> None:
        is_last = numbered(number)

        def kill(seen: Seen, answer: Answerer) -> Reply:
            if is_last(seen):
                raise Killed
            return answer(seen)

        self.once.append(kill)
        self._sync()

    @rule(operation=st.integers(0, 40))
    def a_sync_is_killed_at_an_operation(self, operation: int) -> None:
        self.world.warehouse.killed_at = operation
        self._sync()

    @rule(stream=st.sampled_from(["runs", "steps", "notes"]), number=st.integers(30, 40))
    def syncs_are_stopped_again_and_again(self, stream: str, number: int) -> None:
        """Much is new, and each sync is stopped after so many requests. Sooner or later, one succeeds."""
        self.the_server_recovers()
        for minute in range(40):
            self.model.wait(1)
            self.model.add("notes") if stream == "notes" else self.model.make_run(minutes=-minute)
        selected, self.world.settings["streams"] = self.world.settings.get("streams", ""), stream
        for _ in range(90):
            self.once = [respond(Reply(status=418), numbered(number))]
            if self._sync() is None:
                break
            self.model.wait(60)  # so that rows leave the lookback, which can take more requests than that
        else:
            raise AssertionError(f"90 syncs of {number} requests do not complete {stream}")
        self.world.settings["streams"] = selected

    def _sync(self) -> BaseException | None:
        """One sync, in which the misbehaviors of now happen, and after which the invariants hold."""
        undisturbed = not self.once and self.world.warehouse.killed_at is None
        self.model.misbehaviors = [*(one for one, _ in self.lasting.values()), *self.once]
        try:
            stop = self.world.sync(stopped_by=(Failure, Killed))
        finally:
            self.once, self.model.misbehaviors, self.world.warehouse.killed_at = [], [], None
        self._note_unfinished(stop)
        self._check_failure(stop, undisturbed)
        self.lasting = {name: (one, syncs - 1) for name, (one, syncs) in self.lasting.items() if syncs > 1}
        self._check_deletions()
        return stop

    # --- invariants --------------------------------------------------------------------------------------------------

    def _note_unfinished(self, stop: BaseException | None) -> None:
        if stop is None and not self.world.settings.get("streams"):
            self.unfinished.clear()
        elif isinstance(stop, Killed) and not self.world.warehouse.drops:
            self.unfinished |= REFRESHED

    def _check_deletions(self) -> None:
        """No row is marked as deleted that the server has, except in a table that is being replaced."""
        for table in TABLES:
            destination = self.table if table == "runs" else table
            rows = {} if destination in self.unfinished else self.world.warehouse.tables.get(destination, {})
            deleted = [key for key, row in rows.items() if row["deleted"] and key in self.model.tables[table]]
            assert not deleted, (table, deleted)

    def _check_failure(self, stop: BaseException | None, undisturbed: bool) -> None:
        """A failure names a stream and a request, and all that fail; it harms no other stream."""
        if isinstance(stop, Failure):
            named = rf"\b({'|'.join(TABLES)}): (GET|POST) /\w+|none of the endpoints exists: http"
            assert re.search(named, str(stop)), str(stop)
        if not undisturbed or self.world.settings.get("streams"):
            return
        affected = {name for stream in TABLES if stream in self.lasting for name in (stream, *DEPEND.get(stream, ()))}
        assert bool(stop) == bool(affected), str(stop)
        for stream in affected:
            assert f"{stream}: " in str(stop)
        for table in REFRESHED - affected:
            if f"no {table}" not in self.lasting and not (table == "queues" and "no pools" in self.lasting):
                assert not self.world.wrong(table)

    def _check_equality(self) -> None:
        """The destination is what the server is, and what is deleted is marked where that is promised."""
        for table in TABLES:
            wrong = self._wrong_runs() if table == "runs" else self.world.wrong(table, kept=self._keeps(table))
            assert not wrong, (table, wrong)

    def _keeps(self, table: str) -> bool:
        """Whether rows that are gone may stay."""
        stream = self.world.text.partition(f"  {table}:")[2].partition("fields:")[0]
        return table in ("runs", "steps") and "soft_delete" not in stream

    def _wrong_runs(self) -> dict[str, str]:
        wrong = self.world.wrong(self.table, "runs", kept=self._keeps("runs"))
        gone = self.world.rows(self.table).keys() - self.model.tables["runs"].keys()
        rows = self.world.rows(self.table)
        still_open = {key: "extra" for key, row in rows.items() if _is_left_open(key, row, gone)}
        return {**wrong, **still_open}

    def teardown(self) -> None:
        """Once all is quiet, one period of reconciliation leaves no difference, and the next sync writes nothing."""
        try:
            self.the_server_recovers()
            self.world.settings["streams"] = ""
            self.once, self.world.warehouse.killed_at = [], None
            self.model.wait(400)
            for _ in range(3):
                assert self._sync() is None
                self.model.wait(DAY + HOUR)
            self._check_equality()
            self._sync()
            writes, checkpoints = self.world.warehouse.writes(), self.world.warehouse.count("checkpoint")
            assert not writes, writes
            assert checkpoints <= 2, checkpoints
        finally:
            self.server.__exit__(None, None, None)


def _is_left_open(key: str, row: dict[str, Any], gone: set[str]) -> bool:
    return key in gone and row["state"] in OPEN


# The same stories in each run of `make test`; others in each run of `make fuzz`.
HostileServer.TestCase.settings = settings(
    max_examples=cases(30), stateful_step_count=20, derandomize=effort.times == 1, database=None
)
TestHostileServer = HostileServer.TestCase
TestHostileServer.pytestmark = [pytest.mark.scenario("hostile", cases=cases(30))]
