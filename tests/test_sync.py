"""The sync as a whole, on a loopback server: modes, checkpoints, state, voice."""

from __future__ import annotations

import contextlib
import json
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

import engine.sync.progress
import engine.sync.writer
from dev.testbed.loopback import Loopback, Reply, Seen, rows_by_offset
from engine.failures import Failure
from engine.sync import sync
from tests.shop import STREAMS, Lines, Recorder, connection, orders

PROJECT = Path(__file__).resolve().parents[1]


class Shop:
    """The data behind the loopback server; tests change it between syncs."""

    def __init__(self) -> None:
        self.orders = orders(30)
        self.shops: list[dict[str, Any]] = [{"id": f"s{n}", "name": f"Shop {n}"} for n in range(12)]
        self.missing: set[str] = set()

    def answer(self, seen: Seen) -> Reply:
        """Serve orders and shops; 404 for what is missing."""
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


def run(folder: Path, server: Loopback, recorder: Recorder) -> Lines:
    """Sync with the recorder's own state, as Fivetran would."""
    lines = Lines()
    recorder.operations.clear()
    state = json.loads(json.dumps(recorder.state))
    sync(connection(folder, server.url, batch_size="10"), state, recorder, lines)
    return lines


def test_a_second_sync_sends_what_changed(tmp_path: Path, server: Loopback, shop: Shop) -> None:
    """Incremental: the rows whose cursor moved. Full refresh: all rows, and those that are gone are soft-deleted."""
    recorder = Recorder()
    run(tmp_path, server, recorder)
    assert (recorder.count("upsert", "orders"), recorder.count("upsert", "shops")) == (30, 12)
    shop.orders[4] |= {"updated": "2999-01-01T00:00:00+00:00", "note": "new"}
    shop.orders.append({"id": "extra", "updated": "2999-01-01T02:00:00+02:00", "amount": 1, "note": ""})
    del shop.shops[3]
    run(tmp_path, server, recorder)
    assert (recorder.count("upsert", "orders"), recorder.count("upsert", "shops")) == (2, 11)
    assert recorder.tables["orders"]["o00004"]["note"] == "new"
    assert [row["id"] for row in recorder.tables["shops"].values() if row["deleted"]] == ["s3"]
    run(tmp_path, server, recorder)
    assert recorder.count("upsert", "orders") == 0  # those dated in the future were sent in this version already


def test_cursors_compare_as_instants(tmp_path: Path, server: Loopback, shop: Shop) -> None:
    """The same instant in other words is no change: Z or an offset, with or without a fraction."""
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


def test_a_full_refresh_touches_nothing_before_its_read_is_whole(tmp_path: Path, server: Loopback, shop: Shop) -> None:
    """A read that fails half-way deletes nothing: no truncate, no row, no checkpoint of that stream."""
    recorder = Recorder()
    run(tmp_path, server, recorder)
    good = shop.answer
    server.answer = lambda seen: Reply(status=500) if "/shops/" in seen.path and seen.json["offset"] > 0 else good(seen)
    with pytest.raises(Failure):
        run(tmp_path, server, recorder)
    assert recorder.count("truncate") == 0
    assert recorder.count("upsert", "shops") == 0
    assert not any(row["deleted"] for row in recorder.tables["shops"].values())


def test_truncate_upserts_one_checkpoint(tmp_path: Path, server: Loopback) -> None:
    """In this order, so that no checkpoint ever holds a table that is half deleted."""
    recorder = Recorder()
    run(tmp_path, server, recorder)
    last = recorder.operations[recorder.operations.index(("truncate", "shops")) :]
    assert [name for name, _ in last] == ["truncate", *["upsert"] * 12, "checkpoint"]


