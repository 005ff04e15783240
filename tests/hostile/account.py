"""An account with several workspaces, each a model of its own, and a connection that syncs them as partitions.

The rows of all workspaces have the same keys, so that only the workspace tells them apart.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from datetime import timedelta
from functools import partial
from threading import RLock
from typing import Any
from urllib.parse import unquote

from dev.testbed.loopback import Answerer, Reply, Seen
from tests.hostile.api import NOT_FOUND, START, Misbehavior, Row, http_date
from tests.hostile.model import STREAMS, TABLES, Model
from tests.hostile.world import Tables, Warehouse, World
from tests.in_process import InProcess
from tests.specs import edited

PARTITIONED = edited(
    STREAMS,
    add={
        "configuration.workspaces": {"description": "The workspaces."},
        "api.partitions": {
            "noun": "workspaces",
            "selected": "${workspaces}",
            "endpoint": "POST /workspaces/filter",
            "base_url": "/workspaces/$(partition.id)",
            "names": "$.name",
            "columns": {"workspace_id": "$.id"},
        },
        "streams.members": {
            "description": "One row per member of the account.",
            "endpoint": "GET ../../members",
            "pagination": "single",
            "primary_key": "id",
            "sync_mode": "full_refresh",
            "fields": {"id": "$.id"},
        },
    },
)
"""The hostile streams.yaml, whose streams each workspace has, and one that the account has."""


class Account:
    """The API of an account. What is below a workspace's URL is that of its model.

    Attributes:
        models: The workspaces by their ids.
        members: The rows of the account.
        misbehaviors: What stands between a request and the account.
    """

    def __init__(self, *workspaces: str) -> None:
        self.models: dict[str, Model] = {}
        self.names: dict[str, str] = {}
        self.members: list[Row] = [{"id": "m1"}, {"id": "m2"}]
        self.misbehaviors: list[Misbehavior] = []
        self.requests: list[Seen] = []
        self.now = START
        self._lock = RLock()
        for workspace in workspaces:
            self.add(workspace)

    def add(self, workspace: str) -> Model:
        """Make a workspace with a few rows of each kind."""
        model = self.models[workspace] = Model()
        self.names[workspace] = f"name of {workspace}"
        model.now = self.now
        model.fill()
        self.wait((model.now - self.now).total_seconds())
        return model

    def wait(self, seconds: float) -> None:
        """Let time pass, in all workspaces alike."""
        self.now = max(self.now, *(model.now for model in self.models.values())) + timedelta(seconds=seconds)
        for model in self.models.values():
            model.now = self.now

    def sent_to(self, path: str) -> int:
        """The number of requests for a path that contains this."""
        return sum(path in seen.path for seen in self.requests)

    @property
    def tables(self) -> Tables:
        """The rows of all workspaces, by workspace and key, and those of the account."""
        found: Tables = {"members": {row["id"]: row for row in self.members}}
        for workspace, model in self.models.items():
            for table, rows in model.tables.items():
                found.setdefault(table, {}).update({(workspace, key): row for key, row in rows.items()})
        return found

    def answer(self, seen: Seen) -> Reply:
        """The response to a request, after all misbehaviors."""
        with self._lock:
            self.requests.append(seen)
            answer: Answerer = self._respond
            for misbehavior in self.misbehaviors:
                answer = partial(_behind, misbehavior, answer)
            return answer(seen)

    def _respond(self, seen: Seen) -> Reply:
        parts = seen.path.removeprefix("/api/").split("/")
        date = {"Date": http_date(self.now)}
        if parts == ["workspaces", "filter"]:
            at = (seen.json or {}).get("offset", 0)
            rows = [{"id": key, "name": self.names[key]} for key in self.models]
            return Reply(rows[at : at + seen.json["limit"]], headers=date)
        if parts == ["members"]:
            return Reply(self.members, headers=date)
        model = self.models.get(unquote(parts[1])) if parts[0] == "workspaces" else self.models.get("main")
        if model is None:
            return replace(NOT_FOUND, headers=date)
        inner = "/".join(parts[2:] if parts[0] == "workspaces" else parts)
        reply = model.answer(replace(seen, path=f"/api/{inner}"))
        self.wait(0)
        return reply


class AccountWarehouse(Warehouse):
    """A destination whose tables have the workspace in their primary keys."""

    def upsert(self, table: str, data: dict[str, Any]) -> None:
        """Store a row."""
        super().upsert(table, _keyed(data))

    def delete(self, table: str, keys: dict[str, Any]) -> None:
        """Mark a row as deleted."""
        super().delete(table, _keyed(keys))


def _behind(misbehavior: Misbehavior, answer: Answerer, seen: Seen) -> Reply:
    return misbehavior(seen, answer)


def _keyed(row: dict[str, Any]) -> dict[str, Any]:
    key = "id" if "id" in row else next(iter(row))
    return {**row, key: (row["workspace_id"], row[key])} if "workspace_id" in row else row


class AccountWorld(World):
    """Syncs of an account's workspaces."""

    api: Account  # type: ignore[assignment]

    def __init__(self, server: InProcess, account: Account, text: str = PARTITIONED, **settings: str) -> None:
        super().__init__(server, account, text, **{"workspaces": "all", "streams": "all", **settings})  # type: ignore[arg-type]
        self.warehouse = AccountWarehouse()

    def all_wrong(self, tables: Iterable[str] = (*TABLES, "members")) -> dict[str, Any]:
        """The rows in which any table differs from the API's."""
        found = {table: self.wrong(table) for table in tables}
        return {table: wrong for table, wrong in found.items() if wrong}
