"""Children of parents that open or close during a sync, or close in a way that no query finds."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from datetime import datetime, timedelta, timezone
from email.utils import formatdate
from pathlib import Path
from typing import Any

import pytest

from dev.testbed.loopback import Reply, Seen
from engine.instants import format_instant, parse_instant
from engine.sync import sync
from tests.effort import pairs, some
from tests.in_process import InProcess
from tests.shop import Lines, Recorder, connection

STREAMS = """
version: 1
name: Shop
configuration:
  api_url: {type: url, description: Where the shop is., required: true}
api:
  base_url: ${api_url}
  pagination: {style: offset, page_size: 2}
  retry: {attempts: 1}
  lookback: 1m
streams:
  orders:
    description: One row per order.
    endpoint: POST /orders/filter
    primary_key: id
    cursor_field: updated
    sync_mode: incremental
    incremental:
      changes: [{body: {closed_after: $since}}]
      open: {field: $.status, values: [open], body: {status: $open}}
      lookup: {body: {ids: $keys}}
    fields: {id: $.id, status: $.status, updated: {path: $.updated, type: UTC_DATETIME}}
  items:
    description: One row per item, requested by the orders that can have changed.
    endpoint: POST /items/filter
    parent: {stream: orders, batch: 2}
    body: {orders: $parent.id}
    primary_key: id
    cursor_field: updated
    sync_mode: incremental
    incremental: {}
    fields: {id: $.id, text: $.text, updated: {path: $.updated, type: UTC_DATETIME}}
"""
MOVING = "o2"


def ago(**units: float) -> str:
    return format_instant(datetime.now(timezone.utc) - timedelta(**units))


class Shop:
    """Five orders with one item each. ``then``: a number of requests, and what happens after them."""

    def __init__(self) -> None:
        old = ago(days=9)
        self.orders: dict[str, dict[str, Any]] = {
            f"o{n}": {"id": f"o{n}", "status": "closed", "closed": old, "updated": old} for n in range(5)
        }
        self.items = {f"o{n}": {"id": f"i{n}", "order": f"o{n}", "text": "old", "updated": old} for n in range(5)}
        self.answered = 0
        self.then: tuple[int, Callable[[], None]] | None = None

    def answer(self, seen: Seen) -> Reply:
        """A page of items by their orders, or of orders by key, status or time of closing."""
        body = seen.json
        if "items" in seen.path:
            rows = [item for item in self.items.values() if item["order"] in body["orders"]]
        else:
            rows = [order for order in self.orders.values() if _matches(order, body)]
        page = [dict(row) for row in rows[body["offset"] :][: body["limit"]]]
        reply = Reply(page, headers={"Date": formatdate(usegmt=True)})
        self.answered += 1
        if self.then is not None and self.answered == self.then[0]:
            self.then[1]()
        return reply

    def open(self) -> None:
        """Open the moving order now."""
        self.orders[MOVING] |= {"status": "open", "closed": None, "updated": ago()}

    def close(self) -> None:
        """Close the moving order now."""
        self.orders[MOVING] |= {"status": "closed", "closed": ago(), "updated": ago()}

    def change_item(self) -> None:
        """Change the moving order's item, at a time when the order was open and the last sync was over."""
        self.items[MOVING] |= {"text": "new", "updated": ago(minutes=10)}


def _matches(order: dict[str, Any], body: dict[str, Any]) -> bool:
    if "ids" in body:
        return order["id"] in body["ids"]
    if "status" in body:
        return order["status"] in body["status"]
    after = body.get("closed_after")
    return after is None or (order["closed"] is not None and parse_instant(order["closed"]) >= parse_instant(after))


@pytest.fixture
def shop() -> Shop:
    return Shop()


@pytest.fixture
def server(shop: Shop) -> Iterator[InProcess]:
    with InProcess(shop.answer) as server:
        yield server


def run(folder: Path, server: InProcess, shop: Shop, recorder: Recorder, *, hours_later: float = 0) -> int:
    """One sync, with the ones before it this many hours earlier. Returns the number of requests."""
    state = json.loads(json.dumps(recorder.state))
    for stream in state.get("streams", {}).values():
        stream["since"] = format_instant(parse_instant(stream["since"]) - timedelta(hours=hours_later))
    shop.answered = 0
    sync(connection(folder, server.url, STREAMS), state, recorder, Lines())
    return shop.answered


REQUESTS = 20  # more than such a sync makes


@pytest.mark.parametrize(("at", "is_open"), some(pairs(range(1, REQUESTS), [True, False])))
def test_children_of_a_parent_that_changes_during_a_sync(
    tmp_path: Path, server: InProcess, shop: Shop, is_open: bool, at: int
) -> None:
    """They arrive wherever in the sync the parent opens or closes, so its own lists both miss it.

    Before the sync, the order was opened, its item changed, and the order possibly closed.
    """
    recorder = Recorder()
    run(tmp_path, server, shop, recorder)
    shop.change_item()
    shop.orders[MOVING] |= {"status": "open" if is_open else "closed", "updated": ago(minutes=9)}
    shop.orders[MOVING]["closed"] = None if is_open else ago(minutes=9)
    shop.then = at, shop.close if is_open else shop.open
    assert run(tmp_path, server, shop, recorder, hours_later=1) < REQUESTS
    run(tmp_path, server, shop, recorder)
    assert recorder.tables["items"]["i2"]["text"] == "new"


def test_children_of_a_parent_that_closed_without_a_trace(tmp_path: Path, server: InProcess, shop: Shop) -> None:
    """No query finds the order, because it has no closing time. The state lists it as open, so it is looked up."""
    shop.open()
    recorder = Recorder()
    run(tmp_path, server, shop, recorder)
    shop.change_item()
    shop.orders[MOVING] |= {"status": "closed", "closed": None, "updated": ago(minutes=9)}
    run(tmp_path, server, shop, recorder, hours_later=1)
    assert recorder.tables["orders"][MOVING]["status"] == "closed"
    assert recorder.tables["items"]["i2"]["text"] == "new"
