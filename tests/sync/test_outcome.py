"""The failure of one stream is not that of the others, but of those whose requests are made from its rows."""

from __future__ import annotations

from dev.testbed.loopback import Reply
from tests.hostile.misbehaviors import on, respond
from tests.hostile.model import STREAMS, Model
from tests.hostile.world import World
from tests.in_process import InProcess
from tests.specs import edited

CLOUD = edited(STREAMS, add={"streams.runs.availability": "Prefect Cloud"})
FORBIDDEN = respond(Reply({"detail": "Forbidden"}, 403), on("/runs/"))


def test_the_children_of_a_parent_without_access_are_skipped_with_it() -> None:
    """Each is named, and the other streams arrive. Once they were synced, a lost access is a failure of both."""
    model = Model().filled()
    with InProcess(lambda seen: Reply([])) as server:
        world = World(server, model, CLOUD, streams="runs,steps,notes")
        model.misbehaviors = [FORBIDDEN]
        world.sync()
        assert not world.wrong("notes")
        for line in (
            "runs: this API key has no access; skipping",
            "steps: skipping, because this API key has no access",
        ):
            assert sum(warning.startswith(line) for warning in world.lines.warnings) == 1
        assert not any("/steps/" in seen.path for seen in model.requests)
        model.misbehaviors.clear()
        world.sync()
        assert not world.wrong("steps")
        model.misbehaviors = [FORBIDDEN]
        message = world.fails()
        assert "runs, steps" in message


def test_a_child_of_a_parent_without_access_is_skipped_if_it_is_selected_alone() -> None:
    """The parent's rows are read for it, and its key has no access to them."""
    model = Model().filled()
    with InProcess(lambda seen: Reply([])) as server:
        world = World(server, model, CLOUD, streams="steps,notes")
        model.misbehaviors = [FORBIDDEN]
        world.sync()
        assert any(line.startswith("steps: this API key has no access; skipping") for line in world.lines.warnings)
        assert not world.wrong("notes")
