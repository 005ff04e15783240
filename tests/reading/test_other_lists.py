"""Changes that another list than the stream's own shows: a query with its own endpoint, and whole records in a feed."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from dev.testbed.loopback import Reply, Seen
from engine.failures import Failure
from tests.lists import HEAD, START, Server, alive, synced
from tests.shop import Recorder
from tests.specs import edited

TICKETS = f"""{HEAD}
  tickets:
    description: One row per ticket.
    endpoint: POST /tickets
    query: {{sort: id}}
    body: {{sort: id}}
    primary_key: id
    sync_mode: incremental
    incremental:
      changes: {{endpoint: GET /tickets/updated, query: {{since: $since}}, records: $.tickets}}
    fields: {{id: $.id, state: $.state}}
"""
FEED = f"""{HEAD}
  charges:
    description: One row per charge.
    endpoint: GET /charges
    primary_key: id
    cursor_field: updated
    sync_mode: incremental
    incremental:
      changes: {{endpoint: GET /charges/new, query: {{since: $since}}}}
      change_feed:
        endpoint: GET /events
        query: {{since: $since}}
        records: $.data
        key: $.id
        record: $.object
        where: {{path: $.type, is: charge}}
        pagination: {{style: token, token: $.next, query: {{cursor: $token}}}}
    fields: {{id: $.id, updated: {{path: $.updated, type: UTC_DATETIME}}, state: $.state}}
"""
CARDS = f"""{HEAD}
  boards:
    description: One row per board.
    endpoint: GET /boards
    primary_key: id
    sync_mode: full_refresh
    fields: {{id: $.id}}
  cards:
    description: One row per card.
    endpoint: GET /boards/$(parent.id)/cards
    parent: boards
    primary_key: id
    cursor_field: updated
    sync_mode: incremental
    incremental:
      changes: {{endpoint: GET /boards/$(parent.id)/changes, query: {{since: $since}}, records: $.cards}}
    fields: {{id: $.id, board: $parent.id, updated: {{path: $.updated, type: UTC_DATETIME}}}}
"""
UNDATED = edited(FEED, remove=["streams.charges.cursor_field", "streams.charges.fields.updated"])


class Recorded(Server):
    """A server that keeps its requests, and whose lists can be in pages: those after the first at ``?cursor=PAGE``."""

    def __init__(self, **lists: Any) -> None:
        super().__init__(**lists)
        self.requests: list[Seen] = []

    def __call__(self, seen: Seen) -> Reply:
        self.requests.append(seen)
        if "cursor" in seen.query:
            self.lists["next page"] = self.lists[seen.query["cursor"][0]]
            return super().__call__(Seen(seen.method, "/api/next page", {}, None, seen.headers, seen.at))
        return super().__call__(seen)


def state_of(recorder: Recorder, table: str) -> dict[str, str]:
    return {key: row["state"] for key, row in alive(recorder, table).items()}


# --- a query with an endpoint of its own ------------------------------------------------------------------------------


@pytest.fixture
def tickets() -> Recorded:
    """Two tickets, of which one has changed."""
    rows = [{"id": "t1", "state": "new"}, {"id": "t2", "state": "new"}]
    return Recorded(tickets=rows, **{"tickets/updated": {"tickets": [{"id": "t2", "state": "done"}]}})


def test_a_query_can_have_its_own_endpoint_and_records(tmp_path: Path, tickets: Recorded) -> None:
    """It is sent nothing of the stream's query and body, and its records are where it says."""
    recorder, _ = synced(tickets, tmp_path, TICKETS)
    assert [seen.path for seen in tickets.requests] == ["/api/tickets"]
    tickets.requests.clear()
    synced(tickets, tmp_path, TICKETS, recorder)
    sent = [(seen.method, seen.path, [*seen.query], seen.json) for seen in tickets.requests]
    assert sent == [("GET", "/api/tickets/updated", ["since"], None)]
    assert state_of(recorder, "tickets") == {"t1": "new", "t2": "done"}


def test_a_query_whose_endpoint_is_missing_fails(tmp_path: Path, tickets: Recorded) -> None:
    """The stream has an endpoint, so it is not skipped. A fallback is used; an optional query is left out."""
    recorder, _ = synced(tickets, tmp_path, TICKETS)
    tickets.lists["tickets/updated"] = Reply({"error": "no such path"}, 404)
    with pytest.raises(Failure, match=r"tickets/updated.*404"):
        synced(tickets, tmp_path, TICKETS, recorder)

    text = edited(TICKETS, add={"streams.tickets.incremental.changes.fallback": {"query": {"sort": "newest"}}})
    tickets.lists["tickets"][0]["state"] = "open"
    synced(tickets, tmp_path, text, recorder)
    assert state_of(recorder, "tickets")["t1"] == "open"


