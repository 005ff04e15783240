"""What docs/operations.md says of a live connection whose streams.yaml or selection of streams changes."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from dev.testbed.loopback import Reply
from tests.hostile.model import STREAMS, TABLES, Model
from tests.hostile.world import World
from tests.in_process import InProcess
from tests.specs import edited


@pytest.fixture
def world() -> Iterator[World]:
    """A connection that has synced all streams twice. Each row has a color, which no column holds yet."""
    model = Model().filled()
    for rows in model.tables.values():
        for row in rows.values():
            row["color"] = "red"
    with InProcess(lambda seen: Reply([])) as server:
        world = World(server, model, STREAMS)
        for _ in range(2):
            world.sync()
            model.wait(3600)
        yield world


def test_a_column_of_a_full_refresh_lets_every_row_be_sent_once(world: World) -> None:
    """Whether it is added or removed. Nothing is deleted, and the sync after that writes nothing."""
    with_color = edited(STREAMS, add={"streams.tags.fields.color": "$.color"})
    for text in (with_color, STREAMS):
        world.text = text
        world.sync()
        assert world.warehouse.writes() == [("upsert", "tags")] * len(world.api.tables["tags"])
        assert all((row.get("color") == "red") == (text is with_color) for row in world.rows("tags").values())
        world.sync()
        assert not world.warehouse.writes()


def test_a_column_of_an_incremental_stream_is_filled_as_rows_change(world: World) -> None:
    """Other rows do not have it until a re-sync, and none is sent for it."""
    world.text = edited(STREAMS, add={"streams.notes.fields.color": "$.color"})
    world.sync()
    assert not world.warehouse.writes()
    changed, *others = world.api.tables["notes"]
    world.api.change("notes", changed)
    world.api.wait(600)
    world.sync()
    rows = world.rows("notes")
    assert rows[changed]["color"] == "red"
    assert not any("color" in rows[key] for key in others)
    world.warehouse.state = {}
    world.sync()
    assert all(row["color"] == "red" for row in world.rows("notes").values())


@pytest.mark.parametrize("stream", ["runs", "notes", "tags"])
def test_a_stream_that_is_switched_on_again_goes_on(world: World, stream: str) -> None:
    """Meanwhile its table stays as it is. Then what changed arrives, and no row more."""
    model = world.api
    assert isinstance(model, Model)
    world.settings["streams"] = ",".join(name for name in TABLES if name not in (stream, "steps"))
    changed, gone, *_ = (key for key, row in model.tables[stream].items() if row.get("state") != "SCHEDULED")
    if stream == "runs":
        model.move_run(changed, "FAILED")
    else:
        model.change(stream, changed)
        del model.tables[stream][gone]
    model.wait(3600)
    before = dict(world.rows(stream))
    world.sync()
    assert world.rows(stream) == before
    world.settings["streams"] = f"{stream}, notes"
    world.sync()
    writes = [("upsert", stream)] + [("delete", stream)] * (stream != "runs")
    assert sorted(world.warehouse.writes()) == sorted(writes)
    assert not world.wrong(stream)


def test_a_stream_that_is_switched_on_is_read_whole_and_the_others_go_on(world: World) -> None:
    """The first sync of one stream is no first sync of another."""
    world.warehouse.state["streams"].pop("notes")
    world.warehouse.tables.pop("notes")
    world.sync()
    assert world.warehouse.count("upsert", "notes") == len(world.api.tables["notes"])
    assert {table for _, table in world.warehouse.writes()} == {"notes"}
    assert not world.wrong("notes")
