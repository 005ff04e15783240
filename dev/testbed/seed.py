"""Fills a Prefect server's database with a history: thousands of runs per second, which its API cannot do.

    python -m dev.testbed.seed DATABASE RUNS

DATABASE is ``sqlite:///PATH`` or ``postgresql://...`` (:attr:`PrefectServer.database`). The server must have been
started on it once, to create the tables; it may keep running, with its background services off. The columns are read
from the database, so this works for Prefect 2 and 3. PostgreSQL is filled through psql, as a superuser.
"""

from __future__ import annotations

import argparse
import itertools
import json
import random
import shutil
import sqlite3
import subprocess
import time
from collections.abc import Iterable, Iterator, Sequence
from contextlib import closing
from dataclasses import dataclass
from datetime import datetime, timedelta, timezone
from typing import Any, Final, Protocol

BATCH: Final = 10_000  # runs
LATEST: Final = timedelta(seconds=20)  # of a start after its expected time
LONGEST: Final = timedelta(minutes=15)
_EPOCH: Final = datetime(1970, 1, 1, tzinfo=timezone.utc)

Row = dict[str, Any]


@dataclass(frozen=True, kw_only=True)
class Shape:
    """The form of the history.

    The runs are spread evenly over the ``days`` before ``until`` (default: now). Nine of ten belong to a deployment.
    All deployments start their runs at the same time, so almost as many runs as there are deployments share an
    ``expected_start_time``. 93.5 % completed, 4 % failed, 1.5 % crashed, and 1 % were cancelled, half of these before
    they started. The last ``open_runs`` are RUNNING, PENDING or SCHEDULED in the future.
    """

    runs: int
    flows: int = 50
    deployments: int = 100
    open_runs: int = 100
    days: float = 90
    until: datetime | None = None
    seed: int = 1


def seed(database: str, shape: Shape) -> None:
    """Insert the flows, deployments and runs of a shape.

    Raises:
        sqlite3.Error, RuntimeError: the database rejected a row; the message is its own.
    """
    with closing(tables_of(database)) as tables:
        dice = random.Random(shape.seed)
        until = shape.until or datetime.now(timezone.utc)
        began = until - timedelta(days=shape.days)
        flows = [_flow(dice, number, began) for number in range(shape.flows)]
        deployments = [_deployment(dice, number, began, flows) for number in range(shape.deployments)]
        tables.insert("flow", flows)
        tables.insert("deployment", deployments)
        history = _runs(dice, shape, began, until, flows, deployments)
        while batch := list(itertools.islice(history, BATCH)):
            tables.insert("flow_run", [run for run, _ in batch])
            tables.insert("flow_run_state", [state for _, state in batch])


def _flow(dice: random.Random, number: int, at: datetime) -> Row:
    row: Row = {"id": new_id(dice), "created": at, "updated": at, "name": f"seeded-flow-{number:05}"}
    return row | {"tags": json.dumps(["seeded", f"team-{number % 7}"]), "labels": "{}"}


def _deployment(dice: random.Random, number: int, at: datetime, flows: Sequence[Row]) -> Row:
    row: Row = {"id": new_id(dice), "created": at, "updated": at, "name": f"seeded-deployment-{number:05}"}
    row |= {"flow_id": flows[number % len(flows)]["id"], "path": ".", "entrypoint": "flow.py:main", "status": "READY"}
    row |= {"tags": "[]", "labels": "{}", "parameters": json.dumps({"number": number}), "infra_overrides": "{}"}
    return row | {"paused": True, "is_schedule_active": False, "enforce_parameter_schema": False}


