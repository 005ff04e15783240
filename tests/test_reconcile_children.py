"""Reconciliation of a child stream: it re-reads the parents, and the children of those that no query found changed."""

from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import datetime, timedelta, timezone
from pathlib import Path
from typing import Any

import pytest

from dev.testbed.loopback import Loopback, Reply, Seen
from engine.instants import format_instant, parse_instant
from engine.sync import sync
from tests.shop import Lines, Recorder, connection

STREAMS = """
version: 1
name: Shop
configuration:
  api_url: {type: url, description: Where the shop is., required: true}
api:
  base_url: ${api_url}
  pagination: {style: offset, page_size: 3}
  retry: {attempts: 1}
streams:
  orders:
    description: One row per order.
    endpoint: POST /orders/filter
    primary_key: id
    cursor_field: updated
    sync_mode: incremental
    body: {made_after: $from, made_before: $to}
    pagination: {style: keyset, field: $.made, page_size: 3}
    count: POST /orders/count
    incremental:
      changes: [{body: {closed_after: $since}, filters_by: $.closed}]
      reconcile: 24h
    fields: {id: $.id, updated: {path: $.updated, type: UTC_DATETIME}}
  notes:
    description: One row per note of an order.
    endpoint: GET /notes
    query: {order: $parent.id}
    parent: orders
    pagination: single
    primary_key: id
    cursor_field: order_updated
    sync_mode: incremental
    incremental: {reconcile: 24h}
    fields:
      id: $.id
      text: $.text
      order_updated: {path: $parent.updated, type: UTC_DATETIME, volatile: true}
"""
LONG_AGO = datetime(2024, 5, 1, tzinfo=timezone.utc)


class Shop:
    """Closed orders with one note each. ``requested``: the orders whose notes were requested."""

    def __init__(self) -> None:
        self.orders: dict[str, dict[str, Any]] = {}
        self.notes: dict[str, list[str]] = {}
        self.requested: list[str] = []
        for number in range(8):
            at = format_instant(LONG_AGO + timedelta(minutes=number))
            self.orders[f"o{number}"] = {"id": f"o{number}", "made": at, "closed": at, "updated": at}
            self.notes[f"o{number}"] = ["the first"]

    def answer(self, seen: Seen) -> Reply:
        """By path: the count, the notes of an order, or the orders made or closed after an instant."""
        if seen.path.endswith("/count"):
            return Reply(len(self.orders))
        if seen.path.endswith("/notes"):
            (order,) = seen.query["order"]
            self.requested.append(order)
            return Reply([{"id": f"{order}-{n}", "text": text} for n, text in enumerate(self.notes[order])])
        body = seen.json
        since = {"made": body.get("made_after"), "closed": body.get("closed_after")}
        rows = [
            row
            for row in self.orders.values()
            if all(after is None or parse_instant(row[name]) >= parse_instant(after) for name, after in since.items())
        ]
        return Reply(rows[body.get("offset", 0) :][: body["limit"]])


@pytest.fixture
def shop() -> Shop:
    return Shop()


@pytest.fixture
def server(shop: Shop) -> Iterator[Loopback]:
    with Loopback(shop.answer) as loopback:
        yield loopback


def earlier(instant: str, hours: float) -> str:
    return format_instant(parse_instant(instant) - timedelta(hours=hours))


def run(folder: Path, server: Loopback, shop: Shop, recorder: Recorder, hours_later: float = 0) -> None:
    """One sync, with every earlier round of reconciliation, and what queries covered, this many hours earlier.

    Instants of the orders stay.
    """
    state = json.loads(json.dumps(recorder.state))
    for stream in state.get("streams", {}).values():
        for name in ("began", "previous", "newest") if hours_later and "reconcile" in stream else ():
            if parse_instant(stream["reconcile"][name]) > LONG_AGO + timedelta(days=1):
                stream["reconcile"][name] = earlier(stream["reconcile"][name], hours_later)
        for intervals in stream.get("covered", {}).values():
            intervals[:] = ["..".join(earlier(at, hours_later) for at in one.split("..")) for one in intervals]
    shop.requested.clear()
    recorder.operations.clear()
    sync(connection(folder, server.url, STREAMS), state, recorder, Lines())


def test_children_of_a_parent_that_no_query_finds_arrive(tmp_path: Path, server: Loopback, shop: Shop) -> None:
    """Within the time of one round. No other parent costs a request."""
    recorder = Recorder()
    run(tmp_path, server, shop, recorder)
    assert sorted(shop.requested) == sorted(shop.orders)
    run(tmp_path, server, shop, recorder)
    assert shop.requested == []

    shop.notes["o3"].append("written long after the order was closed")
    shop.orders["o3"]["updated"] = format_instant(datetime.now(timezone.utc))
    run(tmp_path, server, shop, recorder)
    assert shop.requested == []  # no query finds it
    run(tmp_path, server, shop, recorder, hours_later=25)
    assert shop.requested == ["o3"]
    assert recorder.tables["notes"]["o3-1"]["text"] == "written long after the order was closed"


def test_reconciliation_skips_what_queries_delivered(tmp_path: Path, server: Loopback, shop: Shop) -> None:
    """A query finds an order that was closed, and its notes with it, so reconciliation does not request them again."""
    recorder = Recorder()
    run(tmp_path, server, shop, recorder)
    now = format_instant(datetime.now(timezone.utc))
    shop.orders["o5"] |= {"closed": now, "updated": now}
    shop.notes["o5"].append("closed again")
    run(tmp_path, server, shop, recorder)
    assert shop.requested == ["o5"]
    shop.orders["o5"]["closed"] = shop.orders["o5"]["updated"] = earlier(now, 25)
    run(tmp_path, server, shop, recorder, hours_later=25)
    assert shop.requested == []
