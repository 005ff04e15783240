"""Rows that are requested by one key each: which of them are gone, and which are not to be concluded from."""

from __future__ import annotations

import threading
from collections.abc import Mapping
from dataclasses import replace
from datetime import datetime, timedelta
from email.utils import format_datetime
from pathlib import Path
from typing import Any
from uuid import UUID

import pytest

from dev.testbed.loopback import Reply, Seen
from engine.failures import Failure
from engine.spec.load import load
from tests.lists import HEAD, START, alive, synced
from tests.shop import Recorder
from tests.specs import edited

STREAMS = f"""{HEAD}
  orders:
    description: One row per order.
    endpoint: GET /orders
    query: {{sort: id}}
    primary_key: id
    cursor_field: updated
    sync_mode: incremental
    incremental:
      changes: {{query: {{made_since: $since}}}}
      open: {{field: $.state, values: [open], query: {{state: $open}}}}
      change_feed:
        {{endpoint: GET /events, query: {{since: $since}}, records: $, key: $.id, names: $.of, pagination: single}}
      lookup: {{endpoint: GET /orders/$(key)}}
    fields: {{id: $.id, updated: {{path: $.updated, type: UTC_DATETIME}}, state: $.state}}
"""
NOT_FOUND = Reply({"error": "no such order"}, 404)
PAGE = Reply(status=404, body=b"<h1>Not found</h1>", headers={"Content-Type": "text/html"})


class Orders:
    """A list that can be filtered by state and by when its rows were made, a list of events, and orders by key.

    ``instead``: what is returned in place of the order with a key. ``looked_up``: the keys that were requested.
    """

    def __init__(self) -> None:
        self.now = START
        self.rows: dict[str, dict[str, Any]] = {}
        self.events: list[dict[str, Any]] = []
        self.instead: dict[str, Reply] = {}
        self.looked_up: list[str] = []
        self.seen: list[Seen] = []
        for number in range(6):
            self.change(f"o{number}", state="open")

    def change(self, key: str, **values: Any) -> None:
        """Change an order, or make one."""
        self.rows.setdefault(key, {"id": key, "made": (self.now - timedelta(days=2)).isoformat()})
        self.rows[key].update(updated=self.now.isoformat(), **values)

    def __call__(self, seen: Seen) -> Reply:
        self.seen.append(seen)
        reply = self.reply(seen)
        return replace(reply, headers={"Date": format_datetime(self.now, usegmt=True), **reply.headers})

    def reply(self, seen: Seen) -> Reply:
        """The reply to a request."""
        path = seen.path.removeprefix("/api")
        if path == "/events":
            return Reply(self.events)
        if path == "/orders":
            return Reply([row for row in self.rows.values() if self.is_asked_for(row, seen.query)])
        key = path.removeprefix("/orders/")
        self.looked_up.append(key)
        return self.instead.get(key) or (Reply(self.rows[key]) if key in self.rows else NOT_FOUND)

    def is_asked_for(self, row: dict[str, Any], query: Mapping[str, list[str]]) -> bool:
        """Whether a row of the list fits the query."""
        if "id" in query:
            self.looked_up.append(query["id"][0])
            return str(row["id"]) in query["id"]
        made = datetime.fromisoformat(row["made"])
        since = [datetime.fromisoformat(text.replace("Z", "+00:00")) for text in query.get("made_since", [])]
        return row["state"] in query.get("state", [row["state"]]) and all(made >= one for one in since)


@pytest.fixture
def server() -> Orders:
    return Orders()


@pytest.fixture
def recorder(tmp_path: Path, server: Orders) -> Recorder:
    """What a first sync has written."""
    recorder, _ = synced(server, tmp_path, STREAMS)
    assert len(alive(recorder, "orders")) == 6
    return recorder


