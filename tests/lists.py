"""A small API of lists, which a test declares itself, and syncs of it."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime, timedelta, timezone
from email.utils import format_datetime
from pathlib import Path
from typing import Any, Protocol

from dev.testbed.loopback import Reply, Seen
from engine.sync import sync
from tests.in_process import InProcess
from tests.shop import Lines, Recorder, connection

HEAD = """
version: 1
name: Shop
configuration:
  api_url: {type: url, description: Where the shop is., required: true}
api:
  base_url: ${api_url}
  pagination: single
  lookback: 1h
  retry: {attempts: 1}
streams:
"""
"""The top of a streams.yaml, to which a test adds its streams."""
START = datetime(2026, 1, 1, tzinfo=timezone.utc)


class Server:
    """Serves what its paths hold: lists, any other JSON, or whole replies. Between two syncs, a day passes."""

    def __init__(self, **lists: Any) -> None:
        self.lists = lists
        self.now = START
        self.seen: list[str] = []

    def __call__(self, seen: Seen) -> Reply:
        path = seen.path.removeprefix("/api/")
        self.seen.append(path)
        found = self.lists[path]
        date = {"Date": format_datetime(self.now, usegmt=True)}
        if isinstance(found, Reply):
            return replace(found, headers={**date, **found.headers})
        if "offset" in seen.query:
            found = found[int(seen.query["offset"][0]) :]
        return Reply(found, headers=date)

    def touch(self, name: str, number: int, **changes: Any) -> None:
        """Change a record of a list now."""
        self.lists[name][number] = {**self.lists[name][number], "updated": self.now.isoformat(), **changes}


class Dated(Protocol):
    """A server with a clock."""

    now: datetime

    def __call__(self, seen: Seen) -> Reply:
        """Answer a request."""


def synced(server: Dated, folder: Path, text: str, recorder: Recorder | None = None) -> tuple[Recorder, Lines]:
    """Sync, and let a day pass."""
    recorder, log = recorder or Recorder(), Lines()
    recorder.operations.clear()
    with InProcess(server) as loopback:
        sync(connection(folder, loopback.url, text), recorder.state, recorder, log)
    server.now += timedelta(days=1)
    return recorder, log


def alive(recorder: Recorder, table: str) -> dict[Any, dict[str, Any]]:
    """The rows that are not deleted, without that mark."""
    rows = recorder.tables.get(table, {}).items()
    return {key: {**row, "deleted": None} for key, row in rows if not row["deleted"]}
