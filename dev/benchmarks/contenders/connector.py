"""The engine with the connector's own streams.yaml, into a destination that only counts rows."""

from __future__ import annotations

import json
from pathlib import Path

from dev.benchmarks.destinations import Counting, StrictLog
from engine.spec.load import resolve
from engine.sync import sync

STREAMS = Path(__file__).resolve().parents[3] / "streams.yaml"


def read(url: str, streams: str = "flow_runs", state: str = "") -> int:
    """Sync some streams; returns the number of rows written.

    Args:
        url: The base URL of the API.
        streams: The setting ``streams``; empty for the default streams.
        state: A file that holds the state and receives the new one. Empty, or a missing file: a first sync.
    """
    destination, file = Counting(), Path(state)
    before = json.loads(file.read_text("utf-8")) if state and file.exists() else {}
    spec = resolve(STREAMS, {"api_url": url, "batch_size": "200", "streams": streams})
    sync(spec, before, destination, StrictLog())
    if state:
        file.write_text(json.dumps(destination.state), "utf-8")
    return destination.rows