def test_open_rows_that_ended_are_found_and_those_that_are_gone_deleted(
    tmp_path: Path, server: Orders, recorder: Recorder
) -> None:
    """Each is asked for once, and again only if it is not there."""
    server.change("o1", state="done")
    del server.rows["o2"]
    synced(server, tmp_path, STREAMS, recorder)
    assert alive(recorder, "orders").keys() == server.rows.keys()
    assert alive(recorder, "orders")["o1"]["state"] == "done"
    assert sorted(server.looked_up) == ["o1", "o2", "o2"]
    assert all("sort" not in seen.query for seen in server.seen if seen.path.endswith("/o1"))


def test_rows_are_requested_at_once(
    tmp_path: Path, server: Orders, recorder: Recorder, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The server gets the second request before it has answered the first."""
    both = threading.Barrier(2)
    for key in ("o1", "o2"):
        server.change(key, state="done")
    reply = server.reply

    def wait_for_both(seen: Seen) -> Reply:
        if "/orders/" in seen.path:
            both.wait(timeout=30)
        return reply(seen)

    monkeypatch.setattr(server, "reply", wait_for_both)
    synced(server, tmp_path, STREAMS, recorder)
    assert {row["state"] for key, row in alive(recorder, "orders").items() if key in ("o1", "o2")} == {"done"}


def test_nothing_is_gone_if_the_rows_of_the_list_are_not_found_either(
    tmp_path: Path, server: Orders, recorder: Recorder
) -> None:
    """The path of the lookup is wrong, or the server has lost it. A row that ended is found once it is right."""
    text = edited(STREAMS, replace={"streams.orders.incremental.lookup.endpoint": "GET /orders/order-$(key)"})
    server.change("o2", state="done")
    with pytest.raises(Failure, match=r"GET /orders/order-\$\(key\) finds none of the rows that GET /orders lists"):
        synced(server, tmp_path, text, recorder)
    assert recorder.count("delete") == 0
    synced(server, tmp_path, STREAMS, recorder)
    assert alive(recorder, "orders")["o2"]["state"] == "done"


def test_nothing_is_gone_if_every_key_leads_to_the_same_row(tmp_path: Path, server: Orders, recorder: Recorder) -> None:
    """The server ignores the key."""
    server.instead = {key: Reply(server.rows["o0"]) for key in server.rows}
    server.change("o2", state="done")
    with pytest.raises(Failure, match="finds none of the rows"):
        synced(server, tmp_path, STREAMS, recorder)
    assert recorder.count("delete") == 0


def test_the_last_row_is_gone_if_the_list_is_empty(tmp_path: Path, server: Orders, recorder: Recorder) -> None:
    """There is no other that the server could find."""
    server.rows.clear()
    synced(server, tmp_path, STREAMS, recorder)
    assert not alive(recorder, "orders")


def test_a_404_of_a_proxy_is_a_failure(tmp_path: Path, server: Orders, recorder: Recorder) -> None:
    """Unless answers says that this is how the API puts it."""
    del server.rows["o2"]
    server.instead["o2"] = PAGE
    with pytest.raises(Failure, match=r"404 Not Found, not in JSON.*answers: {status: 404, means: empty}"):
        synced(server, tmp_path, STREAMS, recorder)
    assert recorder.count("delete") == 0
    text = edited(STREAMS, add={"streams.orders.answers": {"status": 404, "means": "empty"}})
    synced(server, tmp_path, text, recorder)
    assert alive(recorder, "orders").keys() == server.rows.keys()


@pytest.mark.parametrize(
    ("reply", "answers"),
    [(Reply({"error": "bad id"}, 400), []), (Reply({"error": "private"}, 403), [{"status": 403, "means": "skip"}])],
    ids=["rejected", "skipped"],
)
def test_a_row_that_the_server_refuses_stays(
    tmp_path: Path, server: Orders, recorder: Recorder, reply: Reply, answers: list[dict[str, Any]]
) -> None:
    """The others are found as ever."""
    text = edited(STREAMS, add={"streams.orders.answers": answers}) if answers else STREAMS
    for number in range(5):
        server.change(f"o{number}", state="done")
    server.instead["o3"] = reply
    _, log = synced(server, tmp_path, text, recorder)
    states = {key: row["state"] for key, row in alive(recorder, "orders").items()}
    assert states == {"o0": "done", "o1": "done", "o2": "done", "o3": "open", "o4": "done", "o5": "open"}
    assert "the server rejects the key 'o3' of a row; it stays as it is" in " ".join(log.warnings)


def test_a_row_that_is_found_as_another_is_gone(tmp_path: Path, server: Orders, recorder: Recorder) -> None:
    """It was merged into that one, which has a row of its own."""
    del server.rows["o2"]
    server.instead["o2"] = Reply(server.rows["o1"])
    server.change("o1", state="done")
    synced(server, tmp_path, STREAMS, recorder)
    assert alive(recorder, "orders").keys() == server.rows.keys()


def test_what_a_change_feed_names_is_found_or_ignored(tmp_path: Path, server: Orders, recorder: Recorder) -> None:
    """A key that leads to another path is not requested, and one that is not found deletes nothing."""
    for key in server.rows:
        server.change(key, state="done")
    synced(server, tmp_path, STREAMS, recorder)
    server.looked_up.clear()
    server.change("o4", state="paid")
    named = ["o4", "o9", "..", "o4/../../events", "a b/c"]
    server.events = [{"id": f"e{number}", "of": key} for number, key in enumerate(named)]
    _, log = synced(server, tmp_path, STREAMS, recorder)
    assert alive(recorder, "orders")["o4"]["state"] == "paid"
    assert recorder.count("delete") == 0
    assert set(server.looked_up) == {"o4", "o9", "a%20b%2Fc"}
    assert "names keys that are none of orders, such as '..'" in " ".join(log.warnings)


def test_a_feed_of_rows_that_are_never_found_is_a_failure(tmp_path: Path, server: Orders, recorder: Recorder) -> None:
    """A wrong path would be silent otherwise."""
    server.events = [{"id": "e1", "of": "o1"}, {"id": "e2", "of": "zzz"}]
    text = edited(
        STREAMS,
        remove=["streams.orders.incremental.open"],
        replace={"streams.orders.incremental.lookup.endpoint": "GET /orders/order-$(key)"},
    )
    with pytest.raises(Failure, match=r"Compare lookup in streams\.yaml"):
        synced(server, tmp_path, text, recorder)


@pytest.mark.parametrize("lookup", [{"endpoint": "GET /orders/$(key)", "records": "$"}, {"query": {"id": "$keys"}}])
def test_keys_can_be_integers(tmp_path: Path, server: Orders, lookup: dict[str, Any]) -> None:
    """Those of open rows, and those that a change feed names as numbers or as text. Others are ignored."""
    text = edited(
        STREAMS,
        replace={
            "streams.orders.fields.id": {"path": "$.id", "type": "LONG"},
            "streams.orders.incremental.lookup": lookup,
        },
    )
    numbers = {f"{number}": row for number, row in enumerate(server.rows.values(), start=7)}
    server.rows = {key: {**row, "id": int(key)} for key, row in numbers.items()}
    recorder, _ = synced(server, tmp_path, text)
    server.change("8", state="done")
    del server.rows["9"]
    synced(server, tmp_path, text, recorder)
    assert {key: row["state"] for key, row in alive(recorder, "orders").items()} == {
        **dict.fromkeys((7, 10, 11, 12), "open"),
        8: "done",
    }
    server.change("8", state="paid")
    server.change("10", state="lost")
    named: list[Any] = ["8", 10, "o1", "9", None, 8.5, "1e3"]
    server.events = [{"id": f"e{number}", "of": key} for number, key in enumerate(named)]
    _, log = synced(server, tmp_path, text, recorder)
    assert (alive(recorder, "orders")[8]["state"], alive(recorder, "orders")[10]["state"]) == ("paid", "lost")
    assert "names keys that are none of orders, such as 'o1'" in " ".join(log.warnings)


def test_a_feed_of_all_kinds_of_keys_hides_no_row(tmp_path: Path, server: Orders) -> None:
    """Keys of another form than the stream's are not looked up: a server may reject each, and so many end a feed."""
    keys = [str(UUID(int=number)) for number in range(len(server.rows))]
    server.rows = {key: {**row, "id": key} for key, row in zip(keys, server.rows.values(), strict=True)}
    for row in server.rows.values():
        row["state"] = "done"
    recorder, _ = synced(server, tmp_path, STREAMS)
    server.change(keys[1], state="paid")
    server.events = [{"id": f"e{number}", "of": f"invoice-{number}"} for number in range(30)]
    server.events.append({"id": "e30", "of": keys[1]})
    server.instead = {event["of"]: Reply({"error": "no UUID"}, 400) for event in server.events[:30]}
    synced(server, tmp_path, STREAMS, recorder)
    assert alive(recorder, "orders")[keys[1]]["state"] == "paid"
    assert server.looked_up == [keys[1]]


def test_one_key_in_the_query_returns_a_list(tmp_path: Path, server: Orders, recorder: Recorder) -> None:
    """Its records are where the stream's are."""
    text = edited(STREAMS, replace={"streams.orders.incremental.lookup": {"query": {"id": "$key"}}})
    server.change("o1", state="done")
    del server.rows["o2"]
    synced(server, tmp_path, text, recorder)
    assert alive(recorder, "orders").keys() == server.rows.keys()
    assert set(server.looked_up) == {"o1", "o2"}


def test_several_keys_can_have_an_endpoint_and_records_of_their_own(
    tmp_path: Path, server: Orders, recorder: Recorder, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Such as show_many, which takes them in one string."""
    reply = server.reply

    def show_many(seen: Seen) -> Reply:
        if not seen.path.endswith("/show_many"):
            return reply(seen)
        keys = seen.query["ids"][0].split(",")
        return Reply({"orders": [row for key, row in server.rows.items() if key in keys]})

    monkeypatch.setattr(server, "reply", show_many)
    lookup = {"endpoint": "GET /orders/show_many", "query": {"ids": "$(keys)"}, "records": "$.orders"}
    text = edited(STREAMS, replace={"streams.orders.incremental.lookup": lookup})
    server.change("o1", state="done")
    del server.rows["o2"]
    synced(server, tmp_path, text, recorder)
    assert alive(recorder, "orders").keys() == server.rows.keys()
    assert server.looked_up == []


def test_a_change_feed_has_instants_as_the_api_does(tmp_path: Path, server: Orders, recorder: Recorder) -> None:
    """$since in the format that instants declares."""
    text = edited(STREAMS, add={"streams.orders.instants": "epoch_seconds"})
    text = edited(text, replace={"streams.orders.incremental.changes": {"query": {}}})
    synced(server, tmp_path, text, recorder)
    asked = [seen.query["since"][0] for seen in server.seen if seen.path.endswith("/events")]
    assert [text.isdigit() for text in asked] == [True]


def test_a_lookup_is_of_one_row_if_its_path_has_the_key(tmp_path: Path) -> None:
    """With or without it, a query by $key is for one row at a time."""
    path = tmp_path / "streams.yaml"
    found = []
    for lookup in ({"endpoint": "GET /o/$(key)"}, {"query": {"id": "$key"}}, {"query": {"ids": "$(keys)"}}):
        path.write_text(edited(STREAMS, replace={"streams.orders.incremental.lookup": lookup}), "utf-8")
        incremental = load(path).streams["orders"].incremental
        assert incremental is not None and incremental.lookup is not None
        found.append((incremental.lookup.is_of_one, incremental.lookup.returns_one))
    assert found == [(True, True), (True, False), (False, False)]
