"""Makes random changes of every kind that Prefect's API allows, in any number of threads.

Each change looks up its target on the server, so threads, and the server's services, may change the same rows. A change
whose target is gone by then does not count.
"""

from __future__ import annotations

import itertools
import random
import threading
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from datetime import datetime, timedelta, timezone
from typing import Any, Final, TypeVar

from dev.testbed.history import PARAMETERS, SCHEDULES, SORTS, STATES, TERMINAL, Json, PrefectApi

Method = TypeVar("Method", bound=Callable[..., None])

OPEN: Final = ("SCHEDULED", "PENDING", "RUNNING", "PAUSED", "CANCELLING")
# Errors that mean another thread was first, which Prefect reports in many ways; or, on Prefect 2, that a call for a
# deployment's only schedule found several.
TOO_LATE: Final = (": 404 ", ": 409 ", ": 500 ", "has multiple schedules")
KEPT: Final = 6  # deployments, and flows, that a storm never deletes


def on(*majors: int) -> Callable[[Method], Method]:
    """Mark a method as a kind of change, for the major versions whose API has its calls."""

    def mark(method: Method) -> Method:
        method.majors = majors  # type: ignore[attr-defined]
        return method

    return mark


class NoTarget(Exception):
    """The server has no row to which this change applies."""


