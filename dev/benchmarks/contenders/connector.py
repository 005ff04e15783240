"""The engine with the connector's own streams.yaml, into a destination that only counts."""

from __future__ import annotations

import json
from pathlib import Path

from dev.benchmarks.destinations import Counting, Silence
from engine.spec.load import resolve
from engine.sync import sync

STREAMS = Path(__file__).resolve().parents[3] / "streams.yaml"


def read(url: str, streams: str = "flow_runs", state: str = "") -> int:
    """A sync of these streams; answers with the number of rows sent.

    Args:
        url: The API.
        streams: As in the setting ``streams``; empty for what is read when nobody chose.
        state: A file that holds the state and takes the new one; without it, or empty, a first sync.
    """
    destination, file = Counting(), Path(state)
    before = json.loads(file.read_text("utf-8")) if state and file.exists() else {}
    connection = resolve(STREAMS, {"api_url": url, "batch_size": "200", "streams": streams})
    sync(connection, before, destination, Silence())
    if state:
        file.write_text(json.dumps(destination.state), "utf-8")
    return destination.rows
