"""Makes a history on a Prefect server through its REST API, changes it, and reads it back in the simplest way.

The history has what is hard to copy: every type of state, names that look like dates and numbers, parameters of every
JSON type, nulls, equal timestamps, retries. It depends only on the seed, and on the server's ids and clock.
"""

from __future__ import annotations

import random
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import datetime, timedelta, timezone
from typing import Any

import requests
from urllib3.util import Retry

Json = dict[str, Any]

FLOW_NAMES = (
    "etl",
    "2024-01-01",
    "007",
    "true",
    "Straße 🚀 日本語",
    "quotes \" ' and \\ slashes",
    "a.b__c",
    "empty-tags",
)
SCHEDULES: tuple[list[Json], ...] = (
    [{"active": True, "schedule": {"interval": 3600}}],
    [{"active": False, "schedule": {"cron": "0 6 * * 1-5", "timezone": "Europe/Berlin"}}],
    [{"active": True, "schedule": {"rrule": "FREQ=DAILY;COUNT=30"}}],
    [],
    [{"active": True, "schedule": {"interval": 86400}}, {"active": True, "schedule": {"cron": "*/5 * * * *"}}],
)
PARAMETERS: tuple[Json, ...] = (
    {},
    {"n": 1, "share": 0.1, "big": 2**53 + 1, "negative": -1e-9, "zero": 0.0},
    {"looks_like": ["42", "true", "2024-01-02", "1e3", "null", ""]},
    {"nested": {"a": [{"b": None}, [], {}, [[1, [2]]]], "c": {"d": {"e": "f"}}}},
    {"text": "Zeile 1\nZeile 2\t日本語 🎉 \u0007 'x' \"y\"", "": "empty key", "a.b": "dotted key"},
    {"none": None, "yes": True, "no": False, "list": []},
    {"long": "x" * 5000},
)
TERMINAL = ("COMPLETED", "FAILED", "CRASHED", "CANCELLED")
STATES: tuple[Json, ...] = (
    {"type": "SCHEDULED", "name": "Scheduled"},
    {"type": "SCHEDULED", "name": "Late"},
    {"type": "SCHEDULED", "name": "AwaitingRetry"},
    {"type": "PENDING"},
    {"type": "RUNNING", "message": "läuft"},
    {"type": "PAUSED"},
    {"type": "CANCELLING"},
    {"type": "CANCELLED", "name": "Cancelled", "message": ""},
    {"type": "COMPLETED", "message": "All states completed."},
    {"type": "COMPLETED", "name": "Cached(type=COMPLETED)"},
    {"type": "FAILED", "message": "Finished in state Failed('1/2 states failed 🔥')"},
    {"type": "CRASHED"},
)


@dataclass(frozen=True)
class History:
    """The ids of the rows that were made, in that order."""

    flows: list[str]
    deployments: list[str]
    flow_runs: list[str]


@dataclass(frozen=True)
class Changes:
    """The ids of the rows that one round of changes made, changed or deleted.

    ``made``: the new flow runs. ``untraced``: flow runs that changed so that only reconciliation is sure to find it.
    """

    flows: set[str] = field(default_factory=set)
    flow_runs: set[str] = field(default_factory=set)
    deployments_deleted: set[str] = field(default_factory=set)
    made: list[str] = field(default_factory=list)
    untraced: set[str] = field(default_factory=set)


class Rejected(RuntimeError):
    """The server returned an error."""

    def __init__(self, request: str, response: requests.Response) -> None:
        super().__init__(f"{request}: {response.status_code} {response.text[:500]}")
        self.status = response.status_code


class PrefectApi:
    """The calls that make a history. Every response but success is an error."""

    def __init__(self, api_url: str) -> None:
        self._url = api_url
        self._session = requests.Session()
        # The server's services write too. A call that finds SQLite locked returns 503, and has written nothing.
        busy = Retry(total=20, status_forcelist=[503], allowed_methods=None, backoff_factor=0.05, backoff_max=1)
        self._session.mount("http://", requests.adapters.HTTPAdapter(max_retries=busy))

    def call(self, method: str, path: str, body: Json | None = None) -> Any:
        """Send a request; returns the decoded response, None if it is empty.

        Raises:
            Rejected: the server returned an error.
        """
        response = self._session.request(method, self._url + path, json=body, timeout=60)
        if not response.ok:
            raise Rejected(f"{method} {path}", response)
        return response.json() if response.content else None

    def make_flow(self, name: str, tags: list[str]) -> str:
        """Make a flow; returns its id."""
        return str(self.call("POST", "/flows/", {"name": name, "tags": tags})["id"])

    def make_deployment(self, name: str, flow_id: str, schedules: list[Json]) -> str:
        """Make a deployment; returns its id."""
        body = {"name": name, "flow_id": flow_id, "schedules": schedules, "tags": ["team:données"], "paused": True}
        body |= {"parameters": {"day": "2024-02-29"}, "entrypoint": "flow.py:main", "path": "."}
        return str(self.call("POST", "/deployments/", body)["id"])

    def make_flow_run(self, body: Json) -> str:
        """Make a flow run; returns its id."""
        return str(self.call("POST", "/flow_runs/", body)["id"])

    def set_state(self, flow_run: str, state: Json) -> None:
        """Set the state of a flow run, regardless of orchestration rules."""
        self.call("POST", f"/flow_runs/{flow_run}/set_state", {"state": state, "force": True})

    def make_variable(self, name: str, value: str) -> str:
        """Make a variable; returns its id. The value is a string, because Prefect 2 accepts nothing else."""
        return str(self.call("POST", "/variables/", {"name": name, "value": value})["id"])

    def read_all(self, entity: str, sort: str) -> list[Json]:
        """Read every row of an entity, by limit and offset; nothing may change meanwhile."""
        rows: list[Json] = []
        while True:
            page = self.call("POST", f"/{entity}/filter", {"limit": 200, "offset": len(rows), "sort": sort})
            if not page:
                return rows
            rows += page


