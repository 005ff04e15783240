"""What a stream declares in place of the api: headers, lookback, and concurrency."""

from __future__ import annotations

import time
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

from dev.testbed.loopback import Loopback, Reply, Seen
from engine.sync import sync
from tests.lists import HEAD, START, Server, synced
from tests.shop import Lines, Recorder, connection
from tests.specs import edited

SHOPS = f"""{HEAD}
  shops:
    description: One row per shop.
    endpoint: GET /shops
    primary_key: id
    sync_mode: full_refresh
    fields: {{id: $.id}}
  doors:
    description: One row per door.
    endpoint: GET /shops/$(parent.id)/doors
    parent: shops
    primary_key: id
    sync_mode: full_refresh
    fields: {{id: $.id}}
"""
ORDERS = f"""{HEAD}
  orders:
    description: One row per order.
    endpoint: GET /orders
    primary_key: id
    cursor_field: updated
    sync_mode: incremental
    incremental: {{changes: {{query: {{since: $since}}}}}}
    fields: {{id: $.id, updated: {{path: $.updated, type: UTC_DATETIME}}}}
"""


def test_the_headers_of_a_stream_are_sent_with_all_its_requests(tmp_path: Path) -> None:
    """In place of the api's of the same name, however it is written; with no other stream's requests."""
    text = edited(SHOPS, add={"api.headers": {"X-Version": "1", "X-Client": "c"}})
    own = {"x-version": "2", "Accept": "text/plain"}
    text = edited(text, add={"streams.doors.headers": own, "streams.doors.pagination": {"style": "offset"}})
    with Loopback(Server(shops=[{"id": "a"}], **{"shops/a/doors": [{"id": "d"}]})) as server:
        sync(connection(tmp_path, server.url, text), {}, Recorder(), Lines())
    shops, doors = ([seen.headers for seen in server.seen if seen.path.endswith(name)] for name in ("shops", "doors"))
    assert {(one["X-Version"], one["Accept"]) for one in shops} == {("1", "application/json")}
    assert len(doors) == 2
    assert {(one["X-Version"], one["X-Client"], one["Accept"]) for one in doors} == {("2", "c", "text/plain")}


def test_a_stream_looks_back_as_far_as_it_says(tmp_path: Path) -> None:
    """Its next sync asks for changes since the start of the last one, minus that."""
    since: list[str] = []
    text = edited(ORDERS, add={"streams.orders.lookback": "3h"})

    class Listening(Server):
        def __call__(self, seen: Seen) -> Reply:
            since.extend(seen.query.get("since", []))
            return super().__call__(seen)

    server = Listening(orders=[])
    recorder, _ = synced(server, tmp_path, text)
    synced(server, tmp_path, text, recorder)
    (asked,) = (datetime.fromisoformat(text.replace("Z", "+00:00")) for text in since)
    assert abs(asked - (START - timedelta(hours=3))) < timedelta(minutes=30)


def test_a_first_sync_can_begin_at_a_date(tmp_path: Path) -> None:
    """The request of the whole list has it, also without `windows`."""
    queries: list[Any] = []
    text = edited(ORDERS, add={"streams.orders.from": "2025-10-01", "streams.orders.query": {"after": "$from"}})

    class Listening(Server):
        def __call__(self, seen: Seen) -> Reply:
            queries.append(seen.query)
            return super().__call__(seen)

    synced(Listening(orders=[{"id": "a", "updated": START.isoformat()}]), tmp_path, text)
    assert queries == [{"after": ["2025-10-01T00:00:00.000000Z"]}]


def test_no_more_requests_are_in_flight_than_the_stream_allows(tmp_path: Path) -> None:
    """Of all children that could be read at once, one is."""
    names = [f"s{number}" for number in range(6)]
    in_flight, most = set[str](), 0

    class Slow(Server):
        def __call__(self, seen: Seen) -> Reply:
            nonlocal most
            in_flight.add(seen.path)
            most = max(most, len(in_flight))
            time.sleep(0.005)
            in_flight.discard(seen.path)
            return super().__call__(seen)

    lists: dict[str, Any] = {f"shops/{name}/doors": [{"id": name}] for name in names}
    text = edited(SHOPS, add={"streams.doors.concurrency": 1, "streams.shops.enabled": False})
    server = Slow(shops=[{"id": name} for name in names], **lists)
    synced(server, tmp_path, text)
    assert most == 1


def test_now_is_the_time_of_the_server(tmp_path: Path) -> None:
    """`$now` and `$now-7d`, in the request for a list and in a query for changes, by the server's clock."""
    asked: list[dict[str, list[str]]] = []

    class Clocked(Server):
        def __call__(self, seen: Seen) -> Reply:
            asked.append(dict(seen.query))
            return super().__call__(seen)

    server = Clocked(jobs=[])
    text = f"""{HEAD}
  first:
    description: The list whose response shows the time.
    endpoint: GET /jobs
    primary_key: id
    cursor_field: updated
    sync_mode: incremental
    fields: &fields {{id: $.id, updated: {{path: $.updated, type: UTC_DATETIME}}}}
  jobs:
    description: One row per job.
    endpoint: GET /jobs
    query: {{from: $now-7d, to: $now}}
    primary_key: id
    cursor_field: updated
    sync_mode: incremental
    incremental: {{changes: {{query: {{to: $now-1h}}}}}}
    fields: *fields
"""
    recorder, _ = synced(server, tmp_path, text)
    synced(server, tmp_path, text, recorder)
    first, second = ({name: value[:13] for name, (value,) in one.items()} for one in asked if one)
    assert second == {"from": "2025-12-26T00", "to": "2026-01-01T23"}
    assert first == {"from": "2025-12-25T00", "to": "2026-01-01T00"}
