"""Fills a Prefect server with rows of every kind, and reads all of them in the simplest way."""

from __future__ import annotations

import os
import subprocess
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta, timezone
from pathlib import Path
from typing import Final
from urllib.parse import quote
from uuid import uuid4

from dev.testbed.history import History, Json, PrefectApi, make_history
from dev.testbed.prefect_server import PrefectServer

SECRET: Final = "canary-5ecret"
"""The value of a secret field of a block. It must never reach a warehouse."""

EVENTS: Final[dict[int, dict[str, str]]] = {
    2: {"PREFECT_EXPERIMENTAL_EVENTS": "true", "PREFECT_API_SERVICES_EVENT_PERSISTER_FLUSH_INTERVAL": "1"},
    3: {"PREFECT_SERVER_SERVICES_EVENT_PERSISTER_FLUSH_INTERVAL": "1"},
}
"""Environment variables that turn on events in Prefect 2, which Prefect 3 always has, and write them every second."""

FLOWS: Final = Path(__file__).with_name("everything_flows.py")
TASK_WORKER: Final = Path(__file__).with_name("everything_task_worker.py")
_COMPLETED_TASK_RUNS: Final = 3 + 2 * 10  # through the API, and by both runs of FLOWS
_SETTLED_SECONDS: Final = 60.0


def make_everything(server: PrefectServer, api: PrefectApi | None = None) -> History:
    """Make rows of every kind through the API, and run a real flow with tasks, logs and artifacts.

    Args:
        server: Running and empty, with EVENTS in its environment.
        api: Sends the requests; default: one for which every error counts.
    """
    api = api or PrefectApi(server.api_url)
    history = make_history(server.api_url, runs=24, api=api)
    _make_infrastructure(api)
    _make_blocks(api, server.major)
    _make_limits(api)
    make_rows_of_runs(api, history.flow_runs[:6])
    _run_flows(server)
    if server.major == 3:
        server.start_client(TASK_WORKER)
    _wait_until_settled(api)
    if server.major == 3:
        _wait_for_task_worker(api)
    return history


def _make_infrastructure(api: PrefectApi) -> None:
    for name in ("pool a", "pool-b", "größe ü?"):
        api.call("POST", "/work_pools/", {"name": name, "type": "process", "description": "a pool", "is_paused": False})
        path = f"/work_pools/{_quoted(name)}"
        for queue in ("high", "low"):
            api.call("POST", f"{path}/queues", {"name": queue, "concurrency_limit": 3})
        for worker in ("worker 1", "worker 2"):
            api.call("POST", f"{path}/workers/heartbeat", {"name": worker, "heartbeat_interval_seconds": 3600})
    for name, value in (("answer", "42"), ("day", "2024-01-01"), ("empty", "")):
        api.call("POST", "/variables/", {"name": name, "value": value, "tags": ["a", "ü"]})
    api.call("PUT", "/saved_searches/", {"name": "failed ones", "filters": []})
    trigger = {
        "type": "event",
        "posture": "Reactive",
        "expect": ["prefect.flow-run.Failed"],
        "match": {"prefect.resource.id": "prefect.flow-run.*"},
        "threshold": 1,
        "within": 0,
    }
    for name in ("when it fails", "when it fails again"):
        body = {"name": name, "description": "d", "enabled": True, "trigger": trigger}
        api.call("POST", "/automations/", {**body, "actions": [{"type": "do-nothing"}]})


def _make_blocks(api: PrefectApi, major: int) -> None:
    block_type = api.call("POST", "/block_types/", {"name": "Canary", "slug": "canary", "description": "a block"})
    fields = {
        "title": "Canary",
        "type": "object",
        "properties": {
            "url": {"title": "Url", "type": "string"},
            "token": {"title": "Token", "type": "string", "writeOnly": True, "format": "password"},
        },
        "required": ["url", "token"],
        "secret_fields": ["token"],
        "block_type_slug": "canary",
        "block_schema_references": {},
    }
    body = {"fields": fields, "block_type_id": block_type["id"], "capabilities": ["bark"], "version": "1.0"}
    schema = api.call("POST", "/block_schemas/", body)
    for name in ("canary-1", "canary-2", None):
        data = {"url": "http://cage", "token": SECRET}
        block = {"data": data, "block_schema_id": schema["id"], "block_type_id": block_type["id"]}
        block |= {"is_anonymous": True} if name is None else {"name": name}
        document = api.call("POST", "/block_documents/", block)
    if major == 2:
        policy = {"is_active": True, "state_names": ["Failed"], "tags": [], "block_document_id": document["id"]}
        api.call("POST", "/flow_run_notification_policies/", policy)
        api.call("POST", "/flow_run_notification_policies/", {**policy, "is_active": False})


