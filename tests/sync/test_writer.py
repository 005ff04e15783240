"""The writer: what a checkpoint covers."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime, timezone

from engine.spec.partitions import Partition
from engine.state import State, StreamState
from engine.sync.writer import Writer
from tests.shop import Recorder
from tests.specs import shipped

FLOWS, RUNS = (shipped().streams[name] for name in ("flows", "flow_runs"))


def at(minute: int) -> StreamState:
    return StreamState(datetime(2024, 5, 1, 12, minute, tzinfo=timezone.utc))


def test_the_progress_of_a_stream_survives_that_of_the_next() -> None:
    """A stream that failed in the middle of a pass goes on there, whatever was read after it."""
    recorder = Recorder()
    writer = Writer(recorder, State("http://127.0.0.1/api"), 10, 60.0)
    flows, runs = writer.of(FLOWS), writer.of(RUNS)
    flows.progress(lambda: at(1))
    runs.progress(lambda: at(2))
    runs.progress(lambda: at(3))
    writer.checkpoint()
    assert {name: stream["since"] for name, stream in recorder.state["streams"].items()} == {
        "flows": "2024-05-01T12:01:00.000000Z",
        "flow_runs": "2024-05-01T12:03:00.000000Z",
    }


def test_nothing_new_is_no_checkpoint() -> None:
    """Neither rows nor states moved."""
    recorder = Recorder()
    writer = Writer(recorder, State("http://127.0.0.1/api").with_stream("flows", at(1)), 10, 60.0)
    writer.of(FLOWS).progress(lambda: at(1))
    writer.checkpoint()
    assert recorder.operations == []


def test_rows_that_wait_are_written_by_the_next_checkpoint_that_is_due() -> None:
    """Whatever it is due for. A sync of hours that is killed must not have left them until its end."""
    recorder, partitions = Recorder(), [Partition(key, columns={"workspace_id": key}) for key in ("w1", "w2")]
    state = replace(State("http://127.0.0.1/api"), partitioned_by=("workspace_id",))
    writer = Writer(recorder, state, 2, 60.0)
    first, second = (writer.of(FLOWS, partition) for partition in partitions)

    def write() -> None:
        first.upsert({"id": "a"})
        first.save(at(2))

    first.write_once_listed(1, lambda: at(1), write)
    assert recorder.operations == []
    second.upsert({"id": "b"})
    second.save(at(3))
    assert [name for name, _ in recorder.operations] == ["upsert", "checkpoint", "upsert"]
    writer.checkpoint()
    since = {key: one["streams"]["flows"]["since"][14:16] for key, one in recorder.state["partitions"].items()}
    assert since == {"w1": "02", "w2": "03"}
