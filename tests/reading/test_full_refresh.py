"""Full refreshes send what changed and delete what is gone. A long list is believed once a second reading agrees."""

from __future__ import annotations

from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest

from dev.testbed.loopback import Reply, Seen, rows_by_offset
from engine.spec.load import ResolvedSpec
from engine.spec.types import SYNC_MODES
from engine.state import KNOWN_MAX
from engine.sync import sync
from tests.hostile.world import Killed, Warehouse
from tests.in_process import InProcess
from tests.shop import STREAMS as SHOP_STREAMS
from tests.shop import Lines, Recorder, connection
from tests.specs import edited

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
    endpoint: GET /pools/$(parent.id)/queues
    parent: pools
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
SHOPS = edited(SHOP_STREAMS, remove=["streams.orders"])


class Pools:
    """Pools, each with one queue, and tags.

    ``moves``: the last pool comes first once a page of pools was read. ``hidden``: a pool that one reading lacks.
    ``grows``: each reading of the pools finds another one.
    """

    def __init__(self) -> None:
        self.pools = [{"id": f"pool-{number:02}", "name": "p"} for number in range(10)]
        self.tags = [{"id": f"tag-{number:05}", "name": "t"} for number in range(3)]
        self.moves = self.grows = False
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
        if self.grows and first == 0:
            self.pools.append({"id": f"pool-{len(self.pools) + 10}", "name": "p"})
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


@pytest.mark.parametrize("many", [False, True])
@pytest.mark.parametrize("killed_at", range(1, 9))
def test_a_refresh_that_is_killed_leaves_nothing_behind(
    tmp_path: Path, pools: Pools, killed_at: int, many: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Though the destination keeps what it wrote, and the server is as it was before, when the next sync comes.

    If the state knows the rows, it knows those that the killed sync was about to write, and the table is not truncated.
    """
    if many:
        monkeypatch.setattr("engine.reading.full_refresh.KNOWN_MAX", 2)
    resolved, warehouse = connected(tmp_path, "tags"), Warehouse()
    synced(resolved, pools, warehouse)
    before = pools.tags
    pools.tags = [*({**tag, "name": "changed"} for tag in before[:2]), {"id": "tag-new", "name": "t"}]
    warehouse.killed_at = killed_at
    with suppress(Killed):
        synced(resolved, pools, warehouse)
    pools.tags, warehouse.killed_at = before, None
    synced(resolved, pools, warehouse)
    alive = {key: row["name"] for key, row in warehouse.tables["tags"].items() if not row["deleted"]}
    assert alive == {tag["id"]: tag["name"] for tag in before}
    assert many or not warehouse.count("truncate")


def test_a_list_that_grew_beyond_what_is_remembered_loses_what_is_gone(
    tmp_path: Path, pools: Pools, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its versions are not kept, so the table is truncated and sent again."""
    resolved, recorder = connected(tmp_path, "tags"), Recorder()
    synced(resolved, pools, recorder)
    monkeypatch.setattr("engine.reading.full_refresh._PROVABLE_MAX", 5)
    pools.tags = [{"id": f"new-{number:05}", "name": "t"} for number in range(8)] + pools.tags[1:]
    synced(resolved, pools, recorder)
    alive = {key for key, row in recorder.tables["tags"].items() if not row["deleted"]}
    assert alive == {tag["id"] for tag in pools.tags}


def test_readings_agree_on_more_rows_than_fit_the_memory(
    tmp_path: Path, pools: Pools, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A row that moves while they are read arrives and is not deleted. As long as nothing changes, one reading does."""
    monkeypatch.setattr("engine.reading.full_refresh._PROVABLE_MAX", 5)
    monkeypatch.setattr("engine.reading.full_refresh.KNOWN_MAX", 5)
    resolved, recorder = connected(tmp_path, "pools"), Recorder()
    for name in ("first", "second"):
        pools.pools = [{**pool, "name": name} for pool in pools.pools]
        pools.moves = True
        synced(resolved, pools, recorder)
        alive = [row["name"] for row in recorder.tables["pools"].values() if not row["deleted"]]
        assert alive == [name] * 10
        assert recorder.count("upsert", "pools") == 10
    synced(resolved, pools, recorder)
    assert [name for name, _ in recorder.operations] == []
    assert pools.readings == 1


@pytest.mark.parametrize("stable", [False, True])
def test_a_list_to_which_rows_come_faster_than_it_is_read_is_synced(tmp_path: Path, pools: Pools, stable: bool) -> None:
    """Readings agree on the rows that are gone, however many are new in each."""
    resolved, recorder = connected(tmp_path, "pools", stable=stable), Recorder()
    synced(resolved, pools, recorder)
    del pools.pools[3]
    pools.grows = True
    synced(resolved, pools, recorder)
    assert recorder.tables["pools"]["pool-03"]["deleted"]
    assert not any(row["deleted"] for key, row in recorder.tables["pools"].items() if key != "pool-03")


def test_a_first_sync_of_a_list_to_which_rows_come_faster_than_it_is_read_ends(tmp_path: Path, pools: Pools) -> None:
    """The destination has no row that could be missed. What comes later arrives with the next sync."""
    resolved, recorder = connected(tmp_path, "pools"), Recorder()
    pools.grows = True
    synced(resolved, pools, recorder)
    assert len(recorder.tables["pools"]) >= 10


@pytest.mark.parametrize(("missed", "is_deleted"), [(1, False), (2, False), (99, True)])
def test_a_row_is_deleted_once_three_readings_missed_it(tmp_path: Path, missed: int, is_deleted: bool) -> None:
    """A row that moves to a page which was read already is missed, and a busy list can hide it twice in a row."""
    rows = [{"id": f"s{number}", "name": "a shop"} for number in range(7)]
    readings = 0

    def answer(seen: Seen) -> Reply:
        nonlocal readings
        readings += seen.json["offset"] == 0
        return rows_by_offset(rows[:3] + rows[4:] if 0 < readings <= missed else rows)(seen)

    with InProcess(answer) as server:
        recorder, connected = Recorder(), connection(tmp_path, server.url, SHOPS, batch_size="3")
        readings = -99
        sync(connected, {}, recorder, Lines())
        readings = 0
        sync(connected, recorder.state, recorder, Lines())
    assert recorder.tables["shops"]["s3"]["deleted"] is is_deleted
    assert sum(row["deleted"] for row in recorder.tables["shops"].values()) == is_deleted


@pytest.mark.parametrize("stable", [False, True])
def test_an_incremental_list_that_is_declared_to_move_is_read_until_readings_agree(
    tmp_path: Path, pools: Pools, stable: bool
) -> None:
    """A row that moved to a page which was read before is found by the second reading, and only by that."""
    text = edited(
        STREAMS.replace("STABLE", str(stable).lower()),
        replace={"streams.pools.sync_mode": "incremental"},
        add={"streams.pools.incremental": {"changes": {"query": {"since": "$since"}}}},
    )
    pools.moves = True
    recorder = synced(connection(tmp_path, InProcess.url, text, streams="pools"), pools, Recorder())
    assert (len(recorder.tables["pools"]) == 10) == (not stable)
    assert recorder.count("upsert") == len(recorder.tables["pools"])
