"""Four weeks of a small data team's runs, written into the database of the demo's server.

They hold what a report should find: a flow that gets slower, a deployment that has failed for days, an outage, nights
in which runs wait for a slot, and runs that are stuck. Times are relative to now; everything else depends on the seed.
"""

from __future__ import annotations

import heapq
import json
import math
import random
from collections.abc import Iterator, Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from pathlib import Path
from typing import Final, NamedTuple

import yaml

from dev.testbed.seed import Row, new_id, tables_of

DAYS: Final = 28
SLOTS: Final[Mapping[str, int]] = {"kubernetes": 2, "process": 8}
"""The work pools, and how many runs each has at a time."""
SEED: Final = 3
"""With this one, build-warehouse is what gets slower, at whichever hour of a week the demo runs."""
_FINAL: Final = ("COMPLETED", "FAILED", "CRASHED", "CANCELLED")
_SECOND: Final = timedelta(seconds=1)
_OUTAGE: Final = (timedelta(days=9), timedelta(days=8, hours=18))  # before now
_BROKEN: Final = timedelta(days=4)  # before now
_CRASHES: Final = 0.004
_CANCELLED: Final = 0.004
_RETRIES: Final = 0.03
_SPREAD: Final = 0.12  # of durations, as the standard deviation of their logarithms
_ADJECTIVES: Final = ("amber", "brave", "calm", "dusty", "eager", "fuzzy", "gentle", "hasty", "ivory", "jolly", "keen")
_ANIMALS: Final = ("otter", "heron", "lynx", "marten", "newt", "ibex", "wren", "badger", "crane", "dingo", "eland")


@dataclass(frozen=True, kw_only=True)
class Workload:
    """A deployment of a flow, and what its runs are like. workloads.yaml says what the fields are."""

    flow: str
    deployment: str
    pool: str
    hours: Sequence[int]
    minutes: float
    tasks: Mapping[str, float]
    tags: Sequence[str]
    fails: float = 0.0
    grows: float = 0.0
    weekdays: bool = False
    broken: bool = False


class State(NamedTuple):
    """A state that a run entered."""

    at: datetime
    type: str
    name: str
    message: str | None = None


@dataclass(frozen=True)
class Run:
    """A run of a workload, and the states that it went through, oldest first."""

    workload: Workload
    expected: datetime
    states: list[State] = field(default_factory=list)

    def enter(self, at: datetime, state_type: str, name: str = "", message: str | None = None) -> None:
        """Add a state."""
        self.states.append(State(at, state_type, name or state_type.capitalize(), message))

    @property
    def started(self) -> datetime | None:
        """When it first ran. None if it has not."""
        return next((state.at for state in self.states if state.type == "RUNNING"), None)

    @property
    def ended(self) -> datetime | None:
        """When it reached a final state. None if it has not."""
        return self.states[-1].at if self.states[-1].type in _FINAL else None


def workloads() -> list[Workload]:
    """The workloads of workloads.yaml."""
    listed = yaml.safe_load(Path(__file__).with_name("workloads.yaml").read_text("utf-8"))
    return [Workload(**one) for one in listed]


def history(now: datetime, dice: random.Random) -> list[Run]:
    """The runs of the last weeks, up to now."""
    began = now - timedelta(days=DAYS)
    free = {pool: [began] * slots for pool, slots in SLOTS.items()}
    due = [_run(dice, now, workload, at, free[workload.pool]) for at, workload in _schedule(began, now)]
    return [*due, *_stuck(now), *_upcoming(now)]


def _schedule(began: datetime, ended: datetime) -> list[tuple[datetime, Workload]]:
    midnight, all_workloads = began.replace(hour=0, minute=0, second=0, microsecond=0), workloads()
    times = [
        (midnight + timedelta(days=day, hours=hour), workload)
        for day in range((ended - midnight).days + 1)
        for workload in all_workloads
        for hour in workload.hours
        if not workload.weekdays or (midnight + timedelta(days=day)).weekday() < 5
    ]
    return sorted((time for time in times if began <= time[0] < ended), key=lambda time: time[0])


def _upcoming(now: datetime) -> list[Run]:
    """The runs of the next day, which Prefect's scheduler has made."""
    runs = [Run(workload, at) for at, workload in _schedule(now, now + timedelta(days=1))]
    for run in runs:
        run.enter(now - timedelta(hours=1), "SCHEDULED")
    return runs


