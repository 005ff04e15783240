"""Child streams: their requests are made from the rows of a parent stream."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from datetime import datetime, timezone
from pathlib import Path
from typing import Any
from urllib.parse import unquote

import pytest

from dev.testbed.loopback import Loopback, Reply, Seen
from engine.failures import Failure
from engine.instants import format_instant
from engine.sync import sync
from tests.in_process import InProcess
from tests.shop import Lines, Recorder, connection
from tests.specs import edited

STREAMS = """
version: 1
name: Shop
configuration:
  api_url: {type: url, description: Where the shop is., required: true}
api:
  base_url: ${api_url}
  pagination: {style: offset, page_size: 3}
  retry: {attempts: 1}
  lookback: 0s
streams:
  shops:
    description: One row per shop.
    endpoint: POST /shops/filter
    primary_key: id
    sync_mode: full_refresh
    fields: {id: $.id, name: $.name}
  shelves:
    description: One row per shelf of a shop, requested by the shop's name.
    endpoint: POST /shops/$(parent.name)/shelves
    parent: shops
    primary_key: id
    sync_mode: full_refresh
    fields: {id: $.id, shop_id: $parent.id}
  doors:
    description: One row per door, embedded in the shop's record.
    parent: shops
    records: $.doors
    primary_key: id
    sync_mode: full_refresh
    fields: {id: $.id, shop: $parent.name, first_tag: "$parent.tags[0]"}
  orders:
    description: One row per order.
    endpoint: POST /orders/filter
    primary_key: id
    cursor_field: updated
    sync_mode: incremental
    incremental:
      changes: [{body: {since: $since}}]
    fields: {id: $.id, updated: {path: $.updated, type: UTC_DATETIME}}
  items:
    description: One row per item of an order, requested by the keys of several orders.
    endpoint: POST /items/filter
    parent: {stream: orders, batch: 2}
    body: {order: {any_: $parent.id}}
    primary_key: id
    cursor_field: updated
    sync_mode: incremental
    incremental: {}
    fields: {id: $.id, order_id: $.order, updated: {path: $.updated, type: UTC_DATETIME}}
  notes:
    description: One row per note of an order, requested by a query parameter.
    endpoint: GET /notes
    query: {order: $parent.id}
    parent: orders
    pagination: single
    primary_key: id
    cursor_field: made
    sync_mode: incremental
    incremental: {}
    fields: {id: $.id, made: {path: $.made, type: UTC_DATETIME}}
"""

OLD, NEW = "2024-05-01T10:00:00Z", "2999-01-01T00:00:00Z"


class Shop:
    """The data of the server."""

    def __init__(self) -> None:
        self.shops: list[dict[str, Any]] = [
            {"id": f"s{n}", "name": f"Shop {n}/ü", "tags": ["a"], "doors": [{"id": f"s{n}-d{d}"} for d in range(n)]}
            for n in range(5)
        ]
        self.shops[4]["doors"] = None
        self.orders = [{"id": f"o{n}", "updated": OLD} for n in range(7)]
        self.items = [{"id": f"o{n}-i{i}", "order": f"o{n}", "updated": OLD} for n in range(7) for i in range(4)]
        self.notes = [{"id": f"o{n}-n", "order": f"o{n}", "made": OLD} for n in range(7)]
        self.without = ""
        self.gone: set[str] = set()
        self.gone_from_page_two: set[str] = set()
        self.first_page_is_gone_too = False

    def answer(self, seen: Seen) -> Reply:
        """By path. A shop that is gone has no shelves."""
        parts = seen.path.split("/")[2:]
        if self.without and self.without in seen.path:
            return Reply({"detail": "Not Found"}, 404)
        body = seen.json or {}
        if parts[0] == "shops" and parts[-1] == "shelves":
            name = unquote(parts[1])
            if name in self.gone_from_page_two and body.get("offset"):
                self.gone = {name} if self.first_page_is_gone_too else set()
                return Reply({"detail": "Work pool not found"}, 404)
            if name in self.gone:
                self.shops = [shop for shop in self.shops if shop["name"] != name]
                return Reply({"detail": "Work pool not found"}, 404)
            rows = [{"id": f"{name}-{n}"} for n in range(4)]
        elif parts[0] == "notes":
            rows = [note for note in self.notes if note["order"] in seen.query["order"]]
            return Reply(rows)
        elif parts[0] == "items":
            rows = [item for item in self.items if item["order"] in body["order"]["any_"]]
        else:
            rows = {"shops": self.shops, "orders": self.orders}[parts[0]]
            rows = [row for row in rows if row.get("updated", "") >= body.get("since", "")]
        offset = body.get("offset", 0)
        return Reply(rows[offset : offset + body.get("limit", 200)])


@pytest.fixture
def shop() -> Shop:
    return Shop()


@pytest.fixture
def server(shop: Shop) -> Iterator[Loopback]:
    with Loopback(shop.answer) as loopback:
        yield loopback


def run(folder: Path, server: Loopback, recorder: Recorder) -> Lines:
    lines = Lines()
    recorder.operations.clear()
    server.seen.clear()
    sync(connection(folder, server.url, STREAMS), json.loads(json.dumps(recorder.state)), recorder, lines)
    return lines


def test_the_children_of_every_parent_arrive(tmp_path: Path, server: Loopback, shop: Shop) -> None:
    """By path, in batches, by query parameter, and embedded in the parent's record."""
    recorder = Recorder()
    run(tmp_path, server, recorder)
    assert sorted(recorder.tables["shelves"]) == sorted(f"Shop {s}/ü-{n}" for s in range(5) for n in range(4))
    assert recorder.tables["shelves"]["Shop 3/ü-2"]["shop_id"] == "s3"
    assert recorder.tables["doors"].keys() == {f"s{n}-d{d}" for n in range(4) for d in range(n)}
    assert recorder.tables["doors"]["s2-d1"] | {"deleted": 0} == {
        "id": "s2-d1",
        "shop": "Shop 2/ü",
        "first_tag": "a",
        "deleted": 0,
    }
    assert recorder.tables["items"].keys() == {item["id"] for item in shop.items}
    assert recorder.tables["notes"].keys() == {note["id"] for note in shop.notes}
    paths = [seen.path for seen in server.seen]
    assert "/api/shops/Shop%200%2F%C3%BC/shelves" in paths  # the value is one segment of the path


