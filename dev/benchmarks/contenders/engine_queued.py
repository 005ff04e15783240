"""The engine, into a destination that takes rows as production does: through a bounded queue, by another thread."""

from __future__ import annotations

from dev.benchmarks.contenders.engine import connection
from dev.benchmarks.destinations import Queued, Silence
from engine.sync import sync


def read(url: str) -> int:
    """A first sync."""
    with Queued() as destination:
        sync(connection(url), {}, destination, Silence())
    return destination.rows
