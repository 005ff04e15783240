"""The engine with 30 mapped columns, into a destination that only counts rows, or one that queues them."""

from __future__ import annotations

import tempfile
from pathlib import Path

from dev.benchmarks.destinations import Counting, Queued, StrictLog
from dev.benchmarks.records import COLUMNS
from engine.spec.load import ResolvedSpec, resolve
from engine.sync import sync

STREAMS = """
version: 1
name: Benchmark
configuration:
  api_url: {{type: url, description: The URL of the stub., required: true}}
api:
  base_url: ${{api_url}}
  pagination: {{style: offset, page_size: 200}}
streams:
  flow_runs:
    description: One row per flow run.
    endpoint: POST /flow_runs/filter
    primary_key: id
    cursor_field: updated
    sync_mode: incremental
    fields:
{fields}
"""


def resolved_spec(url: str) -> ResolvedSpec:
    """The resolved spec of the stub at a URL."""
    fields = "\n".join(f"      {name}: {{path: {path}, type: {type_}}}" for name, (path, type_) in COLUMNS.items())
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "streams.yaml"
        path.write_text(STREAMS.format(fields=fields), "utf-8")
        return resolve(path, {"api_url": url})


def read(url: str, queued: str = "") -> int:
    """Run a first sync; with a second argument, into a destination that takes rows as production does."""
    destination = Queued() if queued else Counting()
    sync(resolved_spec(url), {}, destination, StrictLog())
    return destination.rows