def test_only_the_children_of_changed_parents_are_requested(tmp_path: Path, server: Loopback, shop: Shop) -> None:
    """Of those children, only the changed ones are sent."""
    recorder = Recorder()
    run(tmp_path, server, recorder)
    run(tmp_path, server, recorder)
    assert not [seen for seen in server.seen if seen.path in ("/api/items/filter", "/api/notes")]
    shop.orders[2]["updated"] = shop.items[9]["updated"] = NEW
    shop.notes.append({"id": "new", "order": "o2", "made": NEW})
    run(tmp_path, server, recorder)
    requested = {(seen.path, str((seen.json or {}).get("order") or seen.query)) for seen in server.seen}
    assert ("/api/items/filter", "{'any_': ['o2']}") in requested
    assert ("/api/notes", "{'order': ['o2']}") in requested
    assert not any("o3" in parents for _, parents in requested)
    assert (recorder.count("upsert", "items"), recorder.count("upsert", "notes")) == (1, 1)


def test_children_that_could_not_be_read_are_not_lost(tmp_path: Path, server: Loopback, shop: Shop) -> None:
    """The child stream has a `since` of its own, which stays behind when its parent's sync was complete."""
    recorder = Recorder()
    run(tmp_path, server, recorder)
    changed = format_instant(datetime.now(timezone.utc))
    shop.orders[2]["updated"] = shop.items[9]["updated"] = changed
    time.sleep(1.1)  # past the second of that change, by the Date header
    good = shop.answer
    server.answer = lambda seen: Reply(status=400) if seen.path == "/api/items/filter" else good(seen)
    with pytest.raises(Failure):
        run(tmp_path, server, recorder)
    since = {name: recorder.state["streams"][name]["since"] for name in ("items", "orders")}
    assert since["items"] <= changed < since["orders"]
    server.answer = good
    run(tmp_path, server, recorder)
    assert (recorder.count("upsert", "orders"), recorder.count("upsert", "items")) == (0, 1)


def test_a_deleted_parent_has_no_children(tmp_path: Path, server: Loopback, shop: Shop) -> None:
    """A single "not found" means that the parent was deleted in the meantime, not that the endpoint is missing."""
    recorder = Recorder()
    run(tmp_path, server, recorder)
    shop.gone = {"Shop 1/ü"}
    lines = run(tmp_path, server, recorder)
    assert {k for k, row in recorder.tables["shelves"].items() if row["deleted"]} == {f"Shop 1/ü-{n}" for n in range(4)}
    assert lines.warnings == []


@pytest.mark.parametrize("is_gone", [True, False])
def test_a_parent_that_is_deleted_while_its_children_are_read(
    tmp_path: Path, server: Loopback, shop: Shop, is_gone: bool
) -> None:
    """Then the first page of its list is gone too. If only a later page is, the list is incomplete: a failure."""
    shop.gone_from_page_two = {"Shop 1/ü"}
    shop.first_page_is_gone_too = is_gone
    if not is_gone:
        with pytest.raises(Failure, match=r"shelves: .*404 Not Found\. The endpoint existed earlier in this sync"):
            run(tmp_path, server, Recorder())
        return
    recorder = Recorder()
    lines = run(tmp_path, server, recorder)
    assert {key for key in recorder.tables["shelves"] if "Shop 2" in key} == {f"Shop 2/ü-{n}" for n in range(4)}
    assert lines.warnings == []


