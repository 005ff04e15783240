"""A stub of Airflow 2's stable REST API: DAGs, their runs and task instances.

https://airflow.apache.org/docs/apache-airflow/2.10.5/stable-rest-api-ref.html
"""

from __future__ import annotations

import base64
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from urllib.parse import unquote

from dev.testbed.loopback import Reply, Seen
from tests.examples.stubs.api import Api, Json, Rejected, parameters

USER, PASSWORD = "viewer", "correct:horse"
_ERRORS = "https://airflow.apache.org/docs/apache-airflow/2.10.5/stable-rest-api-ref.html#section/Errors/"
_PAGE = ("limit", "offset")
_TIMES = ("updated_at_gte", "updated_at_lte", "start_date_gte", "start_date_lte", "execution_date_gte")
_RUNS = (*_PAGE, *_TIMES, "order_by", "state", "fields")
_TASKS = (*_PAGE, *_TIMES, "state", "pool", "queue")


@dataclass
class Airflow(Api):
    """A server. ``most``: the largest page.

    ``updated_at``: when each run last changed, which no record shows; None if before an upgrade to Airflow 2.5.
    """

    most: int = 100
    dags: list[Json] = field(default_factory=list)
    runs: list[Json] = field(default_factory=list)
    tasks: dict[tuple[str, str], list[Json]] = field(default_factory=dict)
    updated_at: dict[tuple[str, str], datetime | None] = field(default_factory=dict)

    def add_dag(self, name: str) -> None:
        """Add a DAG."""
        flags = {"is_paused": False, "is_active": True, "is_subdag": False, "has_import_errors": False}
        cron = {"__type": "CronExpression", "value": "0 * * * *"}
        names = {"dag_id": name, "dag_display_name": name, "description": None, "fileloc": f"/dags/{name}.py"}
        more = {"owners": ["ada"], "tags": [{"name": "daily"}], "schedule_interval": cron, "max_active_runs": 16}
        self.dags.append({**names, **flags, **more, "timetable_description": "Every hour", "max_active_tasks": 16})

    def add_run(self, dag: str, at: datetime, tasks: int = 1) -> tuple[str, str]:
        """Start a run, with its tasks; returns its key."""
        key = dag, f"scheduled__{at.isoformat()}"
        times = {"logical_date": at.isoformat(), "start_date": at.isoformat(), "end_date": None}
        interval = {"data_interval_start": at.isoformat(), "data_interval_end": at.isoformat()}
        more = {"run_type": "scheduled", "external_trigger": False, "conf": {"full": True}, "note": None}
        self.runs.append({"dag_id": dag, "dag_run_id": key[1], "state": "running", **times, **interval, **more})
        self.tasks[key] = [self._task(key, number, at) for number in range(tasks)]
        self.updated_at[key] = at
        return key

    def finish(self, key: tuple[str, str]) -> None:
        """Let a run and its tasks end now."""
        run = next(one for one in self.runs if (one["dag_id"], one["dag_run_id"]) == key)
        for one in (run, *self.tasks[key]):
            one |= {"state": "success", "end_date": self.now.isoformat()}
        self.updated_at[key] = self.now

    def _task(self, key: tuple[str, str], number: int, at: datetime) -> Json:
        names = {"dag_id": key[0], "dag_run_id": key[1], "task_id": f"task{number}", "map_index": -1}
        times = {"start_date": at.isoformat(), "end_date": None, "duration": None, "queued_when": at.isoformat()}
        tries = {"state": "running", "try_number": 1, "max_tries": 2, "operator": "BashOperator", "hostname": "worker"}
        return {**names, **times, **tries, "pool": "default_pool", "queue": "default", "priority_weight": 1}

    def answer(self, seen: Seen, path: str) -> Reply:
        """A page of a list. An unknown run has no tasks."""
        expected = base64.b64encode(f"{USER}:{PASSWORD}".encode()).decode()
        if path != "/version" and seen.headers.get("Authorization") != f"Basic {expected}":
            raise _problem(401, "Unauthenticated", "Unauthorized", None)
        if path == "/version":
            return Reply({"version": "2.10.5", "git_version": None})
        if path == "/dags":
            query = parameters(seen, (*_PAGE, "only_active", "paused", "order_by", "tags", "dag_id_pattern"), _extra)
            _ordering(query, ("dag_id",))
            active = query.get("only_active", "true") == "true"
            return self._page("dags", [one for one in self.dags if one["is_active"] or not active], query)
        if path == "/dags/~/dagRuns":
            return self._runs(parameters(seen, _RUNS, _extra))
        found = re.fullmatch(r"/dags/([^/]+)/dagRuns/([^/]+)/taskInstances", path)
        if found is None:
            raise _problem(404, "NotFound", "Not Found", None)
        key = unquote(found[1]), unquote(found[2])
        return self._page("task_instances", self.tasks.get(key, []), parameters(seen, _TASKS, _extra))

    def _runs(self, query: Mapping[str, str]) -> Reply:
        _ordering(query, ("id", "state", "dag_id", "dag_run_id", "start_date", "end_date", "updated_at"))
        found = self.runs
        if "updated_at_gte" in query:
            since, at = _instant(query["updated_at_gte"]), self.updated_at
            dated = ((one, at[one["dag_id"], one["dag_run_id"]]) for one in found)
            found = [one for one, changed in dated if changed is not None and changed >= since]
        if "execution_date_gte" in query:
            since = _instant(query["execution_date_gte"])
            found = [one for one in found if _instant(one["logical_date"]) >= since]
        return self._page("dag_runs", found, query)

    def _page(self, name: str, found: Sequence[Json], query: Mapping[str, str]) -> Reply:
        """A page. One that is asked to be larger than the maximum has as many as that."""
        limit, offset = (query.get(key, default) for key, default in (("limit", "100"), ("offset", "0")))
        for text in (limit, offset):
            if not text.isdigit():
                raise _problem(400, "BadRequest", "Bad Request", f"'{text}' is not of type 'integer'")
        size = min(int(limit) or 100, self.most)
        return Reply({name: found[int(offset) : int(offset) + size], "total_entries": len(found)})


def _ordering(query: Mapping[str, str], allowed: Sequence[str]) -> None:
    name = query.get("order_by", allowed[0]).lstrip("-")
    if name not in allowed:
        words = f"Ordering with '{name}' is disallowed or the attribute does not exist on the model"
        raise _problem(400, "BadRequest", "Bad Request", words)


def _instant(text: str) -> datetime:
    try:
        return datetime.fromisoformat(text.replace("Z", "+00:00"))
    except ValueError as error:
        raise _problem(400, "BadRequest", "Incorrect datetime argument", str(error)) from None


def _extra(name: str) -> Rejected:
    return _problem(400, "BadRequest", "Bad Request", f"Extra query parameter(s) {name} not in spec")


def _problem(status: int, kind: str, title: str, detail: str | None) -> Rejected:
    problem = {"type": _ERRORS + kind, "title": title, "status": status, "detail": detail}
    return Rejected(Reply(problem, status, headers={"Content-Type": "application/problem+json"}))