def test_checkpoints_in_between_keep_the_old_cursor(
    tmp_path: Path, server: Loopback, shop: Shop, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Rows become durable now and then; the cursor moves only with the last page."""
    monkeypatch.setattr(engine.sync.writer, "CHECKPOINT_ROWS", 10)
    shop.orders = orders(100)
    recorder = Recorder()
    run(tmp_path, server, recorder)
    states = [what for name, what in recorder.operations if name == "checkpoint"]
    assert len(states) >= 8
    assert all("orders" not in state["streams"] for state in states[:-2])
    assert "since" in states[-1]["streams"]["orders"]


def test_checkpoints_come_by_time_too(tmp_path: Path, server: Loopback, monkeypatch: pytest.MonkeyPatch) -> None:
    """A slow stream is made durable after enough seconds."""
    monkeypatch.setattr(engine.sync.writer, "CHECKPOINT_SECONDS", 0.0)
    recorder = Recorder()
    run(tmp_path, server, recorder)
    assert recorder.count("checkpoint") >= 4


@pytest.mark.parametrize("stop_at", range(0, 60, 7))
@pytest.mark.scenario("stopped")
def test_a_sync_that_is_stopped_anywhere_loses_nothing(
    tmp_path: Path,
    server: Loopback,
    shop: Shop,
    monkeypatch: pytest.MonkeyPatch,
    stop_at: int,
) -> None:
    """Whatever operation the destination fails at, the next sync from the last checkpoint makes it whole."""
    monkeypatch.setattr(engine.sync.writer, "CHECKPOINT_ROWS", 10)

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
    with contextlib.suppress(Stopped):  # a late stop may find the sync finished
        run(tmp_path, server, failing)
    shop.orders[0] |= {"note": "meanwhile", "updated": "2999-01-01T00:00:00Z"}
    after = Recorder(tables=failing.tables, state=failing.state)
    run(tmp_path, server, after)
    assert sorted(after.tables["orders"]) == sorted(row["id"] for row in shop.orders)
    assert after.tables["orders"]["o00000"]["note"] == "meanwhile"
    assert {row["id"] for row in after.tables["shops"].values() if not row["deleted"]} == {r["id"] for r in shop.shops}


KEYSET = STREAMS.replace(
    "    body: {sort: ID_DESC}\n",
    """    body: {sort: MADE_ASC}
    pagination:
      {style: keyset, field: $.made, after: made.after_, before: made.before_, tie_breaker: {sort: ID_DESC}, page_size: 10}
""",
)


def by_keyset(rows: list[dict[str, Any]], seen: Seen) -> Reply:
    """Serve rows as a server does that filters and sorts by `made`."""
    window = seen.json.get("made", {})
    found = [row for row in rows if window.get("after_", "") <= row["made"] <= window.get("before_", "9")]
    found.sort(key=lambda row: row["id"] if seen.json["sort"] == "ID_DESC" else row["made"])
    offset = seen.json.get("offset", 0)
    return Reply(found[offset : offset + seen.json["limit"]])


def test_an_interrupted_pass_goes_on_where_it_was(
    tmp_path: Path, server: Loopback, shop: Shop, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Little is read twice; what changed behind the position since the pass began arrives in the same sync."""
    monkeypatch.setattr(engine.sync.writer, "CHECKPOINT_ROWS", 20)
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
        sync(connected, {}, recorder, Lines())
    assert recorder.state["streams"]["orders"]["pass"]["position"] == "2024-01-01T00:00:27.000000Z"
    assert "since" not in recorder.state["streams"]["orders"]

    shop.orders[0] |= {"updated": "2999-01-01T00:00:00Z", "note": "meanwhile"}
    server.answer = answer
    server.seen.clear()
    lines = Lines()
    sync(connected, recorder.state, recorder, lines)
    first = next(seen for seen in server.seen if seen.path.endswith("/orders/filter"))
    assert first.json["made"] == {"after_": "2024-01-01T00:00:27.000000Z"}
    assert len(recorder.tables["orders"]) == 30
    assert recorder.tables["orders"]["o00000"]["note"] == "meanwhile"
    assert recorder.state["streams"]["orders"].keys() == {"since", "recent"}
    assert any("going on at 2024-01-01T00:00:27" in line for line in lines.infos)


def test_a_missing_endpoint_is_skipped_with_a_warning(tmp_path: Path, server: Loopback, shop: Shop) -> None:
    """The other streams go on; the table of the missing one is not touched."""
    recorder = Recorder()
    run(tmp_path, server, recorder)
    shop.missing = {"shops"}
    lines = run(tmp_path, server, recorder)
    assert lines.warnings == [f"{server.url}/shops/filter not found; skipping."]
    assert recorder.count("truncate") == 0
    assert lines.infos[-2:] == ["Synced 0 orders", "Sync completed successfully"]


def test_an_endpoint_that_vanishes_in_the_middle_is_a_failure(tmp_path: Path, server: Loopback, shop: Shop) -> None:
    """Half a list is not a missing endpoint."""
    good = shop.answer
    server.answer = lambda seen: Reply(status=404) if (seen.json or {}).get("offset", 0) > 0 else good(seen)
    with pytest.raises(Failure, match="answered before in this sync"):
        run(tmp_path, server, Recorder())


def test_no_endpoint_at_all_is_a_failure(tmp_path: Path, server: Loopback, shop: Shop) -> None:
    """A wrong URL does not look like an empty API: the sync fails and says what the URL lacks."""
    server.answer = lambda seen: Reply({"detail": "Not Found"}, status=404)
    with pytest.raises(
        Failure, match=r"none of the endpoints exists: .*Check api_url\. api_url: a shop's URL ends in /api"
    ):
        sync(connection(tmp_path, server.url.removesuffix("/api")), {}, Recorder(), Lines())


def test_the_voice(tmp_path: Path, server: Loopback, shop: Shop) -> None:
    """What is read and how far it is, and one line at the end."""
    del shop.shops[1:]
    lines = run(tmp_path, server, Recorder())
    assert lines.infos == [
        "Starting Shop sync",
        "orders: reading POST /orders/filter, all rows (first sync)",
        "orders: 30 rows to read",
        "orders: 30 rows read, 30 synced",
        "shops: reading POST /shops/filter, all rows",
        "shops: 1 rows read, 1 synced",
        "Synced 30 orders and 1 shop",
        "Sync completed successfully",
    ]


def test_progress_is_told_with_a_share(
    tmp_path: Path, server: Loopback, shop: Shop, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A percentage and a remaining time, where the stream declares how its records are counted."""
    monkeypatch.setattr(engine.sync.progress, "PROGRESS_SECONDS", 0.0)
    lines = run(tmp_path, server, Recorder())
    assert any(line.startswith("orders: 10 of 30 (33%, about ") for line in lines.infos)


def test_a_count_that_fails_costs_only_the_percentage(tmp_path: Path, server: Loopback, shop: Shop) -> None:
    """The rows come all the same."""
    good = shop.answer
    server.answer = lambda seen: Reply(status=404) if seen.path.endswith("/count") else good(seen)
    recorder = Recorder()
    lines = run(tmp_path, server, recorder)
    assert recorder.count("upsert", "orders") == 30
    assert any("Progress is told without a percentage" in line for line in lines.warnings)


def test_values_that_do_not_fit_are_warned_of_once_a_column(tmp_path: Path, server: Loopback, shop: Shop) -> None:
    """The row and the sync go on."""
    shop.orders[0]["amount"] = "a lot"
    shop.orders[1]["amount"] = {"x": 1}
    recorder = Recorder()
    lines = run(tmp_path, server, recorder)
    assert recorder.tables["orders"]["o00000"]["amount"] is None
    assert lines.warnings == [
        "orders.amount: 2 values did not fit DOUBLE and became NULL; the first was a string, in the row with id=o00000"
    ]


def test_a_server_without_a_clock_is_told(tmp_path: Path, server: Loopback, shop: Shop) -> None:
    """Without Date headers the cursor stays, and the log says what that costs."""
    good = shop.answer

    def answer(seen: Seen) -> Reply:
        reply = good(seen)
        return Reply(reply.value, headers={"Date": None})

    server.answer = answer
    recorder = Recorder()
    lines = run(tmp_path, server, recorder)
    assert recorder.state["streams"] == {}
    assert any("no Date header" in line for line in lines.warnings)


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
