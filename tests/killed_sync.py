"""Syncs into an SQLite file, each a process that a test can kill. Rows and state become durable together.

    python -m tests.killed_sync STREAMS API_URL DATABASE JOURNAL

For each line on standard input the process forks one sync, prints ``began PID`` and, once the sync is over,
``ended STATUS``, in the form of os.waitstatus_to_exitcode. So no sync waits for an interpreter to start.

The journal is written outside the transaction, line by line: ``began``, ``sent TABLE ID VERSION``, and ``kept`` for a
checkpoint that moved the progress of a stream. It shows what a killed sync had sent in vain.
"""

from __future__ import annotations

import json
import os
import sqlite3
import sys
from pathlib import Path
from typing import Any

from engine.spec.load import resolve
from engine.state import fingerprint
from engine.sync import sync
from tests.shop import Lines

CHECKPOINT_ROWS = 100


class SqliteDestination:
    """Tables as JSON rows; a checkpoint commits."""

    def __init__(self, path: str, journal: str) -> None:
        self._journal = os.open(journal, os.O_WRONLY | os.O_APPEND | os.O_CREAT)
        self._db = sqlite3.connect(path, isolation_level=None)
        self._db.execute(
            'CREATE TABLE IF NOT EXISTS rows ("table" TEXT, id TEXT, row TEXT, deleted INTEGER, '
            'PRIMARY KEY ("table", id))'
        )
        self._db.execute("CREATE TABLE IF NOT EXISTS state (one INTEGER PRIMARY KEY, document TEXT)")
        self._progress = _progress(self.state())
        self._db.execute("BEGIN")
        self._note("began")

    def state(self) -> Any:
        """The state of the last checkpoint."""
        found = self._db.execute("SELECT document FROM state").fetchone()
        return json.loads(found[0]) if found else {}

    def upsert(self, table: str, data: dict[str, Any]) -> None:
        """Insert or replace."""
        self._note(f"sent {table} {data['id']} {fingerprint(data).hex()}")
        row = json.dumps(data, default=str)
        self._db.execute("INSERT OR REPLACE INTO rows VALUES (?, ?, ?, 0)", (table, data["id"], row))

    def delete(self, table: str, keys: dict[str, Any]) -> None:
        """Soft-delete a row."""
        self._db.execute('UPDATE rows SET deleted = 1 WHERE "table" = ? AND id = ?', (table, keys["id"]))

    def truncate(self, table: str) -> None:
        """Soft-delete all rows."""
        self._db.execute('UPDATE rows SET deleted = 1 WHERE "table" = ?', (table,))

    def checkpoint(self, state: dict[str, Any]) -> None:
        """Commit the rows and the state."""
        self._db.execute("INSERT OR REPLACE INTO state VALUES (1, ?)", (json.dumps(state),))
        self._db.execute("COMMIT")
        if _progress(state) != self._progress:
            self._progress = _progress(state)
            self._note("kept")
        self._db.execute("BEGIN")

    def _note(self, line: str) -> None:
        os.write(self._journal, f"{line}\n".encode())


def _progress(state: dict[str, Any]) -> Any:
    return {name: (stream.get("since"), stream.get("pass")) for name, stream in state.get("streams", {}).items()}


if __name__ == "__main__":
    streams, api_url, database, journal = sys.argv[1:]
    resolved = resolve(Path(streams), {"api_url": api_url})
    for _ in sys.stdin:
        if child := os.fork():
            _, status = os.waitpid(child, 0)
            print(f"ended {os.waitstatus_to_exitcode(status)}", flush=True)
            continue
        destination = SqliteDestination(database, journal)
        print(f"began {os.getpid()}", flush=True)
        sync(resolved, destination.state(), destination, Lines(), checkpoint_rows=CHECKPOINT_ROWS)
        break
