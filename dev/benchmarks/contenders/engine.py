"""The engine, with 30 mapped columns, into a destination that only counts."""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import Any

from dev.benchmarks.destinations import Counting, Silence
from dev.benchmarks.records import COLUMNS
from engine.spec.load import ResolvedSpec, resolve
from engine.sync import sync

STREAMS = """
version: 1
name: Benchmark
configuration:
  api_url: {{type: url, description: Where the stub is., required: true}}
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


def connection(url: str) -> ResolvedSpec:
    """The stub's streams.yaml, for the stub at a URL."""
    fields = "\n".join(f"      {name}: {{path: {path}, type: {kind}}}" for name, (path, kind) in COLUMNS.items())
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "streams.yaml"
        path.write_text(STREAMS.format(fields=fields), "utf-8")
        return resolve(path, {"api_url": url})


def read(url: str) -> int:
    """A first sync."""
    destination = Counting()
    state: dict[str, Any] = {}
    sync(connection(url), state, destination, Silence())
    return destination.rows
