"""A list that several streams read is requested once a sync, in as many requests as its pages take."""

from __future__ import annotations

from collections import Counter
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from dev.testbed.loopback import Reply, Seen
from engine.failures import Failure
from engine.reading.shared_lists import SharedLists
from tests.lists import HEAD, START, Server, alive, synced
from tests.specs import edited

FIELDS = "{id: $.id, updated: {path: $.updated, type: UTC_DATETIME}}"
INCREMENTAL = f"primary_key: id, cursor_field: updated, sync_mode: incremental, fields: {FIELDS}"
STREAMS = f"""{HEAD}
  issues: {{description: Issues., endpoint: GET /issues, {INCREMENTAL}}}
  changes: {{description: In an issue., parent: issues, records: $.changes, {INCREMENTAL}}}
  items: {{description: In a change., parent: changes, records: $.items, {INCREMENTAL}}}
  worklogs: {{description: Of an issue., endpoint: GET /issues/$(parent.id)/worklogs, parent: issues, {INCREMENTAL}}}
"""
FULL_REFRESH = STREAMS.replace("cursor_field: updated, sync_mode: incremental", "sync_mode: full_refresh")
PAGED = {
    "streams.issues.pagination": {"style": "offset", "page_size": 2, "query": {"offset": "$offset"}},
    "streams.issues.query": {"sort": "id"},
}


class Issues(Server):
    """Issues that hold their changes, which hold items; the worklogs of each are a list of their own."""

    def __init__(self, count: int) -> None:
        old = (START - timedelta(days=9)).isoformat()
        lists: dict[str, Any] = {}
        issues = []
        for n in range(count):
            item = {"id": f"i{n}", "updated": old}
            issues.append({"id": f"{n}", "updated": old, "changes": [{"id": f"c{n}", "updated": old, "items": [item]}]})
            lists[f"issues/{n}/worklogs"] = [{"id": f"w{n}", "updated": old}]
        super().__init__(issues=issues, **lists)

    def __call__(self, seen: Seen) -> Reply:
        reply = super().__call__(seen)
        return Reply(reply.value[:2] if "offset" in seen.query else reply.value, headers=reply.headers)

    def asked(self) -> Counter[str]:
        """How often each list was requested since the last call."""
        found = Counter(self.seen)
        self.seen.clear()
        return found


@pytest.mark.parametrize("text", [STREAMS, FULL_REFRESH], ids=["incremental", "full refresh"])
@pytest.mark.parametrize(("paged", "requests"), [(False, 1), (True, 5)])
def test_the_list_of_a_parent_is_requested_once_for_all_its_children(
    tmp_path: Path, text: str, paged: bool, requests: int
) -> None:
    """For the parent itself, its children and theirs, be they read one by one or at once; every row arrives."""
    server = Issues(5)
    text = edited(text, add=PAGED) if paged else text
    recorder, _ = synced(server, tmp_path, text)
    assert server.asked() == {"issues": requests, **{f"issues/{n}/worklogs": 1 for n in range(5)}}
    assert {name: len(alive(recorder, name)) for name in recorder.tables} == dict.fromkeys(
        ("issues", "changes", "items", "worklogs"), 5
    )


def test_lists_of_the_values_of_a_setting_are_requested_once_too(tmp_path: Path) -> None:
    """Such as the repositories of each organization, whose issues two streams read. Not if `answers` can skip one."""
    text = f"""{HEAD}
  issues:
    description: Issues of a site.
    endpoint: GET /$(parent.value)
    parent: {{list: "issues, more"}}
    primary_key: id
    sync_mode: full_refresh
    fields: {FIELDS}
  changes: {{description: In an issue., parent: issues, records: $.changes, {INCREMENTAL}}}
  worklogs: {{description: Of one., endpoint: GET /issues/$(parent.id)/worklogs, parent: issues, {INCREMENTAL}}}
"""
    server = Issues(2)
    server.lists["more"] = []
    recorder, _ = synced(server, tmp_path, text)
    assert server.asked() == {"issues": 1, "more": 1, "issues/0/worklogs": 1, "issues/1/worklogs": 1}
    assert {name: len(alive(recorder, name)) for name in recorder.tables} == dict.fromkeys(recorder.tables, 2)
    synced(server, tmp_path, text, recorder)
    assert server.asked()["issues"] == 1
    synced(server, tmp_path, edited(text, add={"streams.issues.answers": {"status": 403, "means": "skip"}}), recorder)
    assert server.asked()["issues"] == 3


def test_a_parent_that_is_not_synced_is_requested_once_too(tmp_path: Path) -> None:
    """Only streams that are selected count; one alone keeps nothing."""
    server = Issues(5)
    text = edited(FULL_REFRESH, add={"streams.issues.enabled": False, "streams.worklogs.enabled": False})
    recorder, _ = synced(server, tmp_path, text)
    assert server.asked() == {"issues": 1}
    assert recorder.tables.keys() == {"changes", "items"}


def test_a_row_is_deleted_only_by_a_reading_of_its_own(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The second reading, which confirms that rows are gone, asks the server, even while others share the first."""
    server = Issues(5)
    kept = SharedLists({"issues": 100})
    monkeypatch.setattr("engine.reading.source.SharedLists", lambda readers, feeds: kept)
    recorder, _ = synced(server, tmp_path, FULL_REFRESH)
    server.asked()
    del server.lists["issues"][1]
    kept.forget()
    synced(server, tmp_path, FULL_REFRESH, recorder)
    assert server.asked()["issues"] == 1 + 4
    assert {name: len(alive(recorder, name)) for name in recorder.tables} == dict.fromkeys(recorder.tables, 4)


def test_a_list_that_cannot_be_read_fails_for_all_its_readers(tmp_path: Path) -> None:
    """And the next sync requests it again."""
    server = Issues(5)
    good, server.lists["issues"] = server.lists["issues"], Reply({}, 500)
    text = edited(FULL_REFRESH, add={"streams.issues.enabled": False})
    with pytest.raises(Failure):
        synced(server, tmp_path, text)
    server.lists["issues"] = good
    recorder, _ = synced(server, tmp_path, text)
    assert {name: len(alive(recorder, name)) for name in recorder.tables} == dict.fromkeys(recorder.tables, 5)


def test_a_list_that_is_too_long_to_keep_is_requested_by_each(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Disks are not without end. Every row arrives."""
    monkeypatch.setattr("engine.reading.shared_lists._MAX_BYTES", 100)
    server = Issues(5)
    recorder, _ = synced(server, tmp_path, edited(STREAMS, add=PAGED))
    assert server.asked()["issues"] == 4 * 5
    assert {name: len(alive(recorder, name)) for name in recorder.tables} == dict.fromkeys(recorder.tables, 5)
