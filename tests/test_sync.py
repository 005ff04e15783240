"""The sync, on a loopback server: sync modes, checkpoints, state, log."""

from __future__ import annotations

import contextlib
import json
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

import engine.reading.progress
from dev.testbed.loopback import Loopback, Reply, Seen, rows_by_offset
from engine.failures import Failure
from engine.sync import sync
from tests.shop import KEYSET, Lines, Recorder, connection, orders

PROJECT = Path(__file__).resolve().parents[1]


class Shop:
    """The data of the loopback server. Tests change it between syncs."""

    def __init__(self) -> None:
        self.orders = orders(30)
        self.shops: list[dict[str, Any]] = [{"id": f"s{n}", "name": f"Shop {n}"} for n in range(12)]
        self.missing: set[str] = set()

    def answer(self, seen: Seen) -> Reply:
        """A page of orders or shops; 404 for missing ones."""
        stream = seen.path.split("/")[2]
        if stream in self.missing:
            return Reply({"detail": "Not Found"}, status=404)
        return rows_by_offset(self.orders if stream == "orders" else self.shops)(seen)


@pytest.fixture
def shop() -> Shop:
    return Shop()


@pytest.fixture
def server(shop: Shop) -> Iterator[Loopback]:
    with Loopback(shop.answer) as loopback:
        yield loopback


def run(folder: Path, server: Loopback, recorder: Recorder, **checkpoints: Any) -> Lines:
    """One sync with the state of the recorder's last checkpoint, as Fivetran runs it."""
    lines = Lines()
    recorder.operations.clear()
    state = json.loads(json.dumps(recorder.state))
    sync(connection(folder, server.url, batch_size="10"), state, recorder, lines, **checkpoints)
    return lines


def test_a_second_sync_sends_what_changed(tmp_path: Path, server: Loopback, shop: Shop) -> None:
    """Incremental: the rows whose cursor moved. Full refresh: the rows that differ; missing ones are soft-deleted."""
    recorder = Recorder()
    run(tmp_path, server, recorder)
    assert (recorder.count("upsert", "orders"), recorder.count("upsert", "shops")) == (30, 12)
    shop.orders[4] |= {"updated": "2999-01-01T00:00:00+00:00", "note": "new"}
    shop.orders.append({"id": "extra", "updated": "2999-01-01T02:00:00+02:00", "amount": 1, "note": ""})
    del shop.shops[3]
    shop.shops[5]["name"] = "renamed"
    run(tmp_path, server, recorder)
    assert (recorder.count("upsert", "orders"), recorder.count("upsert", "shops")) == (2, 1)
    assert (recorder.count("delete", "shops"), recorder.count("truncate")) == (1, 0)
    assert recorder.tables["shops"]["s6"]["name"] == "renamed"
    assert recorder.tables["orders"]["o00004"]["note"] == "new"
    assert [row["id"] for row in recorder.tables["shops"].values() if row["deleted"]] == ["s3"]
    run(tmp_path, server, recorder)
    assert recorder.count("upsert") == 0  # those dated in the future were sent already
    assert recorder.count("checkpoint") == 1


def test_a_quiet_sync_writes_nothing(tmp_path: Path, server: Loopback) -> None:
    """No upsert, no delete, no truncate, and one checkpoint, which only moves the cursors."""
    recorder = Recorder()
    run(tmp_path, server, recorder)
    run(tmp_path, server, recorder)
    assert [name for name, _ in recorder.operations] == ["checkpoint"]


def test_cursors_compare_as_instants(tmp_path: Path, server: Loopback, shop: Shop) -> None:
    """The same instant written differently is not a change: with Z or an offset, with or without a fraction."""
    recorder = Recorder()
    run(tmp_path, server, recorder)
    since = recorder.state["streams"]["orders"]["since"]
    shop.orders = [
        {"id": "before", "updated": "2024-05-01T23:59:59.999999Z"},
        {"id": "same", "updated": since.replace("Z", "+00:00")},
        {"id": "odd", "updated": None},
    ]
    run(tmp_path, server, recorder)
    assert recorder.count("upsert", "orders") == 2
    assert "before" not in recorder.tables["orders"]


def test_a_full_refresh_writes_nothing_before_its_list_is_complete(
    tmp_path: Path, server: Loopback, shop: Shop
) -> None:
    """A read that fails halfway deletes nothing: no truncate, no row, no checkpoint of that stream."""
    recorder = Recorder()
    run(tmp_path, server, recorder)
    good = shop.answer
    server.answer = lambda seen: Reply(status=500) if "/shops/" in seen.path and seen.json["offset"] > 0 else good(seen)
    with pytest.raises(Failure):
        run(tmp_path, server, recorder)
    assert recorder.count("truncate") == 0
    assert recorder.count("upsert", "shops") == 0
    assert not any(row["deleted"] for row in recorder.tables["shops"].values())


