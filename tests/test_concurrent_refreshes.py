"""Full refreshes are read concurrently and written one by one."""

from __future__ import annotations

import threading
from pathlib import Path

import pytest

from dev.testbed.loopback import Loopback, Reply, Seen
from engine.failures import Failure
from engine.sync import sync
from tests.shop import Lines, Recorder, connection
from tests.specs import edited

NAMES = ("floors", "rooms", "doors", "chairs")
HOUSE = """
version: 1
name: House
configuration:
  api_url: {type: url, description: Where the house is., required: true}
api:
  base_url: ${api_url}
  pagination: {style: offset, page_size: 3}
  retry: {attempts: 1}
  concurrency: 4
streams: {}
"""
VISITS = {
    "description": "One row per visit.",
    "endpoint": "POST /visits/filter",
    "primary_key": "id",
    "cursor_field": "updated",
    "sync_mode": "incremental",
    "fields": {"id": "$.id", "updated": {"path": "$.updated", "type": "UTC_DATETIME"}},
}


def refreshed(name: str) -> dict[str, object]:
    """A stream that is refreshed in full."""
    return {
        "description": "One row of any kind.",
        "endpoint": f"POST /{name}/filter",
        "primary_key": "id",
        "sync_mode": "full_refresh",
        "fields": {"id": "$.id"},
    }


STREAMS = edited(
    HOUSE,
    add={
        "streams.floors": refreshed("floors"),
        "streams.visits": VISITS,
        **{f"streams.{name}": refreshed(name) for name in NAMES[1:]},
    },
)


def rows(seen: Seen) -> Reply:
    """A list of five rows."""
    name = seen.path.split("/")[2]
    found = [{"id": f"{name}-{n}", "updated": "2024-05-01T10:00:00Z"} for n in range(5)]
    return Reply(found[seen.json["offset"] : seen.json["offset"] + seen.json["limit"]])


def test_refreshes_are_requested_concurrently(tmp_path: Path) -> None:
    """The server sends no first page before it has received all requests.

    Rows are written table by table, incremental streams first.
    """
    together = threading.Barrier(len(NAMES), timeout=20)

    def answer(seen: Seen) -> Reply:
        if "visits" not in seen.path and seen.json["offset"] == 0:
            together.wait()
        return rows(seen)

    with Loopback(answer) as server:
        recorder = Recorder()
        lines = Lines()
        sync(connection(tmp_path, server.url, STREAMS), {}, recorder, lines)
    written = [table for operation, table in recorder.operations if operation == "upsert"]
    assert written == [name for name in ("visits", *NAMES) for _ in range(5)]
    assert lines.infos[-2] == "Synced 5 floors, 5 visits, 5 rooms, 5 doors, and 5 chairs"


def test_a_failed_refresh_leaves_the_other_tables_consistent(tmp_path: Path) -> None:
    """The others are complete. The failure names the one that is not, which is unchanged."""
    with Loopback(lambda seen: Reply({}, 418) if "doors" in seen.path else rows(seen)) as server:
        recorder = Recorder()
        with pytest.raises(Failure, match="doors: POST /doors/filter"):
            sync(connection(tmp_path, server.url, STREAMS), {}, recorder, Lines())
    assert list(recorder.tables) == ["visits", "floors", "rooms", "chairs"]
    assert all(len(table) == 5 and not any(r["deleted"] for r in table.values()) for table in recorder.tables.values())
    assert recorder.operations[-1][0] == "checkpoint"


def test_a_missing_endpoint_is_skipped(tmp_path: Path) -> None:
    """With a warning. The other tables arrive."""
    with Loopback(lambda seen: Reply({}, 404) if "rooms" in seen.path else rows(seen)) as server:
        recorder, lines = Recorder(), Lines()
        sync(connection(tmp_path, server.url, STREAMS), {}, recorder, lines)
    assert list(recorder.tables) == ["visits", "floors", "doors", "chairs"]
    assert [line for line in lines.warnings if "/rooms/filter not found; skipping." in line]


def test_a_failed_sync_leaves_no_thread(tmp_path: Path) -> None:
    """Not even one that waits for a request which was never sent. It would keep the process from exiting."""

    def of_rooms(name: str) -> dict[str, object]:
        return refreshed(name) | {"endpoint": f"POST /{name}/$(parent.id)", "parent": "rooms"}

    # More requests than threads: the windows and the lamps of three rooms, while the floors take one of three threads.
    children = {f"streams.{name}": of_rooms(name) for name in ("windows", "lamps")}
    streams = edited(STREAMS, add=children, replace={"api.concurrency": 3})
    window_requested, failed = threading.Event(), threading.Event()

    def answer(seen: Seen) -> Reply:
        if "floors" in seen.path:
            assert window_requested.wait(20)
            return Reply({}, 401)
        if "windows" in seen.path or "lamps" in seen.path:
            window_requested.set()
            assert failed.wait(20)
            return Reply([])
        if "rooms" in seen.path:
            return Reply([{"id": f"r{n}"} for n in range(3)][seen.json["offset"] :])
        return rows(seen)

    before = threading.enumerate()
    with Loopback(answer) as server:
        with pytest.raises(Failure, match="floors: POST /floors/filter"):
            sync(connection(tmp_path, server.url, streams), {}, Recorder(), Lines())
        left = [
            thread
            for thread in threading.enumerate()
            if thread not in before and thread.name.startswith(("pages-", "reading-"))
        ]
        failed.set()
        for thread in left:
            thread.join(10)
    assert left
    assert not any(thread.is_alive() for thread in left)