def _make_limits(api: PrefectApi) -> None:
    for tag in ("database", "api"):
        api.call("POST", "/concurrency_limits/", {"tag": tag, "concurrency_limit": 2})
        api.call("POST", "/v2/concurrency_limits/", {"name": f"global {tag}", "limit": 5, "active": True})


def make_rows_of_runs(api: PrefectApi, flow_runs: Sequence[str]) -> None:
    """Make inputs, a task run with its states, artifacts and logs for each of these flow runs."""
    now = datetime.now(timezone.utc)
    for index, run in enumerate(flow_runs):
        for key in ("question", "answer"):
            body = {"key": f"{key}-{index}", "value": '{"value": [1, null]}', "sender": None}
            api.call("POST", f"/flow_runs/{run}/input", body)
        task_run: Json = {"flow_run_id": run, "task_key": "testbed.extract", "dynamic_key": str(index)}
        task_run |= {"name": f"extract-{index}", "state": {"type": "PENDING"}, "tags": ["t"]}
        task = api.call("POST", "/task_runs/", task_run)
        for state in ("RUNNING", "COMPLETED" if index % 2 else "FAILED"):
            api.call("POST", f"/task_runs/{task['id']}/set_state", {"state": {"type": state}, "force": True})
        for key in ("report", "no-key"):
            body = {"type": "markdown", "description": "d", "data": f"# {index}", "flow_run_id": run}
            api.call("POST", "/artifacts/", body | ({} if key == "no-key" else {"key": key, "task_run_id": task["id"]}))
        logs = [
            {
                "name": "prefect.flow_runs",
                "level": 20 + 10 * (n % 3),
                "message": f"line {n}\nüñ 'quoted'",
                "timestamp": (now + timedelta(seconds=n // 3)).isoformat(),  # equal timestamps, as in real logs
                "flow_run_id": run,
            }
            for n in range(40)
        ]
        api.call("POST", "/logs/", logs)  # type: ignore[arg-type]  # a list: the one body that is not an object


def _run_flows(server: PrefectServer) -> None:
    """Run real flows: they leave task runs that Prefect 3 records from events, subflows, logs and artifacts."""
    variables = {name: value for name, value in os.environ.items() if not name.startswith(("PREFECT_", "PYTHON"))}
    subprocess.run(
        [str(server.python), str(FLOWS)],
        env={**variables, "PREFECT_API_URL": server.api_url, "PREFECT_LOGGING_LEVEL": "INFO", "DO_NOT_TRACK": "1"},
        check=True,
        timeout=180,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
    )


def _wait_until_settled(api: PrefectApi) -> None:
    """Wait for the last task run and for an event after all others; the server shows both late."""
    last = {"id": str(uuid4()), "event": "last", "resource": {"prefect.resource.id": "testbed"}}
    last["occurred"] = datetime.now(timezone.utc).isoformat()
    api.call("POST", "/events", [last])  # type: ignore[arg-type]  # a list, like that of logs
    completed = {"task_runs": {"state": {"type": {"any_": ["COMPLETED"]}}}}
    deadline = time.monotonic() + _SETTLED_SECONDS
    while time.monotonic() < deadline:
        if _has_last_event(api) and api.call("POST", "/task_runs/count", completed) == _COMPLETED_TASK_RUNS:
            return
        time.sleep(0.2)
    raise RuntimeError("the server did not settle")


def _has_last_event(api: PrefectApi) -> bool:
    """Whether the last event is there; a server without events has none to wait for."""
    found = api.call("POST", "/events/filter", {"filter": {"resource": {"id": ["testbed"]}}})
    return found is None or found["total"] == 1


def _wait_for_task_worker(api: PrefectApi) -> None:
    deadline = time.monotonic() + _SETTLED_SECONDS
    while time.monotonic() < deadline:
        if read(api, "task_workers"):
            return
        time.sleep(0.2)
    raise RuntimeError("the server lists no task worker")


@dataclass(frozen=True)
class Listing:
    """How to read an entity: the path, in which ``{}`` is a value of the parent, and the body (None: GET)."""

    path: str
    body: Json | None = None
    parent: str | None = None
    value: str = "id"


LISTINGS: Final[dict[str, Listing]] = {
    "flows": Listing("/flows/filter", {"sort": "NAME_ASC"}),
    "flow_runs": Listing("/flow_runs/filter", {"sort": "ID_DESC"}),
    "flow_run_states": Listing("/flow_run_states/?flow_run_id={}", None, "flow_runs"),
    "flow_run_inputs": Listing("/flow_runs/{}/input/filter", {"prefix": "", "limit": 1000}, "flow_runs"),
    "task_runs": Listing("/task_runs/filter", {"sort": "ID_DESC"}),
    "task_run_states": Listing("/task_run_states/?task_run_id={}", None, "task_runs"),
    "deployments": Listing("/deployments/filter", {"sort": "CREATED_DESC"}),
    "deployment_schedules": Listing("/deployments/{}/schedules", None, "deployments"),
    "work_pools": Listing("/work_pools/filter", {}),
    "work_queues": Listing("/work_pools/{}/queues/filter", {}, "work_pools", "name"),
    "workers": Listing("/work_pools/{}/workers/filter", {}, "work_pools", "name"),
    "task_workers": Listing("/task_workers/filter", {"limit": 1000}),  # has no pages, and ignores the limit
    "artifacts": Listing("/artifacts/filter", {"sort": "ID_DESC"}),
    "artifact_collections": Listing("/artifacts/latest/filter", {"sort": "ID_DESC"}),
    "variables": Listing("/variables/filter", {"sort": "NAME_ASC"}),
    "block_types": Listing("/block_types/filter", {}),
    "block_schemas": Listing("/block_schemas/filter", {}),
    "block_documents": Listing(
        "/block_documents/filter", {"block_documents": {"is_anonymous": None}, "sort": "NAME_ASC"}
    ),
    "logs": Listing("/logs/filter", {"sort": "TIMESTAMP_ASC"}),
    "automations": Listing("/automations/filter", {"sort": "NAME_ASC"}),
    "concurrency_limits": Listing("/concurrency_limits/filter", {}),
    "global_concurrency_limits": Listing("/v2/concurrency_limits/filter", {}),
    "saved_searches": Listing("/saved_searches/filter", {}),
    "flow_run_notification_policies": Listing("/flow_run_notification_policies/filter", {}),
}


def read(api: PrefectApi, entity: str) -> list[Json]:
    """Read every row of an entity; nothing may change meanwhile. A child's rows have their ``parent``."""
    if entity == "events":
        return list(_events(api))
    listing = LISTINGS[entity]
    if listing.parent is None:
        return _pages(api, listing.path, listing.body)
    rows = []
    for parent in read(api, listing.parent):
        path = listing.path.format(_quoted(parent[listing.value]))
        rows += [{**row, "parent": parent} for row in _pages(api, path, listing.body)]
    return rows


def _pages(api: PrefectApi, path: str, body: Json | None) -> list[Json]:
    if body is None:
        return list(api.call("GET", path) or ())
    if "limit" in body:
        return list(api.call("POST", path, body) or ())
    rows: list[Json] = []
    while page := api.call("POST", path, {**body, "limit": 100, "offset": len(rows)}):
        rows += page
    return rows


def _events(api: PrefectApi) -> Iterator[Json]:
    page = api.call("POST", "/events/filter", {"limit": 50, "filter": {"order": "ASC"}})
    if page is None:  # the server has no events
        return
    yield from page["events"]
    while page["next_page"]:
        page = api.call("GET", f"/events/filter/next?{page['next_page'].partition('?')[2]}")
        yield from page["events"]


def _quoted(text: str) -> str:
    return quote(text, safe="")