def test_each_parent_can_be_asked_at_an_endpoint_for_changes(tmp_path: Path) -> None:
    """New rows of the parent are asked at the stream's own."""
    card = {"id": "c1", "updated": START.isoformat()}
    server = Recorded(boards=[{"id": "b1"}], **{"boards/b1/cards": [card]})
    recorder, _ = synced(server, tmp_path, CARDS)
    server.lists["boards"].append({"id": "b2"})
    server.lists["boards/b2/cards"] = [{**card, "id": "c3"}]
    server.lists["boards/b1/changes"] = {"cards": [{"id": "c2", "updated": server.now.isoformat()}]}
    server.seen.clear()
    synced(server, tmp_path, CARDS, recorder)
    assert set(server.seen) == {"boards", "boards/b1/changes", "boards/b2/cards"}
    assert {key: row["board"] for key, row in alive(recorder, "cards").items()} == {"c1": "b1", "c2": "b1", "c3": "b2"}


def test_changes_of_all_children_can_be_one_list(tmp_path: Path) -> None:
    """Its path has no value of a parent, so one request is for all. A new parent's children are read from its own."""
    text = edited(
        CARDS,
        replace={"streams.cards.incremental.changes.endpoint": "GET /changes", "streams.cards.fields.board": "$.board"},
    )
    card = {"id": "c1", "board": "b1", "updated": START.isoformat()}
    server = Recorded(boards=[{"id": "b1"}, {"id": "b2"}], **{"boards/b1/cards": [card], "boards/b2/cards": []})
    recorder, _ = synced(server, tmp_path, text)
    server.lists["changes"] = {"cards": [{"id": "c2", "board": "b2", "updated": server.now.isoformat()}]}
    synced(server, tmp_path, text, recorder)
    assert server.seen.count("changes") == 1
    assert {key: row["board"] for key, row in alive(recorder, "cards").items()} == {"c1": "b1", "c2": "b2"}


# --- whole records in a change feed -----------------------------------------------------------------------------------


def event(number: int, key: str | None, state: str, updated: int = 0, type_: str = "charge") -> dict[str, Any]:
    """An event about a charge, which was updated so many hours ago or after the start."""
    at = f"2026-01-02T{updated:02}:00:00+00:00"
    row = {"updated": at, "state": state, **({"id": key} if key else {})}
    return {"id": f"e{number}", "type": type_, "object": row}


@pytest.fixture
def charges() -> Recorded:
    """Two old charges."""
    rows = [{"id": f"ch{number}", "updated": START.isoformat(), "state": "new"} for number in range(2)]
    return Recorded(charges=rows, **{"charges/new": [], "events": {"data": [], "next": None}})


@pytest.mark.parametrize("is_ascending", [False, True], ids=["newest first", "oldest first"])
def test_the_newest_record_of_a_row_counts(tmp_path: Path, charges: Recorded, is_ascending: bool) -> None:
    """By its cursor, on one page or on several, and whatever the order. Nothing is looked up."""
    recorder, _ = synced(charges, tmp_path, FEED)
    events = [event(3, "ch0", "third", 3), event(2, "ch0", "second", 2), event(4, "ch1", "paid", 1)]
    events += [event(1, "ch0", "first", 1)]
    if is_ascending:
        events.reverse()
    charges.lists["events"] = {"data": events[:3], "next": "more"}
    charges.lists["more"] = {"data": events[3:]}
    synced(charges, tmp_path, FEED, recorder)
    assert state_of(recorder, "charges") == {"ch0": "third", "ch1": "paid"}
    assert charges.seen[1:] == ["charges/new", "events", "next page"]


def test_without_a_cursor_the_first_record_of_a_row_counts(tmp_path: Path, charges: Recorded) -> None:
    """Feeds have the newest first."""
    recorder, _ = synced(charges, tmp_path, UNDATED)
    charges.lists["events"] = {"data": [event(3, "ch0", "third"), event(2, "ch0", "second")], "next": "more"}
    charges.lists["more"] = {"data": [event(1, "ch0", "first")]}
    synced(charges, tmp_path, UNDATED, recorder)
    assert state_of(recorder, "charges")["ch0"] == "third"
    assert recorder.count("upsert") == 1


