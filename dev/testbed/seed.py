"""Fills a Prefect server's own database with a history, thousands of runs a second, which its API could not.

    python -m dev.testbed.seed DATABASE RUNS

DATABASE is ``sqlite:///PATH`` or ``postgresql://...`` (:attr:`PrefectServer.database`). The server must have been
started on it once, for the tables; it may go on running, with its background services off. Which columns there are is
read from the database, so that Prefect 2 and 3 are both served. PostgreSQL is filled through psql, as a superuser.
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
LATEST: Final = timedelta(seconds=20)  # start after the time that was expected
LONGEST: Final = timedelta(minutes=15)
_EPOCH: Final = datetime(1970, 1, 1, tzinfo=timezone.utc)

Row = dict[str, Any]


@dataclass(frozen=True, kw_only=True)
class Shape:
    """What the history is like.

    Its runs are spread evenly over ``days`` before ``until`` (now). Nine of ten belong to a deployment; the
    deployments' schedules tick together, so almost as many runs as there are deployments share an
    ``expected_start_time``. 93.5 % completed, 4 % failed, 1.5 % crashed, 1 % were cancelled, half of these before they
    started; the last ``open_runs`` are RUNNING, PENDING or SCHEDULED in the future.
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
        sqlite3.Error, RuntimeError: the database refused; the message holds its words.
    """
    path = database.removeprefix("sqlite:///")
    with closing(_Sqlite(path) if path != database else _Postgres(database)) as tables:
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
    row: Row = {"id": _uuid(dice), "created": at, "updated": at, "name": f"seeded-flow-{number:05}"}
    return row | {"tags": json.dumps(["seeded", f"team-{number % 7}"]), "labels": "{}"}


def _deployment(dice: random.Random, number: int, at: datetime, flows: Sequence[Row]) -> Row:
    row: Row = {"id": _uuid(dice), "created": at, "updated": at, "name": f"seeded-deployment-{number:05}"}
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
    """Each run and its state."""
    abreast = max(1, len(deployments))
    tick = (until - LATEST - LONGEST - began) / max(1, shape.runs / abreast)  # nothing ends in the future
    policy = json.dumps({"retries": 0, "retry_delay": 0, "pause_keys": [], "resuming": False})
    for number in range(shape.runs):
        deployment = deployments[number % abreast] if deployments and dice.random() < 0.9 else None
        flow = deployment["flow_id"] if deployment else flows[number % len(flows)]["id"]
        expected = began + number // abreast * tick
        expected = expected.replace(microsecond=0) if deployment else expected + dice.random() * tick
        kind, start, end = _outcome(dice, number, shape, expected)
        if kind == "SCHEDULED":
            expected = (until + timedelta(minutes=number % 5000 + 60)).replace(microsecond=0)
        ended = until if kind == "SCHEDULED" else end or start or expected
        key, state = _uuid(dice), _uuid(dice)
        yield (
            {
                "id": key,
                "created": min(expected, until),
                "updated": ended,
                "name": f"seeded-{number:07}",
                "state_id": state,
                "state_type": kind,
                "state_name": kind.capitalize(),
                "state_timestamp": ended,
                "run_count": int(start is not None),
                "expected_start_time": expected,
                "next_scheduled_start_time": expected if kind == "SCHEDULED" else None,
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
                "type": kind,
                "timestamp": ended,
                "name": kind.capitalize(),
                "message": "All states completed." if kind == "COMPLETED" else None,
                "state_details": json.dumps({"flow_run_id": key, "scheduled_time": expected.isoformat()}),
                "flow_run_id": key,
            },
        )


def _outcome(
    dice: random.Random, number: int, shape: Shape, expected: datetime
) -> tuple[str, datetime | None, datetime | None]:
    """The type of a run's state, and when it started and ended, if it did."""
    start = expected + dice.uniform(0.01, 1) * LATEST
    if number >= shape.runs - shape.open_runs:
        kind = ("RUNNING", "PENDING", "SCHEDULED")[number % 3]
        return kind, start if kind == "RUNNING" else None, None
    kind = dice.choices(("COMPLETED", "FAILED", "CRASHED", "CANCELLED"), (93.5, 4, 1.5, 1))[0]
    if kind == "CANCELLED" and number % 2:
        return kind, None, None  # never started: without an end, as Prefect before 3.6.14 leaves them
    return kind, start, start + dice.uniform(0.001, 1) * LONGEST


def _uuid(dice: random.Random) -> str:
    """A random UUID (version 4)."""
    digits = f"{dice.getrandbits(128):032x}"
    return f"{digits[:8]}-{digits[8:12]}-4{digits[13:16]}-a{digits[17:20]}-{digits[20:]}"


class _Tables(Protocol):
    def insert(self, table: str, rows: Sequence[Row]) -> None:
        """Insert rows, which all have the same columns; those that the table does not have are left out."""

    def close(self) -> None:
        """Make everything durable."""


class _Sqlite:
    def __init__(self, path: str) -> None:
        self._db = sqlite3.connect(path, timeout=120)
        self._db.execute("PRAGMA synchronous = off")
        self._db.execute("PRAGMA cache_size = -400000")  # KiB: the indexes of random ids stay in memory
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
    """As SQLAlchemy stores it: instants in UTC without saying so, durations as instants after the epoch."""
    if isinstance(value, timedelta):
        value = _EPOCH + value
    if isinstance(value, datetime):
        return value.replace(tzinfo=None).isoformat(" ", "microseconds")
    return value


class _Postgres:
    """One psql that reads COPY commands with their rows, as pg_restore's scripts have them."""

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
        # Runs and states refer to each other, and no foreign key here can be broken: no checks.
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
        self._write(["ANALYZE;\n"])  # which autovacuum would do a minute later
        _, said = self._psql.communicate()
        if self._psql.returncode:
            raise RuntimeError(said.strip())

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
        raise RuntimeError("there is no psql in PATH: install PostgreSQL's client")
    return found


def _copied(value: Any) -> str:
    """In COPY's text format."""
    if value is None:
        return r"\N"
    if isinstance(value, datetime):
        return value.isoformat()
    if isinstance(value, timedelta):
        return f"{value.total_seconds()} s"
    return str(value).replace("\\", r"\\").replace("\t", r"\t").replace("\n", r"\n")


def main() -> None:
    """The command line."""
    parser = argparse.ArgumentParser(prog="python -m dev.testbed.seed", description="Fill a Prefect server's database.")
    parser.add_argument("database", help="sqlite:///PATH or postgresql://...")
    parser.add_argument("runs", type=int, help="how many flow runs")
    parser.add_argument("--flows", type=int, default=Shape.flows)
    parser.add_argument("--deployments", type=int, default=Shape.deployments)
    parser.add_argument("--open", type=int, default=Shape.open_runs, help="how many of the runs are open")
    parser.add_argument("--days", type=float, default=Shape.days, help="over how many days before now")
    parser.add_argument("--seed", type=int, default=Shape.seed)
    given = parser.parse_args()
    began = time.monotonic()
    seed(
        given.database,
        Shape(
            runs=given.runs,
            flows=given.flows,
            deployments=given.deployments,
            open_runs=given.open,
            days=given.days,
            seed=given.seed,
        ),
    )
    print(f"{given.runs:,} runs in {time.monotonic() - began:.1f} s")


if __name__ == "__main__":
    main()
