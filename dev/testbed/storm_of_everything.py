"""A storm over all tables: also task runs, artifacts, work pools and their queues, logs and events.

Prefect 3 records task runs from the events that clients send, with the clock of the client's machine.
"""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Collection, Sequence
from datetime import datetime, timedelta, timezone
from typing import Any, Final
from urllib.parse import quote
from uuid import uuid4

from dev.testbed.history import PARAMETERS, STATES, TERMINAL, Json
from dev.testbed.storm import OPEN, NoTarget, Storm, on

CLOCKS: Final = (timedelta(0), timedelta(0), timedelta(hours=-2), timedelta(days=-3), timedelta(minutes=20))
"""Errors of the workers' clocks."""
NEARLY: Final = (timedelta(0), timedelta(minutes=-50), timedelta(minutes=20))
"""The errors with which a task run outside a flow is still found by its end time."""
LATE: Final = timedelta(minutes=14)
"""The delay with which log lines and events are still found."""
AHEAD: Final = timedelta(seconds=2)
"""How far their timestamps lie in the future: an event cannot be read before its time."""
_NO_RUN: Final = {"task_runs": {"flow_run_id": {"is_null_": True}}}
_RECORDED_SECONDS: Final = 300.0
_OLD: Final = 3  # artifacts, of two versions each, that are made before all others
_POOLS: Final = 3  # work pools that a storm never deletes


