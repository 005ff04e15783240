"""SIGKILL at random moments: no row is lost, and few are sent twice."""

from __future__ import annotations

import json
import os
import random
import signal
import sqlite3
import subprocess
import sys
import time
from collections.abc import Callable
from contextlib import suppress
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from dev.testbed.history import PrefectApi, read_all
from dev.testbed.loopback import Loopback, Reply, Seen
from dev.testbed.prefect_server import PrefectServer
from dev.testbed.seed import Shape, seed
from engine.instants import format_instant
from tests import effort
from tests.fivetran.comparison import columns, differences, microseconds
from tests.killed_sync import CHECKPOINT_ROWS
from tests.reading.model import START, STREAMS, Model
from tests.readme import PROJECT
from tests.scenarios import RecordProperty
from tests.specs import edited, reconciled_by_every_sync

pytestmark = pytest.mark.long

RUNS, PAGE = (300, 5) if effort.quick else (4000, 40)  # many pages either way
KILLS = effort.cases(50)
PATIENCE = 0.15 if effort.quick else 0.35  # seconds in which a sync is killed
TICK = 20  # seeded runs per instant


class Killed:
    """Syncs that are killed, into one SQLite file that holds what they committed. A context manager."""

    def __init__(self, folder: Path, streams: str, api_url: str) -> None:
        self.folder = folder
        path = folder / "streams.yaml"
        path.write_text(streams, "utf-8")
        files = [str(folder / name) for name in ("warehouse.sqlite", "journal")]
        command = [sys.executable, "-m", "tests.killed_sync", str(path), api_url, *files]
        self._process = subprocess.Popen(
            command, cwd=PROJECT, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
        )

    def __enter__(self) -> Killed:
        return self

    def __exit__(self, *exception: object) -> None:
        _, errors = self._process.communicate()
        assert not errors, errors

    def kill_often(self, dice: random.Random, change: Callable[[], None]) -> None:
        """Kill KILLS syncs, each at a random moment after it began, and call ``change`` after each."""
        kills = 0
        while kills < KILLS:
            began = self._begin()
            time.sleep(dice.uniform(0, PATIENCE))
            with suppress(ProcessLookupError):
                os.kill(began, signal.SIGKILL)
            kills += self._ended() == -9
            change()

    def finish(self) -> None:
        """Run one sync to its end."""
        self._begin()
        assert self._ended() == 0

    def _begin(self) -> int:
        """Begin a sync; returns the id of its process."""
        assert self._process.stdin is not None
        self._process.stdin.write("sync\n")
        self._process.stdin.flush()
        return self._reported("began")

    def _ended(self) -> int:
        """The exit code of the sync, once it has ended."""
        return self._reported("ended")

    def _reported(self, event: str) -> int:
        assert self._process.stdout is not None and self._process.stderr is not None
        word, number = self._process.stdout.readline().split() or (None, 0)
        assert word == event, self._process.stderr.read()
        return int(number)

    def rows(self) -> dict[str, dict[str, dict[str, Any]]]:
        """The rows of each table by id, with ``_fivetran_deleted``."""
        found: dict[str, dict[str, dict[str, Any]]] = {}
        with sqlite3.connect(self.folder / "warehouse.sqlite") as db:
            for table, key, row, deleted in db.execute("SELECT * FROM rows"):
                found.setdefault(table, {})[key] = {**json.loads(row), "_fivetran_deleted": bool(deleted)}
        return found

    def journal(self, tables: set[str]) -> tuple[int, int]:
        """The number of rows of these tables that were sent, and of those sent again after their progress was saved."""
        sent = again = 0
        kept: set[str] = set()
        waiting: set[str] = set()
        for line in (self.folder / "journal").read_text("utf-8").splitlines():
            if line == "began":  # the sync before it was killed
                waiting = set()
            elif line == "kept":
                kept |= waiting
            elif line.split()[1] in tables:
                sent += 1
                again += line in kept
                waiting.add(line)
        return sent, again


def seed_of_the_test() -> int:
    """A random seed, printed; KILLS_SEED repeats it. The moments of the kills still depend on the clock."""
    number = int(os.environ.get("KILLS_SEED") or random.randrange(10**6))
    print(f"KILLS_SEED={number}")
    return number