def test_a_full_refresh_is_a_truncate_the_rows_and_one_checkpoint(tmp_path: Path, server: Loopback) -> None:
    """In this order, so no checkpoint contains a half-deleted table."""
    recorder = Recorder()
    run(tmp_path, server, recorder)
    last = recorder.operations[recorder.operations.index(("truncate", "shops")) :]
    assert [name for name, _ in last] == ["truncate", *["upsert"] * 12, "checkpoint"]


def test_checkpoints_in_between_keep_the_old_cursor(tmp_path: Path, server: Loopback, shop: Shop) -> None:
    """They make rows durable. The cursor moves only with the last page."""
    shop.orders = orders(100)
    recorder = Recorder()
    run(tmp_path, server, recorder, checkpoint_rows=10)
    states = [state for name, state in recorder.operations if name == "checkpoint"]
    assert len(states) >= 7
    assert all("since" not in state["streams"].get("orders", {}) for state in states[:-2])
    assert "since" in states[-1]["streams"]["orders"]


def test_checkpoints_come_by_time_too(tmp_path: Path, server: Loopback) -> None:
    """The rows of a slow stream become durable after enough seconds."""
    recorder = Recorder()
    run(tmp_path, server, recorder, checkpoint_seconds=0.0)
    assert recorder.count("checkpoint") >= 4


@pytest.mark.parametrize("stop_at", range(0, 60, 7))
@pytest.mark.scenario("stopped")
def test_a_sync_that_is_interrupted_anywhere_loses_nothing(
    tmp_path: Path, server: Loopback, shop: Shop, stop_at: int
) -> None:
    """Whichever operation fails, the next sync from the last checkpoint completes the tables."""

    class Stopped(Exception):
        pass

    class Failing(Recorder):
        def step(self) -> None:
            if len(self.operations) == stop_at:
                raise Stopped

        def upsert(self, table: str, data: dict[str, Any]) -> None:
            self.step()
            super().upsert(table, data)

        def truncate(self, table: str) -> None:
            self.step()
            super().truncate(table)

        def checkpoint(self, state: dict[str, Any]) -> None:
            self.step()
            super().checkpoint(state)

    failing = Failing()
    with contextlib.suppress(Stopped):  # the sync may finish before the operation
        run(tmp_path, server, failing, checkpoint_rows=10)
    shop.orders[0] |= {"note": "meanwhile", "updated": "2999-01-01T00:00:00Z"}
    after = Recorder(tables=failing.tables, state=failing.state)
    run(tmp_path, server, after, checkpoint_rows=10)
    assert sorted(after.tables["orders"]) == sorted(row["id"] for row in shop.orders)
    assert after.tables["orders"]["o00000"]["note"] == "meanwhile"
    assert {row["id"] for row in after.tables["shops"].values() if not row["deleted"]} == {r["id"] for r in shop.shops}


def by_keyset(rows: list[dict[str, Any]], seen: Seen) -> Reply:
    """A page of rows, filtered and sorted by `made`."""
    window = seen.json.get("made", {})
    found = [row for row in rows if window.get("after_", "") <= row["made"] <= window.get("before_", "9")]
    found.sort(key=lambda row: row["id"] if seen.json["sort"] == "ID_DESC" else row["made"])
    offset = seen.json.get("offset", 0)
    return Reply(found[offset : offset + seen.json["limit"]])


def test_an_interrupted_pass_resumes_at_its_position(tmp_path: Path, server: Loopback, shop: Shop) -> None:
    """Few rows are read twice. What changed before the position since the pass began arrives in the same sync."""
    for number, order in enumerate(shop.orders):
        order["made"] = f"2024-01-01T00:00:{number:02}.000000Z"
    full = shop.answer

    def answer(seen: Seen) -> Reply:
        return by_keyset(shop.orders, seen) if seen.path.endswith("/orders/filter") else full(seen)

    def stopping(seen: Seen) -> Reply:
        return Reply(status=400) if "00:00:2" in str(seen.json) else answer(seen)

    server.answer = stopping
    recorder = Recorder()
    connected = connection(tmp_path, server.url, KEYSET)
    with pytest.raises(Failure):
        sync(connected, {}, recorder, Lines(), checkpoint_rows=20)
    reached, _, until = recorder.state["streams"]["orders"]["pass"]["position"].partition("..")
    assert reached == "2024-01-01T00:00:27.000000Z"
    assert "since" not in recorder.state["streams"]["orders"]

    shop.orders[0] |= {"updated": "2999-01-01T00:00:00Z", "note": "meanwhile"}
    server.answer = answer
    server.seen.clear()
    lines = Lines()
    sync(connected, recorder.state, recorder, lines, checkpoint_rows=20)
    first = next(seen for seen in server.seen if seen.path.endswith("/orders/filter"))
    assert first.json["made"] == {"after_": reached, "before_": until}
    assert len(recorder.tables["orders"]) == 30
    assert recorder.tables["orders"]["o00000"]["note"] == "meanwhile"
    assert recorder.state["streams"]["orders"].keys() == {"since", "recent", "made_by", "read_by"}
    assert any(", resuming the pass of " in line for line in lines.infos)


