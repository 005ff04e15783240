"""The connector with a streams.yaml."""

from __future__ import annotations

import json
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from dev.benchmarks.destinations import Counting
from engine.spec.load import resolve
from engine.sync import sync as run


class Sent(Counting):
    """Keeps the rows."""

    def __init__(self) -> None:
        super().__init__()
        self.sent: list[tuple[str, Any]] = []

    def upsert(self, table: str, data: dict[str, Any]) -> None:
        """Keep a row."""
        self.sent.append((table, data))


class Errors:
    """A log that prints warnings to stderr."""

    def info(self, message: str) -> None:
        """Drop a message."""

    def warning(self, message: str) -> None:
        """Print a warning."""
        print(message, file=sys.stderr)


def sync(file: str, url: str, now: str, folder: str, settings: Mapping[str, str]) -> list[tuple[str, Any]]:
    """Sync an API with the state that the last sync left in a folder. The time is the server's."""
    saved, destination = Path(folder, "state.json"), Sent()
    state = json.loads(saved.read_text("utf-8")) if saved.exists() else {}
    run(resolve(Path(file), {"api_url": url, **settings}), state, destination, Errors())
    saved.write_text(json.dumps(destination.state), "utf-8")
    return destination.sent