def _run(dice: random.Random, now: datetime, workload: Workload, expected: datetime, free: list[datetime]) -> Run:
    """Simulate a run, which starts once a worker finds it and its pool has a free slot."""
    run = Run(workload, expected)
    found = expected + dice.uniform(2, 12) * _SECOND
    start = max(found, heapq.heappop(free) + dice.uniform(2, 9) * _SECOND)
    run.enter(expected - timedelta(hours=1), "SCHEDULED")
    if start > found:
        run.enter(found, "SCHEDULED", "AwaitingConcurrencySlot")
    elif start > expected + 10 * _SECOND:
        run.enter(expected + 8 * _SECOND, "SCHEDULED", "Late")
    run.enter(start - _SECOND, "PENDING")
    run.enter(start, "RUNNING")
    _finish(dice, now, run, start)
    heapq.heappush(free, run.states[-1].at)
    run.states[:] = [state for state in run.states if state.at <= now]  # what has happened by now
    return run


def _finish(dice: random.Random, now: datetime, run: Run, start: datetime) -> None:
    workload, age = run.workload, now - run.expected
    if _OUTAGE[0] > age > _OUTAGE[1] and dice.random() < 0.6:
        run.enter(start + 31 * _SECOND, "FAILED", message="OperationalError: the warehouse refused the connection")
        return
    grown = 1 + workload.grows * (1 - age / timedelta(days=DAYS))
    end = start + timedelta(minutes=workload.minutes * grown * math.exp(dice.gauss(0, _SPREAD)))
    if dice.random() < _RETRIES:
        run.enter(end, "SCHEDULED", "AwaitingRetry", "Retry after an error.")
        run.enter(end + 30 * _SECOND, "RUNNING", "Retrying")
        end += (end - start) + 30 * _SECOND
    if workload.broken and age < _BROKEN:
        run.enter(end, "FAILED", message="KeyError: 'net_revenue'")
    elif dice.random() < _CRASHES:
        run.enter(end, "CRASHED", message="Flow run infrastructure exited with non-zero status code 137.")
    elif dice.random() < _CANCELLED:
        run.enter(end, "CANCELLED")
    elif dice.random() < workload.fails:
        run.enter(end, "FAILED", message="ValueError: an upstream file is empty")
    else:
        run.enter(end, "COMPLETED", message="All states completed.")


def _stuck(now: datetime) -> list[Run]:
    """A run whose worker is gone, one that waits for its infrastructure, and one that no worker has taken."""
    by_name = {(one.flow, one.deployment): one for one in workloads()}
    zombie = Run(by_name["sync-crm", "hubspot"], now - timedelta(hours=31))
    pending = Run(by_name["export-invoices", "globex"], now - timedelta(hours=5))
    late = Run(by_name["fetch-rates", "every-3h"], now - timedelta(minutes=95))
    for run in (zombie, pending):
        run.enter(run.expected - timedelta(hours=1), "SCHEDULED")
        run.enter(run.expected + 4 * _SECOND, "PENDING")
    zombie.enter(zombie.expected + 6 * _SECOND, "RUNNING")
    late.enter(late.expected + 8 * _SECOND, "SCHEDULED", "Late")
    return [zombie, pending, late]


def rows(now: datetime, seed: int = SEED) -> dict[str, list[Row]]:
    """The history as rows of Prefect's database, by table."""
    dice = random.Random(seed)
    return dict(_Rows(dice, now).of(history(now, dice)))


def seed_history(database: str, now: datetime) -> int:
    """Insert the history; returns the number of runs."""
    inserted = rows(now)
    with closing(tables_of(database)) as tables:
        for table, of_table in inserted.items():
            tables.insert(table, of_table)
    return len(inserted["flow_run"])