@pytest.mark.scenario("kills-scripted")
def test_kills_lose_nothing(tmp_path: Path, record_property: RecordProperty) -> None:
    """A first sync of thousands of runs and the syncs after it, each killed, while the server changes."""
    number = seed_of_the_test()
    dice = random.Random(number)
    model = Model(cap=PAGE, now=START + timedelta(days=30))
    for index in range(RUNS):
        key = f"{(index * 7919) % 10007:05}-{index}"
        at = format_instant(START + timedelta(minutes=index // 3))
        run = {"id": key, "name": "", "state": "COMPLETED", "expected": at, "start": at, "end": at, "updated": at}
        model.runs[key] = run

    def answer(seen: Seen) -> Reply:
        reply = model.answer(seen)
        return Reply(reply.value, reply.status, headers=reply.headers, delay=0.004)

    def change() -> None:
        model.wait(60)
        for key in dice.sample(sorted(model.runs), 3):
            model.move(key, dice.choice(["RUNNING", "COMPLETED", "FAILED"]))
        model.make("COMPLETED", dice.randint(-40000, 0))

    with Loopback(answer) as server:
        text = edited(STREAMS, replace={"streams.runs.pagination.page_size": PAGE, "api.pagination.page_size": PAGE})
        with Killed(tmp_path, text, server.url) as killed:
            killed.kill_often(dice, change)
            model.wait(600)
            for _ in range(3):
                killed.finish()
                model.wait(86401)
    (rows,) = killed.rows().values()
    assert rows.keys() == model.runs.keys()
    for key, run in model.runs.items():
        assert rows[key]["state"] == run["state"], key
    sent, again = killed.journal({"runs"})
    print(sent, again)
    record_property("cases", KILLS)
    record_property("seed", number)


@pytest.mark.prefect
@pytest.mark.scenario("kills-real")
def test_kills_on_a_real_server_lose_nothing(tmp_path: Path, record_property: RecordProperty) -> None:
    """Prefect 3 with thousands of runs, every column compared. Rows are sent twice only since the last checkpoint."""
    number = seed_of_the_test()
    dice = random.Random(number)
    changes = 0
    with PrefectServer(3) as server:
        seed(server.database, Shape(runs=RUNS, flows=30, deployments=TICK, open_runs=90))
        api = PrefectApi(server.api_url)
        flow = api.call("POST", "/flows/filter", {"limit": 1})[0]["id"]

        def change() -> None:
            nonlocal changes
            page = {"limit": 5, "offset": dice.randrange(RUNS - 100), "sort": "ID_DESC"}
            runs = [run["id"] for run in api.call("POST", "/flow_runs/filter", page)]
            api.set_state(runs[0], {"type": dice.choice(("RUNNING", "COMPLETED", "FAILED"))})
            api.set_state(runs[1], {"type": "CANCELLED"})
            api.call("PATCH", f"/flow_runs/{runs[2]}", {"tags": [f"edited {changes}"]})
            api.make_flow_run({"flow_id": flow, "name": f"new {changes}", "state": {"type": "COMPLETED"}})
            scheduled = {"flow_runs": {"state": {"type": {"any_": ["SCHEDULED", "PENDING"]}}}, "limit": 1}
            for run in api.call("POST", "/flow_runs/filter", scheduled):
                api.call("DELETE", f"/flow_runs/{run['id']}")
            api.make_flow(f"new {changes}", [])
            changes += 5

        shipped = (PROJECT / "streams.yaml").read_text("utf-8")
        streams = edited(shipped, replace={"configuration.batch_size.default": str(PAGE)})
        with Killed(tmp_path, streams, server.api_url) as killed:
            killed.kill_often(dice, change)
            killed.finish()
        sent, again = killed.journal({"flow_runs", "flows"})
        print(f"{RUNS} runs, {changes} changes, {sent} rows sent, {again} of them again")
        change()  # of runs that were sent, however far the killed syncs came

        with Killed(tmp_path, reconciled_by_every_sync(streams), server.api_url) as reconciled:
            for _ in range(2):  # the round that had begun, and a whole one
                reconciled.finish()
        tables = reconciled.rows()
        for table in ("flow_runs", "flows", "deployments"):
            kinds = columns(table)
            rows = {key: {n: comparable(v, kinds.get(n)) for n, v in row.items()} for key, row in tables[table].items()}
            records = read_all(server.api_url, table)
            assert not differences(table, rows, records)
            gone = rows.keys() - {record["id"] for record in records}
            assert all(rows[key]["_fivetran_deleted"] for key in gone)  # change() deletes open runs only
            assert bool(gone) == (table == "flow_runs")
    # A pass resumes at an instant, with all runs of that instant.
    assert again <= KILLS * TICK
    assert sent <= RUNS + changes + KILLS * (CHECKPOINT_ROWS + PAGE + TICK)
    record_property("cases", KILLS)
    record_property("seed", number)


def comparable(value: Any, column: tuple[str, Any] | None) -> Any:
    """A value as the comparison expects it: the file holds instants as strings."""
    return microseconds(datetime.fromisoformat(value)) if value and column and column[0] == "UTC_DATETIME" else value