SORTS = {"flow_runs": "ID_DESC", "flows": "NAME_ASC", "deployments": "CREATED_DESC"}


def read_all(api_url: str, entity: str) -> list[Json]:
    """Read every row of ``flow_runs``, ``flows`` or ``deployments``, as the server returns it."""
    return PrefectApi(api_url).read_all(entity, SORTS[entity])


def make_history(api_url: str, *, runs: int = 210, seed: int = 1, api: PrefectApi | None = None) -> History:
    """Make flows, deployments and a number of flow runs."""
    api, dice = api or PrefectApi(api_url), random.Random(seed)
    flows = [api.make_flow(name, [] if name == "empty-tags" else ["a b", "ü,;", name]) for name in FLOW_NAMES]
    deployments = [
        api.make_deployment(f"{'default' if index % 2 else 'prod'}-{index // 4}", flows[index % len(flows)], schedules)
        for index, schedules in enumerate(SCHEDULES * 2)
    ]
    # In sequence: SQLite admits one writer at a time, and Prefect returns 503 to the others.
    flow_runs = [_make_run(api, *plan) for plan in _plans(dice, runs, flows, deployments)]
    return History(flows, deployments, flow_runs)


def _plans(
    dice: random.Random, runs: int, flows: list[str], deployments: list[str]
) -> Iterator[tuple[Json, list[Json]]]:
    """For each run, the body that makes it, and the states it goes through."""
    now = datetime.now(timezone.utc).replace(microsecond=0)
    for index in range(runs):
        state = dict(STATES[index % len(STATES)])
        when = now - timedelta(hours=1) if index % 5 == 0 else now + timedelta(seconds=dice.randint(-(10**6), 10**6))
        if state["type"] in ("SCHEDULED", "PAUSED"):
            state["state_details"] = {"scheduled_time": when.isoformat()}
        body: Json = {
            "flow_id": dice.choice(flows),
            "name": f"run-{index}" if index % 7 else f"2024-01-{index % 28 + 1:02}",
            "parameters": PARAMETERS[index % len(PARAMETERS)],
            "tags": dice.sample(["nightly", "42", "日本", "a,b"], index % 4),
            "state": {"type": "SCHEDULED", "state_details": {"scheduled_time": when.isoformat()}},
        }
        if index % 3:
            body["deployment_id"] = dice.choice(deployments)
        if index % 11 == 0:
            body["idempotency_key"] = f"key-{index}"
        yield body, list(_states_until(state, index))


def _states_until(state: Json, index: int) -> Iterator[Json]:
    started = state["type"] in ("RUNNING", "PAUSED", "CANCELLING", "COMPLETED", "FAILED")
    if started or (state["type"] in TERMINAL and index % 2):
        yield {"type": "PENDING"}
        yield {"type": "RUNNING"}
        if index % 9 == 0:  # the first attempt fails
            yield {"type": "FAILED", "message": "first try"}
            yield {"type": "RUNNING", "name": "Retrying"}
    yield state


def _make_run(api: PrefectApi, body: Json, states: list[Json]) -> str:
    flow_run = api.make_flow_run(body)
    for state in states:
        api.set_state(flow_run, state)
    return flow_run


def change_history(api_url: str, history: History, *, seed: int = 2, api: PrefectApi | None = None) -> Changes:
    """Make one round of changes of every kind: new rows, new states, edits, changed final states, deletions."""
    api, dice = api or PrefectApi(api_url), random.Random(seed)
    runs = dice.sample(history.flow_runs, 8)
    api.set_state(runs[0], {"type": "COMPLETED", "name": "Completed"})
    api.set_state(runs[0], {"type": "FAILED", "message": "a changed final state"})
    api.set_state(runs[1], {"type": "RUNNING"})
    for run in runs[2:5]:
        api.call("PATCH", f"/flow_runs/{run}", {"tags": ["edited", "日本"]})
    api.call("PATCH", f"/flow_runs/{runs[5]}", {"name": "renamed"})
    for run in runs[6:]:
        api.set_state(run, {"type": "CANCELLED"})
    made = [api.make_flow_run({"flow_id": history.flows[n], "name": f"new-{n}"}) for n in range(3)]
    api.set_state(made[0], {"type": "COMPLETED"})
    new_flow = api.make_flow(f"new-flow-{seed}", ["new"])
    api.call("PATCH", f"/flows/{history.flows[1]}", {"tags": ["edited"]})
    deleted = dice.choice(history.deployments)
    api.call("DELETE", f"/deployments/{deleted}")
    kept = next(d for d in history.deployments if d != deleted)
    api.call("PATCH", f"/deployments/{kept}", {"description": "edited ✓"})
    untraced = {*runs} - {runs[1]}  # edits, and what can be a change between final states
    return Changes({new_flow, history.flows[1]}, {*runs, *made}, {deleted}, made, untraced)