class StormOfEverything(Storm):
    """One thread of changes of these kinds, and of the kinds of Storm.

    Attributes:
        undetectable: Task runs that were changed after their flow run had ended, or, outside a flow, after their own
            end. Only a read of all task runs finds the change.
    """

    def __init__(self, api_url: str, major: int, changes: int, seed: int) -> None:
        super().__init__(api_url, major, changes, seed)
        self.undetectable: set[str] = set()

    def make_old_rows(self) -> None:
        """Make work pools, and artifacts in two versions, to change when they are no longer new."""
        for number in range(2 * _OLD):
            self._publish_as(f"old-{number % _OLD}", None)
            self._make_pool()

    def wait_until_recorded(self) -> None:
        """Wait until the server has recorded all task runs from their events, which it does in order.

        Raises:
            RuntimeError: it has not within five minutes.
        """
        last, deadline = self._record(None, ("RUNNING",), timedelta(0)), time.monotonic() + _RECORDED_SECONDS
        chosen = {"task_runs": {"id": {"any_": [last]}}}
        while not any(task["state"] for task in self._api.call("POST", "/task_runs/filter", chosen)):
            if time.monotonic() > deadline:
                raise RuntimeError("the server does not record task runs")
            time.sleep(0.2)

    # Task runs, made through the API.

    @on(2, 3)
    def _make_task(self) -> None:
        self._make_task_in(self._run(OPEN), self._dice.choice(STATES))

    @on(2, 3)
    def _make_task_in_a_finished_run(self) -> None:
        self.undetectable.add(self._make_task_in(self._run(TERMINAL), self._dice.choice(STATES)))

    @on(2, 3)
    def _finish_task(self) -> None:
        self._move_task(self._task_in(OPEN, OPEN), "RUNNING", self._dice.choice(TERMINAL))

    @on(2, 3)
    def _finish_task_of_a_finished_run(self) -> None:
        task = self._task_in(TERMINAL, OPEN)
        if self._major == 2:  # Prefect 2 cannot filter by the end of a task run
            self.undetectable.add(task)
        self._move_task(task, "RUNNING", self._dice.choice(TERMINAL))

    @on(2, 3)
    def _change_final_state_of_task(self) -> None:
        self._move_task(self._task_in(OPEN, TERMINAL), self._dice.choice(TERMINAL))

    @on(2, 3)
    def _change_final_state_of_task_of_a_finished_run(self) -> None:
        task = self._task_in(TERMINAL, TERMINAL)
        self.undetectable.add(task)
        self._move_task(task, self._dice.choice(TERMINAL))

    @on(2, 3)
    def _retry_task(self) -> None:
        self._move_task(self._task_in(OPEN, TERMINAL), "RUNNING", self._dice.choice(TERMINAL))

    @on(2, 3)
    def _edit_task(self) -> None:
        self._edit_task_run(self._task_in(OPEN, (*OPEN, *TERMINAL)))

    @on(2, 3)
    def _edit_task_of_a_finished_run(self) -> None:
        task = self._task_in(TERMINAL, (*OPEN, *TERMINAL))
        self.undetectable.add(task)
        self._edit_task_run(task)

    @on(2, 3)
    def _delete_task(self) -> None:
        self._api.call("DELETE", f"/task_runs/{self._task({})}")

    @on(2, 3)
    def _crash_a_run_whose_task_stays_open(self) -> None:
        run = self._make_run({"type": "RUNNING"})
        self._make_task_in(run, {"type": "RUNNING"})
        self._api.set_state(run, {"type": "CRASHED", "message": "killed"})

    @on(2, 3)
    def _call_subflow(self) -> None:
        stand_in = self._make_task_in(self._run(OPEN), {"type": "RUNNING"})
        body: Json = {"flow_id": self._flow()["id"], "parent_task_run_id": stand_in, "state": {"type": "RUNNING"}}
        self._api.make_flow_run(body)

    # Task runs that clients of Prefect 3 report in events.

    @on(3)
    def _record_task(self) -> None:
        self._record(self._run(OPEN), ("PENDING", "RUNNING", self._dice.choice(TERMINAL)), self._dice.choice(CLOCKS))

    @on(3)
    def _record_task_that_stays_open(self) -> None:
        self._record(self._run(OPEN), ("PENDING", "RUNNING"), self._dice.choice(CLOCKS))

    @on(3)
    def _record_task_in_a_finished_run(self) -> None:
        states = ("RUNNING", self._dice.choice(TERMINAL))
        self.undetectable.add(self._record(self._run(TERMINAL), states, self._dice.choice(CLOCKS)))

    @on(3)
    def _record_task_in_the_wrong_order(self) -> None:
        self._record(self._run(OPEN), ("PENDING", "RUNNING", "COMPLETED"), self._dice.choice(CLOCKS), backwards=True)

    @on(3)
    def _record_task_outside_a_flow(self) -> None:
        self._record(None, ("PENDING", "RUNNING", self._dice.choice(TERMINAL)), self._dice.choice(NEARLY))

    @on(3)
    def _record_task_outside_a_flow_that_stays_open(self) -> None:
        self._record(None, ("PENDING", "RUNNING"), self._dice.choice(CLOCKS))

    @on(3)
    def _record_task_outside_a_flow_too_late(self) -> None:
        states = ("RUNNING", self._dice.choice(TERMINAL))
        self.undetectable.add(self._record(None, states, timedelta(hours=-2)))

    @on(3)
    def _make_task_outside_a_flow(self) -> None:
        self._make_task_in(None, {"type": self._dice.choice(OPEN)})

    @on(3)
    def _finish_task_outside_a_flow(self) -> None:
        self._move_task(self._task(_NO_RUN, OPEN), "RUNNING", self._dice.choice(TERMINAL))

    @on(3)
    def _change_finished_task_outside_a_flow(self) -> None:
        task = self._task(_NO_RUN, TERMINAL)
        self.undetectable.add(task)
        if self._dice.random() < 0.5:
            self._move_task(task, self._dice.choice(TERMINAL))
        else:
            self._edit_task_run(task)

    # Artifacts.

    @on(2, 3)
    def _publish(self) -> None:
        self._publish_as(f"report-{next(self._numbers)}", self._run((*OPEN, *TERMINAL)))

    @on(2, 3)
    def _publish_without_key(self) -> None:
        self._publish_as(None, self._run((*OPEN, *TERMINAL)))

    @on(2, 3)
    def _publish_again(self) -> None:
        self._publish_as(self._latest()["key"], self._run((*OPEN, *TERMINAL)))

    @on(2, 3)
    def _edit_artifact(self) -> None:
        edits = {"description": next(self._numbers), "data": self._dice.choice(PARAMETERS)}
        self._api.call("PATCH", f"/artifacts/{self._some('artifacts', {}, sort='ID_DESC')[0]['id']}", edits)

    @on(2, 3)
    def _delete_artifact(self) -> None:
        self._api.call("DELETE", f"/artifacts/{self._some('artifacts', {}, sort='ID_DESC')[0]['id']}")

    @on(2, 3)
    def _delete_latest_version(self) -> None:
        versions = Counter(artifact["key"] for artifact in self._api.call("POST", "/artifacts/filter", {}))
        latest = self._api.call("POST", "/artifacts/latest/filter", {})
        several = [one["latest_id"] for one in latest if versions[one["key"]] > 1]
        if not several:
            raise NoTarget
        self._api.call("DELETE", f"/artifacts/{self._dice.choice(several)}")

    # Work pools and queues.

    @on(2, 3)
    def _make_pool(self) -> None:
        self._api.call("POST", "/work_pools/", {"name": f"größe {next(self._numbers)}?", "type": "process"})

    @on(2, 3)
    def _edit_pool(self) -> None:
        edits: list[Json] = [{"description": next(self._numbers)}, {"concurrency_limit": self._dice.randint(1, 9)}]
        self._api.call("PATCH", self._pool(), self._dice.choice(edits))

    @on(2, 3)
    def _pause_pool(self) -> None:
        self._api.call("PATCH", self._pool(), {"is_paused": self._dice.random() < 0.5})

    @on(2, 3)
    def _delete_pool(self) -> None:
        if self._api.call("POST", "/work_pools/count", {}) <= _POOLS:
            raise NoTarget
        self._api.call("DELETE", self._pool())

    @on(2, 3)
    def _send_worker_heartbeat(self) -> None:
        body: Json = {"name": f"worker {self._dice.randrange(3)}", "heartbeat_interval_seconds": 30}
        self._api.call("POST", f"{self._pool()}/workers/heartbeat", body)

    @on(2, 3)
    def _make_queue(self) -> None:
        body: Json = {"name": f"queue {next(self._numbers)}", "priority": self._dice.randint(1, 3)}
        self._api.call("POST", f"{self._pool()}/queues", body)

    @on(2, 3)
    def _edit_queue(self) -> None:
        edits: list[Json] = [{"description": next(self._numbers)}, {"concurrency_limit": self._dice.randint(1, 9)}]
        self._api.call("PATCH", self._queue()[0], {"is_paused": False} | self._dice.choice(edits))

    @on(2, 3)
    def _pause_queue(self) -> None:
        self._api.call("PATCH", self._queue()[0], {"is_paused": self._dice.random() < 0.5})

    @on(2, 3)
    def _rename_queue(self) -> None:
        path = self._dice.choice((self._queue, self._queue_in_use))()[0]
        self._api.call("PATCH", path, {"name": f"renamed {next(self._numbers)}"})

    @on(2, 3)
    def _delete_queue(self) -> None:
        self._api.call("DELETE", self._queue(but="default")[0])  # the default queue is deleted only with its pool

    @on(2, 3)
    def _deploy_to_queue(self) -> None:
        _, queue = self._queue()
        edits = {"work_pool_name": queue["work_pool_name"], "work_queue_name": queue["name"]}
        deployment = self._deployment()["id"]
        self._api.call("PATCH", f"/deployments/{deployment}", edits)
        self._api.call("POST", f"/deployments/{deployment}/create_flow_run", {"idempotency_key": next(self._numbers)})

    # Log lines and events: in batches, late, and many at one instant.

    @on(2, 3)
    def _send_lines(self) -> None:
        when = self._a_while_ago()
        run = self._dice.choice((None, self._run((*OPEN, *TERMINAL))))
        lines: Any = [
            {
                "name": "prefect.flow_runs",
                "level": self._dice.choice((10, 20, 30)),
                "message": f"{next(self._numbers)} ü\n'quoted'",
                "timestamp": (when + timedelta(seconds=n // 25)).isoformat(),
                "flow_run_id": run,
            }
            for n in range(self._dice.randint(1, 60))
        ]
        self._api.call("POST", "/logs/", lines)

    @on(3)
    def _send_events(self) -> None:
        when = self._a_while_ago()
        self._send(
            [
                {
                    "id": str(uuid4()),
                    "occurred": (when + timedelta(seconds=n // 25)).isoformat(),
                    "event": "storm.happened",
                    "resource": {"prefect.resource.id": f"storm.{next(self._numbers)}"},
                    "payload": self._dice.choice(PARAMETERS[:4]),
                }
                for n in range(self._dice.randint(1, 60))
            ]
        )

    # The target of a change.

    def _task(self, chosen: Json, types: Sequence[str] = (*OPEN, *TERMINAL)) -> str:
        filtered = {**chosen.get("task_runs", {}), "state": {"type": {"any_": list(types)}}}
        return str(self._some("task_runs", {**chosen, "task_runs": filtered}, sort="ID_DESC")[0]["id"])

    def _task_in(self, runs: Sequence[str], tasks: Sequence[str]) -> str:
        """A task run in a state of some types, in a flow run in a state of some types."""
        return self._task({"flow_runs": {"state": {"type": {"any_": list(runs)}}}}, tasks)

    def _latest(self) -> Any:
        return self._some("artifacts/latest", {}, sort="ID_DESC")[0]

    def _pool(self) -> str:
        """The path of a work pool."""
        return f"/work_pools/{quote(self._some('work_pools', {})[0]['name'], safe='')}"

    def _queue(self, but: str = "", among: Collection[str] | None = None) -> tuple[str, Any]:
        """A queue and its path: with any name but one, and, if given, with one of these ids."""
        queues = [queue for queue in self._api.call("POST", "/work_queues/filter", {}) if queue["name"] != but]
        queues = [queue for queue in queues if among is None or queue["id"] in among]
        if not queues:
            raise NoTarget
        queue = self._dice.choice(queues)
        pool, name = (quote(queue[key], safe="") for key in ("work_pool_name", "name"))
        return f"/work_pools/{pool}/queues/{name}", queue

    def _queue_in_use(self) -> tuple[str, Any]:
        runs = self._api.call("POST", "/flow_runs/filter", {"flow_runs": {"state": {"type": {"any_": list(OPEN)}}}})
        return self._queue(among={run["work_queue_id"] for run in runs})

    def _a_while_ago(self) -> datetime:
        """When a line or event that arrives now happened, by a worker's clock."""
        return datetime.now(timezone.utc) - self._dice.choice((0.0, self._dice.random())) * LATE + AHEAD

    # The calls of a change.

    def _make_task_in(self, run: str | None, state: Json) -> str:
        body: Json = {"flow_run_id": run, "task_key": "storm.task", "dynamic_key": next(self._numbers)}
        body |= {"name": f"task {body['dynamic_key']}", "state": state, "tags": ["storm"]}
        return str(self._api.call("POST", "/task_runs/", body)["id"])

    def _move_task(self, task: str, *types: str) -> None:
        for state_type in types:
            body = {"state": {"type": state_type, "message": next(self._numbers)}, "force": True}
            self._api.call("POST", f"/task_runs/{task}/set_state", body)

    def _edit_task_run(self, task: str) -> None:
        self._api.call("PATCH", f"/task_runs/{task}", {"name": f"renamed {next(self._numbers)}"})

    def _publish_as(self, key: str | None, run: str | None) -> None:
        body: Json = {"key": key, "type": "markdown", "description": next(self._numbers), "data": "# ü"}
        self._api.call("POST", "/artifacts/", body | {"flow_run_id": run})

    def _record(self, run: str | None, types: Sequence[str], clock: timedelta, *, backwards: bool = False) -> str:
        """Send the events of a task run that went through these states; returns its id."""
        task, number, began = str(uuid4()), next(self._numbers), datetime.now(timezone.utc) + clock
        events = [
            _event_of_task(task, run, number, began, began + timedelta(milliseconds=50 * n), state_type)
            for n, state_type in enumerate(types)
        ]
        for event in reversed(events) if backwards else events:
            self._send([event])
        return task

    def _send(self, events: list[Json]) -> None:
        self._api.call("POST", "/events", events)  # type: ignore[arg-type]  # a list, like logs


def _event_of_task(task: str, run: str | None, number: str, began: datetime, now: datetime, state_type: str) -> Json:
    """The event that a client of Prefect 3 sends when a task run enters a state."""
    fields: Json = {
        "name": f"recorded {number}",
        "task_key": "storm.recorded",
        "dynamic_key": number,
        "tags": ["storm"],
        "empirical_policy": {"retries": 0},
        "expected_start_time": began.isoformat(),
        "run_count": int(state_type not in ("PENDING", "SCHEDULED")),
    }
    if state_type != "PENDING":
        fields["start_time"] = began.isoformat()
    if state_type in TERMINAL:
        fields |= {"end_time": now.isoformat(), "total_run_time": (now - began).total_seconds()}
    state = {"type": state_type, "name": state_type.title(), "message": number, "state_details": {}}
    return {
        "id": str(uuid4()),
        "occurred": now.isoformat(),
        "event": f"prefect.task-run.{state['name']}",
        "resource": {
            "prefect.resource.id": f"prefect.task-run.{task}",
            "prefect.resource.name": fields["name"],
            "prefect.state-name": state["name"],
            "prefect.state-type": state_type,
            "prefect.state-timestamp": now.isoformat(),
            "prefect.orchestration": "client",
        },
        "related": []
        if run is None
        else [{"prefect.resource.id": f"prefect.flow-run.{run}", "prefect.resource.role": "flow-run"}],
        "payload": {"intended": {"from": None, "to": state_type}, "validated_state": state, "task_run": fields},
    }