class Storm(threading.Thread):
    """One thread of changes.

    Args:
        api_url: The server's API.
        major: 2 or 3.
        changes: The number of changes to make; up to ten times as many until each kind was made once; more until
            ``enough`` is set.
        seed: The same seed makes the same choices among the rows that the server has. With several threads or
            background services, a replay only resembles the first run.

    Attributes:
        done: The number of changes of each kind.
        edited: Runs whose name, tags and so on were edited. For finished runs, no query of the API finds the edit.
        final_state_changed: Runs whose final state was replaced by another or the same. Only an event reports it.
        enough: Set by others; until then the thread goes on.
        failure: The exception that ended the thread early.
    """

    def __init__(self, api_url: str, major: int, changes: int, seed: int) -> None:
        super().__init__(name=f"storm {seed}", daemon=True)
        self.done: Counter[str] = Counter()
        self.edited: set[str] = set()
        self.final_state_changed: set[str] = set()
        self.enough = threading.Event()
        self.failure: BaseException | None = None
        self._api, self._major, self._changes = PrefectApi(api_url), major, changes
        self._dice = random.Random(seed)
        self._names = self.kinds(major)
        self._numbers = (f"{seed}-{number}" for number in itertools.count())

    @classmethod
    def kinds(cls, major: int) -> list[str]:
        """The names of the kinds of change that a major version allows."""
        methods = {name: method for owner in reversed(cls.__mro__) for name, method in vars(owner).items()}
        return [name.lstrip("_") for name, method in methods.items() if major in getattr(method, "majors", ())]

    def run(self) -> None:
        """Make the changes: all kinds in a random order, then all again."""
        try:
            for change in self._all_changes():
                total = self.done.total()
                wanted = self._changes if len(self.done) == len(self._names) else 10 * self._changes
                if total >= wanted and self.enough.is_set():
                    return
                try:
                    change()
                except NoTarget:
                    continue
                except RuntimeError as error:
                    if not any(words in str(error) for words in TOO_LATE):
                        raise
                else:
                    self.done[change.__name__.lstrip("_")] += 1
        except BaseException as failure:  # a failed thread must not look like a quiet one
            self.failure = failure

    def _all_changes(self) -> Iterator[Callable[[], None]]:
        while True:
            yield from (getattr(self, f"_{name}") for name in self._dice.sample(self._names, len(self._names)))

    # New runs.

    @on(2, 3)
    def _make_run_in_the_future(self) -> None:
        self._make_run(self._scheduled(self._dice.uniform(60, 10 * 86400)))

    @on(2, 3)
    def _make_run_of_the_past(self) -> None:
        self._make_run(self._scheduled(-self._dice.uniform(60, 30 * 86400)))

    @on(2, 3)
    def _make_run_finished(self) -> None:
        self._make_run({"type": self._dice.choice(TERMINAL), "message": "created in this state"})

    @on(2, 3)
    def _make_run_in_progress(self) -> None:
        self._make_run({"type": self._dice.choice(("PENDING", "RUNNING", "PAUSED", "CANCELLING"))})

    @on(2, 3)
    def _make_run_of_a_deployment(self) -> None:
        body = {"parameters": self._dice.choice(PARAMETERS), "idempotency_key": next(self._numbers)}
        self._api.call("POST", f"/deployments/{self._deployment()['id']}/create_flow_run", body)

    @on(2, 3)
    def _make_run_that_never_starts(self) -> None:
        run = self._make_run(self._scheduled(self._dice.uniform(-86400, 86400)))
        if self._dice.random() < 0.5:
            self._api.set_state(run, {"type": "PENDING"})
        self._api.set_state(run, {"type": self._dice.choice(("CANCELLED", "CRASHED", "FAILED"))})

    # States of runs.

    @on(2, 3)
    def _finish_run(self) -> None:
        run = self._run(OPEN)
        for state_type in ("PENDING", "RUNNING", self._dice.choice(TERMINAL)):
            self._api.set_state(run, {"type": state_type})

    @on(2, 3)
    def _advance_by_the_rules(self) -> None:
        run = self._run(OPEN)
        for state_type in ("PENDING", "RUNNING"):
            self._api.call("POST", f"/flow_runs/{run}/set_state", {"state": {"type": state_type}, "force": False})

    @on(2, 3)
    def _force_any_state(self) -> None:
        run = self._run((*OPEN, *TERMINAL))
        self.final_state_changed.add(run)  # if its state is final
        self._api.set_state(run, dict(self._dice.choice(STATES)))

    @on(2, 3)
    def _change_final_state(self) -> None:
        run = self._run(TERMINAL)
        self.final_state_changed.add(run)
        self._api.set_state(run, {"type": self._dice.choice(TERMINAL), "message": "changed"})

    @on(2, 3)
    def _retry(self) -> None:
        self._api.set_state(self._run(TERMINAL), self._scheduled(30) | {"name": "AwaitingRetry"})

    @on(2, 3)
    def _retry_and_finish(self) -> None:
        run = self._run(TERMINAL)
        self._api.set_state(run, self._scheduled(0) | {"name": "AwaitingRetry"})
        self._api.set_state(run, {"type": "RUNNING", "name": "Retrying"})
        self._api.set_state(run, {"type": self._dice.choice(TERMINAL)})

    @on(2, 3)
    def _pause_and_resume(self) -> None:
        run = self._run(("RUNNING",))
        self._api.set_state(run, {"type": "PAUSED", "name": "Suspended"})
        self._api.call("POST", f"/flow_runs/{run}/resume", {})

    @on(3)
    def _set_many_states(self) -> None:
        runs = self._runs(OPEN)
        body = {"flow_runs": {"id": {"any_": runs}}, "state": {"type": "CANCELLED"}, "force": True}
        self.final_state_changed.update(runs)  # if another thread was first
        self._api.call("POST", "/flow_runs/bulk_set_state", body)

    # Edits and deletions of runs.

    @on(2, 3)
    def _edit_open_run(self) -> None:
        self._edit(self._run(OPEN))

    @on(2, 3)
    def _edit_finished_run(self) -> None:
        self._edit(self._run(TERMINAL))

    @on(3)
    def _label_run(self) -> None:
        run = self._run((*OPEN, *TERMINAL))
        self.edited.add(run)
        self._api.call("PATCH", f"/flow_runs/{run}/labels", {"label": next(self._numbers), "share": 0.5})

    @on(2, 3)
    def _delete_open_run(self) -> None:
        self._api.call("DELETE", f"/flow_runs/{self._run(OPEN)}")

    @on(2, 3)
    def _delete_finished_run(self) -> None:
        self._api.call("DELETE", f"/flow_runs/{self._run(TERMINAL)}")

    @on(3)
    def _delete_many_runs(self) -> None:
        runs = self._runs((*OPEN, *TERMINAL))
        self._api.call("POST", "/flow_runs/bulk_delete", {"flow_runs": {"id": {"any_": runs}}})

    # Flows.

    @on(2, 3)
    def _make_flow(self) -> None:
        self._api.make_flow(f"flow {next(self._numbers)}", ["new"])

    @on(2, 3)
    def _edit_flow(self) -> None:
        self._api.call("PATCH", f"/flows/{self._flow()['id']}", {"tags": ["edited", next(self._numbers)]})

    @on(2, 3)
    def _delete_flow(self) -> None:
        if self._api.call("POST", "/flows/count", {}) <= KEPT:
            raise NoTarget
        self._api.call("DELETE", f"/flows/{self._flow()['id']}")

    # Deployments and schedules. The runs that they made come and go with them.

    @on(2, 3)
    def _make_deployment(self) -> None:
        self._deploy(self._flow()["id"], f"deployment {next(self._numbers)}")

    @on(2, 3)
    def _deploy_again(self) -> None:
        deployment = self._deployment()
        self._deploy(deployment["flow_id"], deployment["name"])

    @on(2, 3)
    def _edit_deployment(self) -> None:
        number = next(self._numbers)
        edits: list[Json] = [{"description": number}, {"tags": [number]}, {"parameters": {"n": number}}]
        edits += [{"version": number}, {"path": f"/srv/{number}"}, {"paused": self._dice.random() < 0.5}]
        if self._major == 3:
            edits += [{"concurrency_limit": self._dice.randint(1, 9)}, {"job_variables": {"n": number}}]
        self._api.call("PATCH", f"/deployments/{self._deployment()['id']}", self._dice.choice(edits))

    @on(2, 3)
    def _delete_deployment(self) -> None:
        if self._api.call("POST", "/deployments/count", {}) <= KEPT:
            raise NoTarget
        self._api.call("DELETE", f"/deployments/{self._deployment()['id']}")

    @on(2, 3)
    def _pause_deployment(self) -> None:
        self._api.call("POST", f"/deployments/{self._deployment()['id']}/pause_deployment")

    @on(2, 3)
    def _resume_deployment(self) -> None:
        self._api.call("POST", f"/deployments/{self._deployment()['id']}/resume_deployment")

    @on(2, 3)
    def _make_scheduled_runs(self) -> None:
        deployment = self._deployment()["id"]
        self._api.call("POST", f"/deployments/{deployment}/resume_deployment")
        self._api.call("POST", f"/deployments/{deployment}/schedule", {"max_runs": 5})

    @on(2, 3)
    def _add_schedule(self) -> None:
        body: Any = [{"active": True, "schedule": {"interval": self._dice.randint(600, 9000)}}]
        self._api.call("POST", f"/deployments/{self._deployment()['id']}/schedules", body)

    @on(2, 3)
    def _change_schedule(self) -> None:
        body: Json = {"schedule": {"cron": f"{self._dice.randrange(60)} * * * *", "timezone": "Asia/Tokyo"}}
        self._api.call("PATCH", self._schedule(), body)

    @on(2, 3)
    def _switch_schedule(self) -> None:
        self._api.call("PATCH", self._schedule(), {"active": self._dice.random() < 0.5})

    @on(2, 3)
    def _remove_schedule(self) -> None:
        self._api.call("DELETE", self._schedule())

    @on(2)
    def _switch_all_schedules(self) -> None:
        word = self._dice.choice(("active", "inactive"))
        self._api.call("POST", f"/deployments/{self._deployment()['id']}/set_schedule_{word}")

    # The target of a change.

    def _runs(self, types: Sequence[str]) -> list[str]:
        """Some runs in a state of one of these types."""
        chosen = {"flow_runs": {"state": {"type": {"any_": list(types)}}}}
        return [run["id"] for run in self._some("flow_runs", chosen, 3)]

    def _run(self, types: Sequence[str]) -> str:
        return self._runs(types)[0]

    def _flow(self) -> Any:
        return self._some("flows", {})[0]

    def _deployment(self) -> Any:
        return self._some("deployments", {})[0]

    def _schedule(self) -> str:
        """The path of a schedule."""
        deployment = self._deployment()
        if not deployment["schedules"]:
            raise NoTarget
        return f"/deployments/{deployment['id']}/schedules/{self._dice.choice(deployment['schedules'])['id']}"

    def _some(self, entity: str, chosen: Json, limit: int = 1, sort: str | None = None) -> Any:
        count = self._api.call("POST", f"/{entity}/count", chosen)
        page: Json = {"limit": limit, "offset": self._dice.randrange(max(1, count))}
        if sort or entity in SORTS:
            page["sort"] = sort or SORTS[entity]
        found = self._api.call("POST", f"/{entity}/filter", chosen | page)
        if not found:
            raise NoTarget
        return found

    # The calls of a change.

    def _scheduled(self, seconds: float) -> Json:
        when = datetime.now(timezone.utc) + timedelta(seconds=seconds)
        return {"type": "SCHEDULED", "state_details": {"scheduled_time": when.isoformat()}}

    def _make_run(self, state: Json) -> str:
        body: Json = {"flow_id": self._flow()["id"], "name": f"storm {next(self._numbers)}", "state": state}
        body |= {"parameters": self._dice.choice(PARAMETERS), "tags": self._dice.choice(([], ["a", "ü,;"]))}
        if self._dice.random() < 0.5:
            deployment = self._deployment()
            body |= {"flow_id": deployment["flow_id"], "deployment_id": deployment["id"]}
        return self._api.make_flow_run(body)

    def _edit(self, run: str) -> None:
        number = next(self._numbers)
        edits: list[Json] = [{"name": f"renamed {number}"}, {"tags": ["edited", number]}, {"parameters": {"n": number}}]
        edits += [{"infrastructure_pid": number}, {"flow_version": number}, {}]
        self.edited.add(run)
        self._api.call("PATCH", f"/flow_runs/{run}", self._dice.choice(edits))

    def _deploy(self, flow: str, name: str) -> None:
        body = {"name": name, "flow_id": flow, "schedules": self._dice.choice(SCHEDULES), "paused": False}
        self._api.call("POST", "/deployments/", body | {"description": next(self._numbers)})
