"""The changes of a parent are requested once a sync, for itself and for the streams of its children."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from email.utils import format_datetime
from pathlib import Path
from typing import Any

import pytest

from dev.testbed.loopback import Reply, Seen
from engine.failures import Failure
from engine.instants import parse_instant
from tests.lists import HEAD, Server, alive, synced
from tests.shop import Recorder
from tests.specs import edited

FIELDS = "{id: $.id, text: $.text, updated: {path: $.updated, type: UTC_DATETIME}}"
ROWS = f"primary_key: id, cursor_field: updated, sync_mode: incremental, fields: {FIELDS}"
CHILDREN = f"parent: issues, {ROWS}, incremental: {{}}"
STREAMS = f"""{HEAD}
  issues:
    {{description: Issues., endpoint: GET /issues, {ROWS}, incremental: {{changes: [{{query: {{since: $since}}}}]}}}}
  comments: {{description: On an issue., endpoint: GET /issues/$(parent.id)/comments, {CHILDREN}}}
  changes: {{description: Of an issue., endpoint: GET /issues/$(parent.id)/changes, {CHILDREN}}}
"""
TWO_QUERIES = STREAMS.replace("[{query: {since: $since}}]", "[{query: {since: $since}}, {query: {later: $since}}]")


SECOND = timedelta(seconds=1)


class Issues(Server):
    """Issues with comments and changes, and a filter by the time of a change."""

    def __init__(self) -> None:
        super().__init__()
        self.early: tuple[str, timedelta] | None = None  # whose responses are dated early, and by how much
        self.lists = {"issues": [self.row(f"{number}") for number in range(3)]}
        for number in range(3):
            self.lists[f"issues/{number}/comments"] = [self.row(f"comment of {number}")]
            self.lists[f"issues/{number}/changes"] = [self.row(f"change of {number}")]

    def row(self, key: str) -> dict[str, Any]:
        return {"id": key, "updated": self.now.isoformat()}

    def edit(self, number: int) -> None:
        """Change an issue and what belongs to it."""
        self.touch("issues", number, text="edited")
        for name in ("comments", "changes"):
            self.touch(f"issues/{number}/{name}", 0, text="edited")

    def __call__(self, seen: Seen) -> Reply:
        reply = super().__call__(seen)
        if self.early and self.early[0] in seen.path:
            _, by = self.early
            self.early = None if by > SECOND else self.early
            reply = replace(reply, headers={"Date": format_datetime(self.now - by, usegmt=True)})
        if not seen.query or reply.status != 200:
            return reply
        since = parse_instant(next(iter(seen.query.values()))[0])
        found = [row for row in reply.value if parse_instant(row["updated"]) >= since]
        return Reply(found, headers=reply.headers)


def asked(server: Issues) -> int:
    """How often issues were requested since the last call."""
    found = server.seen.count("issues")
    server.seen.clear()
    return found


def edited_rows(recorder: Recorder, table: str) -> int:
    return sum(row["text"] == "edited" for row in alive(recorder, table).values())


@pytest.mark.parametrize(("text", "requests"), [(STREAMS, 1), (TWO_QUERIES, 4)], ids=["one query", "two queries"])
def test_changes_are_requested_once_for_all_that_read_them(tmp_path: Path, text: str, requests: int) -> None:
    """If two responses have them, a second time as well: a row can have slipped from one to the other."""
    server = Issues()
    recorder, _ = synced(server, tmp_path, text)
    for number in range(3):
        asked(server)
        server.edit(number)
        synced(server, tmp_path, text, recorder)
        assert asked(server) == requests
        for table in ("issues", "comments", "changes"):
            assert edited_rows(recorder, table) == number + 1


def test_a_stream_that_stayed_behind_requests_them_itself(tmp_path: Path) -> None:
    """From where it stopped, and once more, as it was interrupted. The sync after that shares them again."""
    server = Issues()
    recorder, _ = synced(server, tmp_path, STREAMS)
    server.edit(0)
    comments, server.lists["issues/0/comments"] = server.lists["issues/0/comments"], Reply({}, 500)
    with pytest.raises(Failure):
        synced(server, tmp_path, STREAMS, recorder)
    server.lists["issues/0/comments"] = comments
    server.edit(1)
    for requests in (3, 1):
        asked(server)
        synced(server, tmp_path, STREAMS, recorder)
        assert asked(server) == requests
        assert edited_rows(recorder, "comments") == 2


def test_changes_that_cannot_be_read_fail_for_all(tmp_path: Path) -> None:
    """They are requested once, or once more by a stream of children, and the next sync finds every change."""
    server = Issues()
    recorder, _ = synced(server, tmp_path, STREAMS)
    server.edit(0)
    issues, server.lists["issues"] = server.lists["issues"], Reply({}, 500)
    for text in (STREAMS, edited(STREAMS, add={"streams.issues.enabled": False})):
        asked(server)
        with pytest.raises(Failure):
            synced(server, tmp_path, text, recorder)
        assert asked(server) <= 2
    server.lists["issues"] = issues
    synced(server, tmp_path, STREAMS, recorder)
    for table in ("issues", "comments", "changes"):
        assert edited_rows(recorder, table) == 1


def test_a_moment_that_estimates_differ_by_does_not_matter(tmp_path: Path) -> None:
    """A later response can show that a pass began up to a second earlier than it seemed to the parent's."""
    server = Issues()
    server.early = "comments", SECOND
    recorder, _ = synced(server, tmp_path, STREAMS)
    asked(server)
    server.edit(0)
    synced(server, tmp_path, STREAMS, recorder)
    assert asked(server) == 1
    assert edited_rows(recorder, "comments") == 1


def test_one_response_with_a_wrong_date_is_requested_again(tmp_path: Path) -> None:
    """It proves nothing, however many streams it is for, so nothing is sent twice."""
    server, text = Issues(), edited(STREAMS, add={"streams.issues.enabled": False})
    recorder, _ = synced(server, tmp_path, text)
    server.edit(0)
    server.early = "/issues", timedelta(days=9)
    _, log = synced(server, tmp_path, text, recorder)
    assert not log.warnings
    assert [operation[0] for operation in recorder.operations].count("upsert") == 2


def test_a_stream_that_is_new_reads_no_changes_that_could_be_shared(tmp_path: Path) -> None:
    """So they are not requested a second time for it. It reads the whole list."""
    server = Issues()
    without_changes = edited(TWO_QUERIES, add={"streams.changes.enabled": False})
    recorder, _ = synced(server, tmp_path, edited(without_changes, add={"streams.comments.enabled": False}))
    asked(server)
    synced(server, tmp_path, without_changes, recorder)
    assert asked(server) == 3
    assert len(alive(recorder, "comments")) == 3