def test_a_record_that_a_query_found_is_not_replaced(tmp_path: Path, charges: Recorded) -> None:
    """The query has returned it as it is now, and the event as it was."""
    recorder, _ = synced(charges, tmp_path, UNDATED)
    charges.lists["charges/new"] = [{"id": "ch2", "state": "paid"}]
    charges.lists["events"] = {"data": [event(1, "ch2", "new")]}
    synced(charges, tmp_path, UNDATED, recorder)
    assert state_of(recorder, "charges")["ch2"] == "paid"


def test_a_row_that_is_gone_does_not_come_back(tmp_path: Path, charges: Recorded) -> None:
    """It was open, and its last event is older than its end."""
    opened = {
        "open": {"field": "$.state", "values": "new", "query": {"state": "$open"}},
        "lookup": {"query": {"id": "$keys"}},
    }
    text = edited(
        UNDATED,
        replace={"streams.charges.incremental.changes.endpoint": "GET /charges"},
        add={f"streams.charges.incremental.{name}": block for name, block in opened.items()},
    )
    recorder, _ = synced(charges, tmp_path, text)
    del charges.lists["charges"][0]
    charges.lists["events"] = {"data": [event(1, "ch0", "paid"), event(2, "ch1", "old")]}
    synced(charges, tmp_path, text, recorder)
    assert state_of(recorder, "charges") == {"ch1": "new"}


def test_events_about_something_else_are_ignored(tmp_path: Path, charges: Recorded) -> None:
    """Those that where excludes, and those without a record or a key."""
    recorder, _ = synced(charges, tmp_path, FEED)
    others = [event(1, "du1", "won", 1, "dispute"), event(2, None, "upcoming", 1), {"id": "e3", "type": "charge"}]
    others.append({"id": "e4", "type": "charge", "object": "ch0"})
    charges.lists["events"] = {"data": [*others, event(5, "ch1", "paid", 1)]}
    _, log = synced(charges, tmp_path, FEED, recorder)
    assert state_of(recorder, "charges") == {"ch0": "new", "ch1": "paid"}
    assert log.warnings == []


def test_a_path_that_leads_to_nothing_is_told(tmp_path: Path, charges: Recorded) -> None:
    """Otherwise a misspelt one would find no change, in silence."""
    recorder, _ = synced(charges, tmp_path, FEED)
    charges.lists["events"] = {"data": [event(1, "ch0", "paid", 1)]}
    text = edited(FEED, replace={"streams.charges.incremental.change_feed.record": "$.data.objekt"})
    _, log = synced(charges, tmp_path, text, recorder)
    assert log.warnings == ["charges: GET /events returned 1 record, none with a value at $.data.objekt"]


def test_rows_whose_cursor_does_not_move_are_told(tmp_path: Path, charges: Recorded) -> None:
    """Otherwise a feed of such rows would change nothing, in silence. If some moved, the others may be known."""
    recorder, _ = synced(charges, tmp_path, FEED)
    old = event(1, "ch0", "paid")
    old["object"]["updated"] = "2020-01-01T00:00:00Z"
    charges.lists["events"] = {"data": [old]}
    _, log = synced(charges, tmp_path, FEED, recorder)
    message = "GET /events has changes of 1 row, none of which moved its updated, so they are not sent"
    assert log.warnings == [f"charges: {message}"]
    assert state_of(recorder, "charges")["ch0"] == "new"
    charges.lists["events"] = {"data": [old, event(2, "ch1", "paid", 23)]}
    charges.now = START + timedelta(days=2)
    _, log = synced(charges, tmp_path, FEED, recorder)
    assert log.warnings == []


def test_a_feed_that_was_interrupted_is_read_again_from_its_start(tmp_path: Path, charges: Recorded) -> None:
    """A later sync that went on at the second page would replace the newer record by the older one there."""
    recorder, _ = synced(charges, tmp_path, UNDATED)
    charges.lists["events"] = {"data": [event(2, "ch0", "second")], "next": "more"}
    charges.lists["more"] = Reply({"error": "broken"}, 500)
    with pytest.raises(Failure):
        synced(charges, tmp_path, UNDATED, recorder)
    charges.lists["more"] = {"data": [event(1, "ch0", "first")]}
    synced(charges, tmp_path, UNDATED, recorder)
    assert state_of(recorder, "charges")["ch0"] == "second"