def test_children_without_an_endpoint_on_the_server_are_skipped(tmp_path: Path, server: Loopback, shop: Shop) -> None:
    """If every parent's children are "not found", the endpoint is missing: one warning; the table stays as it is."""
    recorder = Recorder()
    run(tmp_path, server, recorder)
    shop.without = "/shelves"
    lines = run(tmp_path, server, recorder)
    assert len(lines.warnings) == 1
    assert lines.warnings[0].startswith("shelves: none of 3 shops has this endpoint: http://")
    assert "/shelves not found; skipping." in lines.warnings[0]
    assert not any(row["deleted"] for row in recorder.tables["shelves"].values())
    shop.shops[1]["doors"].append({"id": "new"})
    run(tmp_path, server, recorder)
    assert recorder.count("upsert", "doors") == 1


def test_a_missing_parent_is_reported_once(tmp_path: Path, server: Loopback, shop: Shop) -> None:
    """With its name. Its children are missing with it, so the log mentions them without a warning."""
    shop.without = "/shops"
    lines = run(tmp_path, server, Recorder())
    assert lines.warnings == [f"shops: {server.url}/shops/filter not found; skipping."]
    assert {f"{name}: skipping, because the server has no shops" for name in ("shelves", "doors")} <= set(lines.infos)


def test_embedded_children_that_are_not_a_list_are_a_failure(tmp_path: Path, server: Loopback, shop: Shop) -> None:
    """A null or absent list means no children. Anything else contradicts streams.yaml."""
    shop.shops[2]["doors"] = {"id": "not a list"}
    with pytest.raises(Failure, match=r"doors: the parent's record has no list of objects at \$\.doors"):
        run(tmp_path, server, Recorder())


def test_a_parent_without_the_value_is_a_failure(tmp_path: Path, server: Loopback, shop: Shop) -> None:
    """Its children cannot be requested, and must not be soft-deleted for that."""
    del shop.shops[2]["name"]
    with pytest.raises(Failure, match=r"shelves: a record of shops has no value at \$\.name"):
        run(tmp_path, server, Recorder())


@pytest.mark.parametrize("name", ["..", ".", "", "../admin", "a/..", "%2e%2e", "%252E%252E", "..\\admin", "..%2Fadmin"])
def test_no_value_leaves_its_place_in_a_path(tmp_path: Path, name: str) -> None:
    """Its rows are skipped with a warning, rather than those of another place read; the other shops' rows arrive."""
    shops = [{"id": 1, "name": "a"}, {"id": 2, "name": name}, {"id": 3, "name": "a.b/c d%é"}]

    def answer(seen: Seen) -> Reply:
        offset = seen.json["offset"]
        if seen.path == "/api/shops/filter":
            return Reply(shops[offset : offset + seen.json["limit"]])
        if seen.path.endswith("/shelves"):
            return Reply([{"id": seen.path}][offset:])
        return Reply([])

    lines, recorder = Lines(), Recorder()
    with Loopback(answer) as server:
        sync(connection(tmp_path, server.url, STREAMS), {}, recorder, lines)
    assert {unquote(path) for path in recorder.tables["shelves"]} == {
        "/api/shops/a/shelves",
        "/api/shops/a.b/c d%é/shelves",
    }
    assert {seen.path.count("/") for seen in server.seen if "shelves" in seen.path} == {4}
    assert "shelves: shops ('2',) cannot be part of a path; its rows are skipped" in "\n".join(lines.warnings)


def test_slashes_stay_where_they_are_declared(tmp_path: Path) -> None:
    """`$(+parent.name)` is several segments of the path. No value leads to another place, nor to one segment less."""
    names = ["acme/api", "..", "acme/../admin", "acme/%2e%2e/x", "acme//x", "/admin", "a/", "x y/ü?"]

    def answer(seen: Seen) -> Reply:
        if seen.path == "/api/shops/filter":
            return Reply([{"id": number, "name": name} for number, name in enumerate(names)])
        return Reply([{"id": seen.path}])

    text = edited(STREAMS, remove=[f"streams.{name}" for name in ("doors", "orders", "items", "notes")])
    text = edited(text, replace={"streams.shelves.endpoint": "POST /shops/$(+parent.name)/shelves"})
    text = edited(text, replace={"api.pagination": "single"})
    lines, recorder = Lines(), Recorder()
    with InProcess(answer) as server:
        sync(connection(tmp_path, server.url, text), {}, recorder, lines)
    assert recorder.tables["shelves"].keys() == {"/api/shops/acme/api/shelves", "/api/shops/x%20y/%C3%BC%3F/shelves"}
    assert sum("cannot be part of a path" in line for line in lines.warnings) == 6