def test_a_missing_endpoint_is_skipped_with_a_warning(tmp_path: Path, server: Loopback, shop: Shop) -> None:
    """The other streams are synced. The table of the missing one stays as it is."""
    recorder = Recorder()
    run(tmp_path, server, recorder)
    shop.missing = {"shops"}
    lines = run(tmp_path, server, recorder)
    assert lines.warnings == [f"shops: {server.url}/shops/filter not found; skipping."]
    assert recorder.count("truncate") == 0
    assert lines.infos[-2:] == ["Synced 0 orders", "Sync completed successfully"]


def test_an_endpoint_that_disappears_during_a_read_is_a_failure(tmp_path: Path, server: Loopback, shop: Shop) -> None:
    """Its list is incomplete, so it must not be skipped like a missing endpoint."""
    good = shop.answer
    server.answer = lambda seen: Reply(status=404) if (seen.json or {}).get("offset", 0) > 0 else good(seen)
    with pytest.raises(Failure, match="existed earlier in this sync"):
        run(tmp_path, server, Recorder())


def test_a_server_without_any_endpoint_is_a_failure(tmp_path: Path, server: Loopback, shop: Shop) -> None:
    """A wrong URL must not look like an empty API. The message names the setting and what its URL lacks."""
    server.answer = lambda seen: Reply({"detail": "Not Found"}, status=404)
    with pytest.raises(
        Failure, match=r"none of the endpoints exists: .*Check api_url\. api_url: a shop's URL ends in /api"
    ):
        sync(connection(tmp_path, server.url.removesuffix("/api")), {}, Recorder(), Lines())


def test_the_log_of_a_sync(tmp_path: Path, server: Loopback, shop: Shop) -> None:
    """It names what is read, counts the rows, and ends with one line for the whole sync."""
    del shop.shops[1:]
    lines = run(tmp_path, server, Recorder())
    assert lines.infos == [
        "Starting Shop sync",
        "orders: reading POST /orders/filter, all rows (first sync)",
        "orders: 30 rows to read",
        "orders: 30 rows read, 30 synced",
        "shops: reading POST /shops/filter, all rows",
        "shops: 1 row read, 1 synced",
        "Synced 30 orders and 1 shop",
        "Sync completed successfully",
    ]


def test_progress_is_logged_with_a_percentage(
    tmp_path: Path, server: Loopback, shop: Shop, monkeypatch: pytest.MonkeyPatch
) -> None:
    """And with the remaining time, if the stream declares a count."""
    monkeypatch.setattr(engine.reading.progress, "PROGRESS_SECONDS", 0.0)
    lines = run(tmp_path, server, Recorder())
    assert any(line.startswith("orders: 10 of 30 rows read (33%, about ") for line in lines.infos)


def test_a_count_that_fails_costs_only_the_percentage(tmp_path: Path, server: Loopback, shop: Shop) -> None:
    """The rows arrive anyway."""
    good = shop.answer
    server.answer = lambda seen: Reply(status=404) if seen.path.endswith("/count") else good(seen)
    recorder = Recorder()
    lines = run(tmp_path, server, recorder)
    assert recorder.count("upsert", "orders") == 30
    assert any("goes on without a count" in line for line in lines.warnings)


def test_values_that_do_not_fit_are_one_warning_per_column(tmp_path: Path, server: Loopback, shop: Shop) -> None:
    """Neither the row nor the sync fails."""
    shop.orders[0]["amount"] = "a lot"
    shop.orders[1]["amount"] = {"x": 1}
    recorder = Recorder()
    lines = run(tmp_path, server, recorder)
    assert recorder.tables["orders"]["o00000"]["amount"] is None
    assert lines.warnings == [
        "orders.amount: 2 values did not fit DOUBLE and became NULL; the first was a string, in the row with id=o00000"
    ]


def test_without_a_date_the_newest_cursor_stands_in(tmp_path: Path, server: Loopback, shop: Shop) -> None:
    """The next sync sends what changed, and rows in the lookback at most twice."""
    good = shop.answer
    server.answer = lambda seen: replace(good(seen), headers={"Date": None})
    recorder = Recorder()
    lines = run(tmp_path, server, recorder)
    assert any("no Date header" in line for line in lines.warnings)
    run(tmp_path, server, recorder)
    assert recorder.count("upsert") == 0
    shop.orders[4] |= {"updated": "2024-05-01T10:00:01Z", "note": "new"}
    run(tmp_path, server, recorder)
    assert recorder.count("upsert") == 1


def test_the_engine_runs_without_the_sdk() -> None:
    """None of its modules imports the Fivetran SDK."""
    code = """
import importlib, pkgutil, sys
class Blocked:
    def find_spec(self, name, path=None, target=None):
        if name.startswith("fivetran"):
            raise ImportError(name)
sys.meta_path.insert(0, Blocked())
import engine
names = [m.name for m in pkgutil.walk_packages(engine.__path__, "engine.") if m.name != "engine.__main__"]
assert len(names) > 20
for name in names:
    importlib.import_module(name)
"""
    subprocess.run([sys.executable, "-c", code], cwd=PROJECT, check=True)
