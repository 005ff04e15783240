"""Changes that the server no longer knows: the whole list is read again, once."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from dev.testbed.loopback import Reply
from engine.failures import Failure
from tests.lists import HEAD, Server, alive, synced
from tests.specs import edited

EVENTS = f"""{HEAD}
  events:
    description: One row per event of a calendar.
    endpoint: GET /events
    where: {{path: $.status, not: cancelled}}
    answers: {{status: 410, path: $.error, is: tooLongAgo, means: expired}}
    primary_key: id
    cursor_field: updated
    sync_mode: incremental
    incremental:
      changes: {{endpoint: GET /changes, query: {{since: $since}}}}
    fields: {{id: $.id, updated: {{path: $.updated, type: UTC_DATETIME}}}}
"""
GUESTS = """
  guests:
    description: One row per guest of an event.
    parent: events
    records: $.guests
    primary_key: id
    sync_mode: incremental
    incremental: {}
    fields: {id: $.id, event: $parent.id}
"""
GONE = Reply({"error": "tooLongAgo"}, 410)


def event(name: str, **more: Any) -> dict[str, Any]:
    return {"id": name, "updated": "2025-12-24T10:00:00Z", "guests": [{"id": f"guest of {name}"}], **more}


def test_the_whole_list_is_read_again_and_what_is_gone_is_deleted(tmp_path: Path) -> None:
    """A connection that was paused for longer than the server remembers goes on alone, with its children's rows."""
    server = Server(events=[event("a"), event("b"), event("c")], changes=[])
    recorder, _ = synced(server, tmp_path, EVENTS + GUESTS)
    assert {*alive(recorder, "events")} == {"a", "b", "c"}
    server.lists |= {"events": [event("a"), event("c"), event("d")], "changes": GONE}
    recorder, log = synced(server, tmp_path, EVENTS + GUESTS, recorder)
    assert {*alive(recorder, "events")} == {"a", "c", "d"}
    assert {*alive(recorder, "guests")} >= {"guest of d"}
    assert any(line.endswith("The whole list is read again.") for line in log.warnings)
    server.lists["changes"] = []
    server.seen.clear()
    recorder, _ = synced(server, tmp_path, EVENTS + GUESTS, recorder)
    assert {*server.seen} == {"changes"}
    assert recorder.count("upsert") == 0


def test_a_whole_list_that_expires_is_a_failure(tmp_path: Path) -> None:
    """It is not read again and again, be it a first one or the one in place of the changes."""
    server = Server(events=GONE, changes=[])
    with pytest.raises(Failure, match="410"):
        synced(server, tmp_path, EVENTS)
    server.lists["events"] = [event("a")]
    recorder, _ = synced(server, tmp_path, EVENTS)
    server.lists |= {"events": GONE, "changes": GONE}
    server.seen.clear()
    with pytest.raises(Failure, match="410"):
        synced(server, tmp_path, EVENTS, recorder)
    assert server.seen == ["changes", "events"]


def test_a_feed_that_expires_is_not_left_to_reconciliation(tmp_path: Path) -> None:
    """Only the whole list has all that it would have named."""
    text = edited(
        EVENTS,
        add={
            "streams.events.incremental.change_feed": {
                "endpoint": "GET /feed",
                "query": {"since": "$since"},
                "records": "$",
                "key": "$.id",
                "record": "$.event",
                "pagination": "single",
            },
            "streams.events.incremental.reconcile": "24h",
            "streams.events.pagination": "offset",
            "streams.events.count": "GET /count",
        },
    )
    server = Server(events=[event("a")], changes=[], feed=[], count=1)
    recorder, _ = synced(server, tmp_path, text)
    server.lists |= {"events": [event("a"), event("b")], "feed": GONE, "count": 2}
    synced(server, tmp_path, text, recorder)
    assert {*alive(recorder, "events")} == {"a", "b"}


def test_an_undeclared_410_says_how_to_declare_it(tmp_path: Path) -> None:
    """Without a declaration nothing is read again: the status can mean something else."""
    text = edited(EVENTS, remove=["streams.events.answers"])
    server = Server(events=[event("a")], changes=[])
    recorder, _ = synced(server, tmp_path, text)
    server.lists["changes"] = GONE
    with pytest.raises(Failure, match=r"declare it: answers: \{status: 410, means: expired\}"):
        synced(server, tmp_path, text, recorder)