def _runs(
    dice: random.Random,
    shape: Shape,
    began: datetime,
    until: datetime,
    flows: Sequence[Row],
    deployments: Sequence[Row],
) -> Iterator[tuple[Row, Row]]:
    """Yield each run and its state."""
    per_tick = max(1, len(deployments))
    tick = (until - LATEST - LONGEST - began) / max(1, shape.runs / per_tick)  # nothing ends in the future
    policy = json.dumps({"retries": 0, "retry_delay": 0, "pause_keys": [], "resuming": False})
    for number in range(shape.runs):
        deployment = deployments[number % per_tick] if deployments and dice.random() < 0.9 else None
        flow = deployment["flow_id"] if deployment else flows[number % len(flows)]["id"]
        expected = began + number // per_tick * tick
        expected = expected.replace(microsecond=0) if deployment else expected + dice.random() * tick
        state_type, start, end = _outcome(dice, number, shape, expected)
        if state_type == "SCHEDULED":
            expected = (until + timedelta(minutes=number % 5000 + 60)).replace(microsecond=0)
        ended = until if state_type == "SCHEDULED" else end or start or expected
        key, state = new_id(dice), new_id(dice)
        yield (
            {
                "id": key,
                "created": min(expected, until),
                "updated": ended,
                "name": f"seeded-{number:07}",
                "state_id": state,
                "state_type": state_type,
                "state_name": state_type.capitalize(),
                "state_timestamp": ended,
                "run_count": int(start is not None),
                "expected_start_time": expected,
                "next_scheduled_start_time": expected if state_type == "SCHEDULED" else None,
                "start_time": start,
                "end_time": end,
                "total_run_time": end - start if start and end else timedelta(0),
                "flow_version": f"{number % 13:x}",
                "parameters": json.dumps({"day": f"{expected:%Y-%m-%d}", "region": "eu-west-1", "number": number}),
                "context": "{}",
                "empirical_policy": policy,
                "tags": '["seeded"]' if number % 3 else '["seeded", "prod"]',
                "labels": json.dumps({"prefect.flow.id": flow}),
                "job_variables": "{}",
                "auto_scheduled": deployment is not None,
                "flow_id": flow,
                "deployment_id": deployment and deployment["id"],
            },
            {
                "id": state,
                "created": ended,
                "updated": ended,
                "type": state_type,
                "timestamp": ended,
                "name": state_type.capitalize(),
                "message": "All states completed." if state_type == "COMPLETED" else None,
                "state_details": json.dumps({"flow_run_id": key, "scheduled_time": expected.isoformat()}),
                "flow_run_id": key,
            },
        )


def _outcome(
    dice: random.Random, number: int, shape: Shape, expected: datetime
) -> tuple[str, datetime | None, datetime | None]:
    """The type of a run's state, and when the run started and ended (None: it did not)."""
    start = expected + dice.uniform(0.01, 1) * LATEST
    if number >= shape.runs - shape.open_runs:
        state_type = ("RUNNING", "PENDING", "SCHEDULED")[number % 3]
        return state_type, start if state_type == "RUNNING" else None, None
    state_type = dice.choices(("COMPLETED", "FAILED", "CRASHED", "CANCELLED"), (93.5, 4, 1.5, 1))[0]
    if state_type == "CANCELLED" and number % 2:
        return state_type, None, None  # never started, and no end_time, as in Prefect before 3.6.14
    return state_type, start, start + dice.uniform(0.001, 1) * LONGEST


def new_id(dice: random.Random) -> str:
    """A random UUID (version 4)."""
    digits = f"{dice.getrandbits(128):032x}"
    return f"{digits[:8]}-{digits[8:12]}-4{digits[13:16]}-a{digits[17:20]}-{digits[20:]}"


class Tables(Protocol):
    """The tables of a Prefect server's database."""

    def insert(self, table: str, rows: Sequence[Row]) -> None:
        """Insert rows, which all have the same columns. Columns that the table does not have are skipped."""

    def close(self) -> None:
        """Make all rows durable."""


def tables_of(database: str) -> Tables:
    """The tables of a database, ``sqlite:///PATH`` or ``postgresql://...``."""
    path = database.removeprefix("sqlite:///")
    return _Sqlite(path) if path != database else _Postgres(database)


class _Sqlite:
    def __init__(self, path: str) -> None:
        self._db = sqlite3.connect(path, timeout=120)
        self._db.execute("PRAGMA synchronous = off")
        self._db.execute("PRAGMA cache_size = -400000")  # KiB, so that the indexes of random ids stay in memory
        self._columns: dict[str, list[str]] = {}

    def insert(self, table: str, rows: Sequence[Row]) -> None:
        if not rows:
            return
        if table not in self._columns:
            known = {name for _, name, *_ in self._db.execute(f"PRAGMA table_info({table})")}
            self._columns[table] = [name for name in rows[0] if name in known]
        columns = self._columns[table]
        marks = ", ".join("?" * len(columns))
        with self._db:  # one transaction
            self._db.executemany(
                f"INSERT INTO {table} ({', '.join(columns)}) VALUES ({marks})",
                ([_sqlite(row[name]) for name in columns] for row in rows),
            )

    def close(self) -> None:
        self._db.close()


