"""Fills a Prefect server of any version with what it has: rows of every kind that its API offers."""

from __future__ import annotations

from typing import Any, Final

from dev.testbed.history import Json, PrefectApi, Rejected

_NOT_OFFERED: Final = (404, 405)


class AnyVersion(PrefectApi):
    """Sends what the newest servers accept, and to older ones what they accept instead; what they lack is left out.

    ``without``: the endpoints that the server lacks.
    """

    def __init__(self, api_url: str) -> None:
        super().__init__(api_url)
        self.without: set[str] = set()

    def call(self, method: str, path: str, body: Json | None = None) -> Any:
        """Send a request; returns the decoded response, None if the server has no such endpoint."""
        try:
            return super().call(method, path, body)
        except Rejected as rejected:
            if rejected.status == 409 and body and "enforce_parameter_schema" not in body:
                # Prefect 3.0 rejects edits of deployments that enforce a schema and have none.
                return self.call(method, path, {**body, "enforce_parameter_schema": False})
            if rejected.status not in _NOT_OFFERED:
                raise
            self.without.add(path)
            return None

    def make_deployment(self, name: str, flow_id: str, schedules: list[Json]) -> str:
        """Make a deployment with its schedules, or with the first of them before Prefect 2.16."""
        try:
            return super().make_deployment(name, flow_id, schedules)
        except Rejected as rejected:
            if rejected.status != 422:
                raise
        first = schedules[0] if schedules else {"schedule": None, "active": False}
        body = {"name": name, "flow_id": flow_id, "schedule": first["schedule"], "tags": ["team:données"]}
        body |= {"is_schedule_active": first["active"], "parameters": {"day": "2024-02-29"}, "path": "."}
        return str(self.call("POST", "/deployments/", body)["id"])

    def set_state(self, flow_run: str, state: Json) -> None:
        """Set the state of a flow run, if the server knows it."""
        try:
            super().set_state(flow_run, state)
        except Rejected as rejected:
            if rejected.status != 422:
                raise
