"""Full refreshes send what changed and delete what is gone. A long list is believed once a second reading agrees."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from dev.testbed.loopback import Reply, Seen
from engine.spec.load import ResolvedSpec
from engine.spec.types import SYNC_MODES
from engine.state import KNOWN_MAX
from engine.sync import sync
from tests.in_process import InProcess
from tests.shop import Lines, Recorder, connection

STREAMS = """
version: 1
name: Pools
configuration:
  api_url: {type: url, description: Where it is., required: true}
  streams: {type: streams, description: Which are synced.}
api:
  base_url: ${api_url}
  pagination: {style: offset, page_size: 1000}
  retry: {attempts: 1}
streams:
  pools:
    description: One row per pool.
    endpoint: GET /pools
    primary_key: id
    sync_mode: full_refresh
    pagination: {style: offset, page_size: 4, stable: STABLE}
    fields: {id: $.id, name: $.name}
  queues:
    description: One row per queue.
    endpoint: GET /pools/{pool}/queues
    parent: {stream: pools, values: {pool: $.id}}
    primary_key: id
    sync_mode: full_refresh
    pagination: single
    fields: {id: $.id}
  tags:
    description: One row per tag.
    endpoint: GET /tags
    query: {sort: id}
    primary_key: id
    sync_mode: full_refresh
    fields: {id: $.id, name: $.name}
"""


class Pools:
    """Pools, each with one queue, and tags.

    ``moves``: the last pool comes first once a page of pools was read. ``hidden``: a pool that one reading lacks.
    """

    def __init__(self) -> None:
        self.pools = [{"id": f"pool-{number:02}", "name": "p"} for number in range(10)]
        self.tags = [{"id": f"tag-{number:05}", "name": "t"} for number in range(3)]
        self.moves = False
        self.readings = 0
        self.hidden: str | None = None

    def answer(self, seen: Seen) -> Reply:
        """A page of a list, or the queue of a pool."""
        if seen.path.endswith("/queues"):
            return Reply([{"id": f"queue of {seen.path.split('/')[-2]}"}])
        rows = self.tags if seen.path.endswith("/tags") else self.pools
        first, limit = (int(seen.query[name][0]) for name in ("offset", "limit"))
        self.readings += rows is self.pools and first == 0
        if self.readings > 1:
            self.hidden = None
        page = [row for row in rows if row["id"] != self.hidden][first : first + limit]
        if rows is self.pools and self.moves:
            self.pools.insert(0, self.pools.pop())
            self.moves = False
        return Reply(page)


@pytest.fixture
def pools() -> Pools:
    return Pools()


def connected(folder: Path, stream: str, *, stable: bool = False) -> ResolvedSpec:
    """A connection that syncs one stream."""
    text = STREAMS.replace("STABLE", str(stable).lower())
    return connection(folder, InProcess.url, text, streams=stream)


def synced(resolved: ResolvedSpec, pools: Pools, recorder: Recorder) -> Recorder:
    """Run one sync; the recorder has its operations."""
    recorder.operations.clear()
    pools.readings = 0
    with InProcess(pools.answer):
        sync(resolved, recorder.state, recorder, Lines(), checkpoint_rows=100_000)
    return recorder


@pytest.mark.parametrize("table", ["pools", "queues"])
def test_a_row_that_moves_while_its_list_is_read_is_not_deleted(tmp_path: Path, pools: Pools, table: str) -> None:
    """Nor are the rows that belong to it."""
    resolved, recorder = connected(tmp_path, table), Recorder()
    synced(resolved, pools, recorder)
    pools.moves = True
    assert synced(resolved, pools, recorder).count("delete", table) == 0
    assert not any(row["deleted"] for row in recorder.tables[table].values())


def test_a_row_that_moves_during_a_first_sync_arrives(tmp_path: Path, pools: Pools) -> None:
    """Though nothing was there that could be missing."""
    recorder = Recorder()
    pools.moves = True
    synced(connected(tmp_path, "pools"), pools, recorder)
    assert len(recorder.tables["pools"]) == 10


def test_a_row_is_deleted_once_a_second_reading_of_several_pages_lacks_it(tmp_path: Path, pools: Pools) -> None:
    """Even if the order is stable: a row can be missing from one response."""
    resolved, recorder = connected(tmp_path, "pools", stable=True), Recorder()
    synced(resolved, pools, recorder)
    pools.hidden = "pool-05"
    assert synced(resolved, pools, recorder).count("delete", "pools") == 0
    del pools.pools[5]
    assert synced(resolved, pools, recorder).count("delete", "pools") == 1


def test_of_many_rows_all_are_sent_if_one_changed(tmp_path: Path, pools: Pools) -> None:
    """The state has one digest for all of them. After a truncate, so that rows that are gone are marked."""
    assert f"of more than {KNOWN_MAX:,} rows" in SYNC_MODES["full_refresh"]
    pools.tags = [{"id": f"tag-{number:05}", "name": "t"} for number in range(KNOWN_MAX + 1)]
    resolved, recorder = connected(tmp_path, "tags"), Recorder()
    synced(resolved, pools, recorder)
    assert not synced(resolved, pools, recorder).count("upsert", "tags")
    changed: dict[str, Any] = pools.tags[0]
    changed["name"] = "changed"
    synced(resolved, pools, recorder)
    assert recorder.count("truncate", "tags") == 1
    assert recorder.count("upsert", "tags") == KNOWN_MAX + 1