def _sqlite(value: Any) -> Any:
    """A value as SQLAlchemy stores it: instants in UTC without an offset, durations as instants after the epoch."""
    if isinstance(value, timedelta):
        value = _EPOCH + value
    if isinstance(value, datetime):
        return value.replace(tzinfo=None).isoformat(" ", "microseconds")
    return value


class _Postgres:
    """One psql process that reads COPY commands and their rows, as in a script of pg_dump."""

    def __init__(self, url: str) -> None:
        self._url = url
        self._columns: dict[str, list[str]] = {}
        self._psql = subprocess.Popen(
            [_psql(), "-X", "-q", "-v", "ON_ERROR_STOP=1", url],
            stdin=subprocess.PIPE,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
            text=True,
            encoding="utf-8",
        )
        # Runs and states reference each other. All keys here are valid, so PostgreSQL need not check them.
        self._write(["SET session_replication_role = replica;\n"])

    def insert(self, table: str, rows: Sequence[Row]) -> None:
        if not rows:
            return
        if table not in self._columns:
            known = self._known(table)
            self._columns[table] = [name for name in rows[0] if name in known]
        columns = self._columns[table]
        self._write([f"COPY {table} ({', '.join(columns)}) FROM STDIN;\n"])
        self._write("\t".join([_copied(row[name]) for name in columns]) + "\n" for row in rows)
        self._write(["\\.\n"])

    def close(self) -> None:
        self._write(["ANALYZE;\n"])  # autovacuum would do so a minute later
        _, errors = self._psql.communicate()
        if self._psql.returncode:
            raise RuntimeError(errors.strip())

    def _known(self, table: str) -> set[str]:
        sql = f"SELECT column_name FROM information_schema.columns WHERE table_name = '{table}'"
        done = subprocess.run([_psql(), "-X", "-A", "-t", "-c", sql, self._url], capture_output=True, text=True)
        if done.returncode:
            raise RuntimeError(done.stderr.strip())
        return set(done.stdout.split())

    def _write(self, lines: Iterable[str]) -> None:
        assert self._psql.stdin is not None
        try:
            self._psql.stdin.writelines(lines)
        except BrokenPipeError:
            raise RuntimeError(self._psql.communicate()[1].strip()) from None


def _psql() -> str:
    found = shutil.which("psql")
    if found is None:
        raise RuntimeError("psql is not in PATH: install PostgreSQL's client")
    return found


def _copied(value: Any) -> str:
    """A value in COPY's text format."""
    if value is None:
        return r"\N"
    if isinstance(value, datetime):
        return value.isoformat()
    if isinstance(value, timedelta):
        return f"{value.total_seconds()} s"
    return str(value).replace("\\", r"\\").replace("\t", r"\t").replace("\n", r"\n")


def main() -> None:
    """Run the command line."""
    parser = argparse.ArgumentParser(prog="python -m dev.testbed.seed", description="Fill a Prefect server's database.")
    parser.add_argument("database", help="sqlite:///PATH or postgresql://...")
    parser.add_argument("runs", type=int, help="number of flow runs")
    parser.add_argument("--flows", type=int, default=Shape.flows)
    parser.add_argument("--deployments", type=int, default=Shape.deployments)
    parser.add_argument("--open", type=int, default=Shape.open_runs, help="number of open runs")
    parser.add_argument("--days", type=float, default=Shape.days, help="days before now that the runs span")
    parser.add_argument("--seed", type=int, default=Shape.seed)
    given = parser.parse_args()
    began = time.monotonic()
    counts = {"runs": given.runs, "flows": given.flows, "deployments": given.deployments, "open_runs": given.open}
    seed(given.database, Shape(**counts, days=given.days, seed=given.seed))
    print(f"{given.runs:,} runs in {time.monotonic() - began:.1f} s")


if __name__ == "__main__":
    main()
