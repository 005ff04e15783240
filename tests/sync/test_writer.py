"""The writer: what a checkpoint covers."""

from __future__ import annotations

from datetime import datetime, timezone

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
