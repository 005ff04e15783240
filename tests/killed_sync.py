"""A sync into an SQLite file, as a process of its own that a test can kill: rows and state become durable together."""

from __future__ import annotations

import json
import sqlite3
import sys
from pathlib import Path
from typing import Any

import engine.sync.writer
from engine.spec.load import connect
from tests.shop import Lines


class SqliteDestination:
    """Tables as JSON rows by id; a checkpoint commits."""

    def __init__(self, path: str) -> None:
        self._db = sqlite3.connect(path, isolation_level=None)
        self._db.execute("CREATE TABLE IF NOT EXISTS rows (id TEXT PRIMARY KEY, row TEXT, sent INTEGER DEFAULT 1)")
        self._db.execute("CREATE TABLE IF NOT EXISTS state (one INTEGER PRIMARY KEY, document TEXT)")
        self._db.execute("BEGIN")

    def state(self) -> Any:
        """The state of the last checkpoint."""
        found = self._db.execute("SELECT document FROM state").fetchone()
        return json.loads(found[0]) if found else {}

    def upsert(self, table: str, data: dict[str, Any]) -> None:
        """Insert or replace, and count how often the row was sent."""
        self._db.execute(
            "INSERT INTO rows (id, row) VALUES (?, ?) "
            "ON CONFLICT (id) DO UPDATE SET row = excluded.row, sent = sent + 1",
            (data["id"], json.dumps(data, default=str)),
        )

    def delete(self, table: str, keys: dict[str, Any]) -> None:
        """Remove a row."""
        self._db.execute("DELETE FROM rows WHERE id = ?", (keys["id"],))

    def truncate(self, table: str) -> None:
        """Never asked for here."""
        raise NotImplementedError

    def checkpoint(self, state: dict[str, Any]) -> None:
        """Commit the rows and the state."""
        self._db.execute("INSERT OR REPLACE INTO state VALUES (1, ?)", (json.dumps(state),))
        self._db.execute("COMMIT")
        self._db.execute("BEGIN")


if __name__ == "__main__":
    streams, api_url, database = sys.argv[1:]
    engine.sync.writer.CHECKPOINT_ROWS = 100  # type: ignore[misc]
    destination = SqliteDestination(database)
    engine.sync.sync(connect(Path(streams), {"api_url": api_url}), destination.state(), destination, Lines())
