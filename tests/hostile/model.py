"""The API that tests/hostile/streams.yaml reads: runs and their steps, notes, pools and their queues, and tags."""

from __future__ import annotations

from pathlib import Path
from random import Random
from typing import Final

from dev.testbed.loopback import Seen
from tests.hostile.api import Api, newest_first

STREAMS: Final = (Path(__file__).parent / "streams.yaml").read_text("utf-8")
TABLES: Final = ("runs", "steps", "notes", "pools", "queues", "tags")
OPEN: Final = ("SCHEDULED", "RUNNING")
FINAL: Final = ("COMPLETED", "FAILED")


class Model(Api):
    """An API of runs. It hides what real servers hide: the end of a run is set once, and an edit leaves it alone."""

    def __init__(self, cap: int = 4) -> None:
        super().__init__({name: {} for name in (*TABLES, "events")}, cap=cap)
        self.orders = {
            "pools": lambda row: newest_first(row["heartbeat"]),
            "queues": lambda row: row["priority"],
        }

    def fill(self) -> None:
        """Make a few rows of each kind, and let an hour pass."""
        for state in ("COMPLETED", "FAILED", "COMPLETED", "COMPLETED", "FAILED", "RUNNING", "SCHEDULED"):
            self.make_run(state)
            self.wait(60)
        for _ in range(6):
            self.add("notes")
            self.add("tags")
        for _ in range(2):
            self.make_pool()
        self.wait(3600)

    def filled(self) -> Model:
        """The same model with a few rows of each kind."""
        self.fill()
        return self

    def make_run(self, state: str = "COMPLETED", *, minutes: float = 0, steps: int = 1, **values: object) -> str:
        """Create a run that was or will be expected to start some minutes from now."""
        ended = self.at() if state in FINAL else None
        run = self.add(
            "runs", **{"state": state, "ended": ended, "paused": None, "expected": self.at(minutes=-minutes), **values}
        )
        for _ in range(steps):
            self.add("steps", run_id=run)
        return run

    def move_run(self, run: str, state: str) -> None:
        """Set a run's state, which adds a step and an event."""
        ended = self.tables["runs"][run]["ended"] or (self.at() if state in FINAL else None)
        self.change("runs", run, state=state, ended=ended if state in FINAL else None)
        self.add("steps", run_id=run)
        self.notify(f"run.{run}")

    def edit_run(self, run: str) -> None:
        """Change a run in a way that no query finds."""
        self.change("runs", run)

    def delete_run(self, run: str) -> None:
        """Delete a run with its steps."""
        del self.tables["runs"][run]
        self.tables["steps"] = {key: row for key, row in self.tables["steps"].items() if row["run_id"] != run}

    def make_pool(self, queues: int = 2) -> str:
        """Create a pool with queues."""
        pool = self.add("pools", name=f"pool {self.made}", heartbeat=self.at())
        for _ in range(queues):
            self.make_queue(pool)
        return pool

    def make_queue(self, pool: str) -> str:
        """Create a queue of a pool."""
        return self.add("queues", parent_name=self.tables["pools"][pool]["name"], priority=self.made)

    def beat(self, pool: str) -> None:
        """Let a pool send its heartbeat, which moves it to the front of the list and is no change of its row."""
        self.tables["pools"][pool] = {**self.tables["pools"][pool], "heartbeat": self.at()}

    def shuffle(self, table: str, dice: Random, share: float) -> None:
        """Sometimes, move a pool by its heartbeat or a queue by its priority."""
        if dice.random() >= share:
            return
        key = dice.choice(sorted(self.tables[table]))
        self.wait(1)
        if table == "pools":
            self.beat(key)
        else:
            self.tables["queues"][key] = {**self.tables["queues"][key], "priority": dice.randrange(self.made)}


def paused_query(seen: Seen) -> bool:
    """Whether a request is the optional query."""
    return "paused" in ((seen.json or {}).get("runs") or {})
