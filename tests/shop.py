"""A small API with its streams.yaml, a destination and a log: for tests of the engine that need no Prefect."""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import lru_cache
from pathlib import Path
from tempfile import NamedTemporaryFile
from typing import Any

from engine.spec.load import ResolvedSpec, resolve
from tests.specs import edited

STREAMS = """
version: 1
name: Shop
configuration:
  api_url:
    type: url
    description: Where the shop is.
    required: true
    warn_unless: {pattern: /api(/|$), message: a shop's URL ends in /api}
  api_key: {description: The key., secret: true}
  batch_size: {type: integer, description: The page size., default: "100"}
api:
  base_url: ${api_url}
  authentication: {style: bearer, token: "${api_key}"}
  pagination: {style: offset, page_size: "${batch_size}"}
  records: [$, $.results, $.result]
  timeout: {connect: 2s, read: 10s}
  retry: {attempts: 4, wait_initial: 10ms, wait_max: 40ms, retry_after_max: 2s, throttled_max: 3s}
streams:
  orders:
    description: One row per order.
    endpoint: POST /orders/filter
    primary_key: id
    cursor_field: updated
    sync_mode: incremental
    body: {sort: ID_DESC}
    count: POST /orders/count
    fields:
      id: $.id
      updated: {path: $.updated, type: UTC_DATETIME}
      amount: {path: $.amount, type: DOUBLE}
      note: $.note
  shops:
    description: One row per shop.
    endpoint: POST /shops/filter
    primary_key: id
    sync_mode: full_refresh
    fields:
      id: $.id
      name: $.name
"""
ORDERS_ONLY = edited(STREAMS, remove=["streams.shops"])
KEYSET = edited(
    STREAMS,
    replace={"streams.orders.body": {"made": {"after_": "$from", "before_": "$to"}, "sort": "MADE_ASC"}},
    add={
        "streams.orders.pagination": {
            "style": "keyset",
            "field": "$.made",
            "tie_breaker": {"body": {"sort": "ID_DESC"}},
            "page_size": 10,
        }
    },
)

OWNER: dict[str, Any] = {
    "description": "The owner of the shop, in one row.",
    "endpoint": "GET /owner",
    "pagination": {"style": "single", "one": True},
    "primary_key": "id",
    "sync_mode": "full_refresh",
    "fields": {"id": "$.id", "name": "$.name"},
}
"""A stream of one record, which :data:`STREAMS` does not have."""


def impatient(text: str) -> str:
    """A spec that waits half a second for a response, for servers that send none. A busy machine needs more."""
    return edited(text, replace={"api.timeout.read": "500ms"})


def connection(folder: Path, url: str, text: str = STREAMS, **settings: str) -> ResolvedSpec:
    """The shop's streams.yaml, or another, resolved with the settings of one connection."""
    (folder / "streams.yaml").write_text(text, "utf-8")
    return connected(text, api_url=url, **settings)


@lru_cache(maxsize=256)
def connected(text: str, **settings: str) -> ResolvedSpec:
    """A streams.yaml with these settings."""
    with NamedTemporaryFile() as file:
        file.write(text.encode())
        file.flush()
        return resolve(Path(file.name), settings, name="streams.yaml")


def orders(count: int, updated: str = "2024-05-01T10:00:00Z") -> list[dict[str, Any]]:
    """Orders with the keys o00000, o00001, and so on."""
    return [{"id": f"o{n:05}", "updated": updated, "amount": n + 0.5, "note": None} for n in range(count)]


@dataclass
class Recorder:
    """A destination in memory: the operations in order, and the tables that result from them."""

    operations: list[tuple[str, Any]] = field(default_factory=list)
    tables: dict[str, dict[Any, dict[str, Any]]] = field(default_factory=dict)
    state: dict[str, Any] = field(default_factory=dict)

    def upsert(self, table: str, data: dict[str, Any]) -> None:
        """Store a row by its column ``id`` or, if it has none, by its first column."""
        self.operations.append(("upsert", table))
        key = data["id"] if "id" in data else next(iter(data.values()))
        self.tables.setdefault(table, {})[key] = {**data, "deleted": False}

    def delete(self, table: str, keys: dict[str, Any]) -> None:
        """Mark a row as deleted."""
        self.operations.append(("delete", table))
        if keys["id"] in self.tables.get(table, {}):
            self.tables[table][keys["id"]]["deleted"] = True

    def truncate(self, table: str) -> None:
        """Mark all rows as deleted."""
        self.operations.append(("truncate", table))
        for row in self.tables.setdefault(table, {}).values():
            row["deleted"] = True

    def checkpoint(self, state: dict[str, Any]) -> None:
        """Store the state."""
        self.operations.append(("checkpoint", state))
        self.state = state

    def count(self, operation: str, table: str | None = None) -> int:
        """The number of times that an operation was called."""
        return sum(name == operation and table in (None, operand) for name, operand in self.operations)


@dataclass
class Lines:
    """A log in memory."""

    infos: list[str] = field(default_factory=list)
    warnings: list[str] = field(default_factory=list)

    def info(self, message: str) -> None:
        """Store an info line."""
        self.infos.append(message)

    def warning(self, message: str) -> None:
        """Store a warning."""
        self.warnings.append(message)