class _Rows:
    """Turns runs into rows of Prefect's database."""

    def __init__(self, dice: random.Random, now: datetime) -> None:
        self._dice, self._now = dice, now
        self._began = now - timedelta(days=DAYS, hours=1)
        self._queues = {pool: new_id(dice) for pool in SLOTS}
        self._flows = {one.flow: new_id(dice) for one in workloads()}
        self._deployments = {(one.flow, one.deployment): new_id(dice) for one in workloads()}

    def of(self, runs: Sequence[Run]) -> Iterator[tuple[str, list[Row]]]:
        """Each table and its rows."""
        yield from self._work_pools()
        yield "flow", [self._new(id_, name=name, tags="[]", labels="{}") for name, id_ in self._flows.items()]
        yield "deployment", [self._deployment(one) for one in workloads()]
        yield "deployment_schedule", [self._schedule(one) for one in workloads()]
        keys = {id(run): new_id(self._dice) for run in runs}
        states = {id(run): [self._state(state) for state in run.states] for run in runs}
        yield "flow_run", [self._flow_run(run, keys[id(run)], states[id(run)][-1]["id"]) for run in runs]
        yield "flow_run_state", [row | {"flow_run_id": keys[key]} for key, rows in states.items() for row in rows]
        tasks = [task for run in runs for task in self._tasks(run, keys[id(run)])]
        yield "task_run", [task for task, _ in tasks]
        yield "task_run_state", [state for _, state in tasks]

    def _new(self, key: str, at: datetime | None = None, **values: object) -> Row:
        return {"id": key, "created": at or self._began, "updated": at or self._began, **values}

    def _work_pools(self) -> Iterator[tuple[str, list[Row]]]:
        pools = {pool: new_id(self._dice) for pool in SLOTS}
        ready: Row = {"status": "READY", "is_paused": False}
        yield (
            "work_pool",
            [
                self._new(
                    pools[pool], name=pool, type=pool, concurrency_limit=slots, default_queue_id=self._queues[pool]
                )
                | ready
                | {"base_job_template": "{}", "storage_configuration": "{}"}
                for pool, slots in SLOTS.items()
            ],
        )
        yield (
            "work_queue",
            [
                self._new(self._queues[pool], name="default", work_pool_id=pools[pool], priority=1, description="")
                | ready
                for pool in SLOTS
            ],
        )

    def _deployment(self, one: Workload) -> Row:
        row = self._new(self._deployments[one.flow, one.deployment], name=one.deployment, flow_id=self._flows[one.flow])
        row |= {"tags": json.dumps(one.tags), "parameters": "{}", "infra_overrides": "{}", "labels": "{}"}
        row |= {"path": ".", "entrypoint": f"{one.flow.replace('-', '_')}.py:main", "paused": False, "status": "READY"}
        row |= {"enforce_parameter_schema": False, "work_queue_name": "default"}
        return row | {"work_queue_id": self._queues[one.pool]}

    def _schedule(self, one: Workload) -> Row:
        cron = f"0 {','.join(map(str, one.hours))} * * {'1-5' if one.weekdays else '*'}"
        schedule = json.dumps({"cron": cron, "timezone": "UTC", "day_or": True})
        deployment = self._deployments[one.flow, one.deployment]
        return self._new(new_id(self._dice), schedule=schedule, active=True, deployment_id=deployment, parameters="{}")

    def _state(self, state: State) -> Row:
        row = self._new(new_id(self._dice), state.at, type=state.type, name=state.name, message=state.message)
        return row | {"timestamp": state.at, "state_details": "{}"}

    def _timing(self, run: Run) -> Row:
        """The columns in which a run is like its tasks."""
        last = run.states[-1]
        spent = (run.ended or last.at) - run.started if run.started else timedelta(0)
        return {
            "created": run.states[0].at,
            "updated": last.at,
            "state_type": last.type,
            "state_name": last.name,
            "state_timestamp": last.at,
            "run_count": sum(state.type == "RUNNING" for state in run.states),
            "expected_start_time": run.expected,
            "next_scheduled_start_time": run.expected if last.type == "SCHEDULED" else None,
            "start_time": run.started,
            "end_time": run.ended,
            "total_run_time": spent,
        }

    def _flow_run(self, run: Run, key: str, state: str) -> Row:
        one = run.workload
        row = {"id": key, "state_id": state, "name": f"{self._dice.choice(_ADJECTIVES)}-{self._dice.choice(_ANIMALS)}"}
        row |= {"flow_id": self._flows[one.flow], "deployment_id": self._deployments[one.flow, one.deployment]}
        row |= {"parameters": "{}", "context": "{}", "empirical_policy": '{"retries": 1}', "job_variables": "{}"}
        row |= {"tags": json.dumps(one.tags), "labels": "{}", "work_queue_name": "default"}
        return row | self._timing(run) | {"auto_scheduled": True, "work_queue_id": self._queues[one.pool]}

    def _tasks(self, run: Run, flow_run: str) -> Iterator[tuple[Row, Row]]:
        """The rows of the tasks of a run, one after the other, each with the row of its state."""
        if run.started is None:
            return
        spent, at, last = (run.ended or self._now) - run.started, run.started, run.states[-1]
        for number, (name, share) in enumerate(run.workload.tasks.items()):
            end = at + share * spent
            task = Run(run.workload, at)
            task.enter(at, "RUNNING")
            is_last = number == len(run.workload.tasks) - 1
            if run.ended:
                task.enter(end, *(last.type, last.name, last.message) if is_last else ("COMPLETED", "Completed", None))
            state = self._state(task.states[-1])
            row = {"id": new_id(self._dice), "state_id": state["id"], "name": f"{name}-0", "task_key": name}
            row |= {"dynamic_key": "0", "flow_run_id": flow_run, "flow_run_run_count": 1, "labels": "{}"}
            row |= {"empirical_policy": '{"retries": 0}', "task_inputs": "{}", "tags": "[]"}
            yield row | self._timing(task), state | {"task_run_id": row["id"]}
            at = end
