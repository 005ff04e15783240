"""Positions that a server no longer accepts, and those that another streams.yaml left."""

from __future__ import annotations

from typing import Any

import pytest

from dev.testbed.loopback import Reply, Seen
from tests.hostile.api import Api
from tests.hostile.misbehaviors import numbered, respond
from tests.hostile.model import STREAMS as RUNS
from tests.hostile.model import Model
from tests.hostile.world import World
from tests.in_process import InProcess
from tests.specs import edited

STREAMS = """
version: 1
name: Items
configuration:
  api_url: {type: url, description: Where it is., required: true}
api:
  base_url: ${api_url}
  pagination: {style: token, token: $.next, query: {token: $token}}
  records: $.items
  retry: {attempts: 1}
streams:
  items:
    description: One row per item.
    endpoint: GET /items
    primary_key: id
    cursor_field: updated
    sync_mode: incremental
    incremental: {changes: [{query: {since: $since}}]}
    fields: {id: $.id, updated: {path: $.updated, type: UTC_DATETIME}}
"""
FAILED = Reply(status=418)


class Items(Api):
    """Items in pages of two. A token is good for one sync."""

    def __init__(self, status: int) -> None:
        super().__init__({"items": {}})
        self.status = status
        self.syncs = 0

    def _respond(self, seen: Seen) -> Reply:
        items = [row for row in self.tables["items"].values() if row["updated"] >= seen.query.get("since", [""])[0]]
        first, sync = map(int, seen.query.get("token", [f"0-{self.syncs}"])[0].split("-"))
        if sync != self.syncs:
            return Reply({"detail": "the token has expired"}, self.status)
        following = f"{first + 2}-{sync}" if first + 2 < len(items) else None
        return Reply({"items": items[first : first + 2], "next": following})


@pytest.mark.parametrize("status", [400, 404, 410, 500])
@pytest.mark.parametrize("synced", [False, True])
def test_a_pass_starts_over_if_its_token_has_expired(status: int, synced: bool) -> None:
    """Whatever status says so, in a first pass and in one over changes."""
    items = Items(status)
    with InProcess(items.answer) as server:
        world = World(server, items, STREAMS)
        for made in range(2 if synced else 1):
            if made:
                world.sync()
            items.wait(3600)
            for _ in range(9):
                items.add("items")
            items.wait(60)
        items.misbehaviors = [respond(FAILED, numbered(4, 100))]
        world.fails()
        assert "@" in world.warehouse.state["streams"]["items"]["pass"]["position"]
        items.misbehaviors.clear()
        items.syncs += 1
        world.sync()
        assert not world.wrong("items")


CHANGES: dict[str, dict[str, Any]] = {
    "the parent loses an alternative": {"remove": ["streams.runs.incremental.changes.0.fallback"]},
    "a query of the parent is edited": {
        "replace": {"streams.runs.incremental.changes.1.body": {"runs": {"paused": {"after_": "$since-1h"}}}}
    },
}


@pytest.mark.parametrize("change", CHANGES)
def test_a_pass_over_children_starts_over_if_their_parents_are_found_in_another_way(change: str) -> None:
    """Its position is one among the parents."""
    model = Model().filled()
    fallback = respond(Reply(status=422), lambda seen: "after_" in str((seen.json or {}).get("runs", {}).get("ended")))
    model.misbehaviors = [fallback]
    with InProcess(model.answer) as server:
        world = World(server, model, RUNS, streams="steps")
        world.sync()
        model.wait(3600)
        for _ in range(9):
            model.make_run()
        model.wait(3600)
        model.misbehaviors.append(respond(FAILED, numbered(9, 100)))
        world.fails()
        assert world.warehouse.state["streams"]["steps"]["pass"]["position"]
        model.misbehaviors.clear()
        world.text = edited(RUNS, **CHANGES[change])
        world.sync()
        assert not world.wrong("steps")


def test_a_pass_goes_on_though_what_is_said_about_it_has_changed() -> None:
    """Words, the page size and the period of reconciliation change no position."""
    model = Model().filled()
    for number in range(20):
        model.make_run(minutes=-number)
    with InProcess(model.answer) as server:
        world = World(server, model, RUNS, streams="runs")
        model.misbehaviors = [respond(FAILED, numbered(5, 100))]
        world.fails()
        model.misbehaviors.clear()
        world.text = edited(
            RUNS,
            replace={
                "streams.runs.incremental.changes.0.finds": "runs that are done",
                "streams.runs.incremental.reconcile.every": "12h",
                "streams.runs.pagination.page_size": 3,
            },
        )
        before = len(model.requests)
        world.sync()
        assert "after_" in model.requests[before].json["runs"]["expected"]


@pytest.mark.parametrize("at", range(1, 7))
def test_a_run_that_was_sent_as_finished_stays_though_the_pass_was_stopped(at: int) -> None:
    """It is gone from the server once the pass is resumed. If it was sent as open, its row is deleted."""
    model = Model().filled()
    with InProcess(model.answer) as server:
        world = World(server, model, RUNS, streams="runs")
        world.sync()
        run = next(key for key, row in model.tables["runs"].items() if row["state"] == "RUNNING")
        model.move_run(run, "COMPLETED")
        model.misbehaviors = [respond(FAILED, numbered(at, 100))]
        world.may_fail()
        model.misbehaviors.clear()
        model.delete_run(run)
        world.sync()
        row = world.warehouse.tables["runs"][run]
        assert (row["state"], row["deleted"]) == (("RUNNING", True) if at == 1 else ("COMPLETED", False))
