"""SIGKILL at random moments: nothing is lost, and little is read or sent twice."""

from __future__ import annotations

import json
import random
import sqlite3
import subprocess
import sys
import time
from datetime import timedelta
from pathlib import Path

from engine.instants import format_instant
from testbed.loopback import Loopback, Reply, Seen
from tests.reading.model import START, STREAMS, Model
from tests.readme import PROJECT

RUNS = 4000
KILLS = 50


def test_fifty_kills_lose_nothing(tmp_path: Path) -> None:
    """A first sync of thousands of runs, and the syncs after it, each killed somewhere, while the server changes."""
    seed = random.randrange(10**6)
    print(f"seed {seed}")
    dice = random.Random(seed)
    model = Model(cap=40, now=START + timedelta(days=30))
    for number in range(RUNS):
        key = f"{(number * 7919) % 10007:05}-{number}"
        at = format_instant(START + timedelta(minutes=number // 3))
        run = {"id": key, "name": "", "state": "COMPLETED", "expected": at, "start": at, "end": at, "updated": at}
        model.runs[key] = run

    def answer(seen: Seen) -> Reply:
        reply = model.answer(seen)
        return Reply(reply.value, reply.status, headers=reply.headers, delay=0.004)

    streams = tmp_path / "streams.yaml"
    streams.write_text(STREAMS.replace("page_size: 4", "page_size: 40"), "utf-8")
    database = tmp_path / "warehouse.sqlite"
    with Loopback(answer) as server:
        command = [sys.executable, "-m", "tests.killed_sync", str(streams), server.url, str(database)]
        kills = 0
        while kills < KILLS:
            with subprocess.Popen(command, cwd=PROJECT, stderr=subprocess.PIPE) as process:
                time.sleep(dice.uniform(0.15, 0.7))
                process.kill()
                assert process.stderr is not None
                said = process.stderr.read().decode()
            assert not said, said
            kills += process.returncode == -9
            model.wait(60)
            for key in dice.sample(sorted(model.runs), 3):
                model.move(key, dice.choice(["RUNNING", "COMPLETED", "FAILED"]))
            model.make("COMPLETED", dice.randint(-40000, 0))
        model.wait(600)
        for _ in range(3):
            subprocess.run(command, cwd=PROJECT, check=True)
            model.wait(86401)
    with sqlite3.connect(database) as db:
        rows = {key: (json.loads(row), sent) for key, row, sent in db.execute("SELECT id, row, sent FROM rows")}
    assert rows.keys() == model.runs.keys()
    for key, run in model.runs.items():
        assert rows[key][0]["state"] == run["state"], key
    changed = {event["run"] for event in model.events}
    again = sum(sent - 1 for key, (_, sent) in rows.items() if f"run.{key}" not in changed)
    assert again <= KILLS * 40  # at most a page for each kill
