"""A pass over changes: deleted rows, queries that the server rejects, and change feeds without access."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from dev.testbed.loopback import Loopback, Reply, Seen
from engine.failures import Failure, Unauthorized
from engine.sync import sync
from tests.reading.model import STREAMS, Model
from tests.shop import Lines, Recorder, connection
from tests.specs import edited

SHELVES = """
version: 1
name: Shop
configuration:
  api_url: {type: url, description: Where the shop is., required: true}
api: {base_url: "${api_url}", pagination: {style: offset, page_size: 3}, lookback: 0s, retry: {attempts: 1}}
streams:
  shelves:
    description: One row per shelf.
    endpoint: POST /shelves/filter
    primary_key: id
    cursor_field: updated
    sync_mode: incremental
    deleted: soft_delete
    body: {sort: ID_ASC}
    count: POST /shelves/count
    incremental: {changes: [{body: {sort: UPDATED_DESC}, stop_at: $.updated}]}
    fields: {id: $.id, updated: {path: $.updated, type: UTC_DATETIME}}
"""
OLD, NEW = "2024-05-01T10:00:00Z", "2999-01-01T00:00:00Z"


class Shelves:
    """A list and its count. ``requested``: what was requested, by sort."""

    def __init__(self) -> None:
        self.rows = {f"s{n:02}": OLD for n in range(8)}
        self.requested: list[str] = []
        self.counted: Any = None  # instead of the number of rows
        self.fails_at: str | None = None

    def answer(self, seen: Seen) -> Reply:
        """The count, or a page in the order of the sort."""
        what = "count" if seen.path.endswith("/count") else seen.json["sort"]
        self.requested.append(what)
        if what == self.fails_at:
            return Reply({"detail": "no"}, 418)
        if what == "count":
            return Reply(len(self.rows) if self.counted is None else self.counted)
        rows = [{"id": key, "updated": updated} for key, updated in sorted(self.rows.items())]
        if what == "UPDATED_DESC":
            rows.sort(key=lambda row: row["updated"], reverse=True)
        return Reply(rows[seen.json["offset"] : seen.json["offset"] + seen.json["limit"]])


@pytest.fixture
def shelves() -> Shelves:
    return Shelves()


@pytest.fixture
def server(shelves: Shelves) -> Iterator[Loopback]:
    with Loopback(shelves.answer) as loopback:
        yield loopback


def run(folder: Path, server: Loopback, recorder: Recorder, text: str = SHELVES) -> Lines:
    """One sync with the state of the last checkpoint."""
    lines = Lines()
    recorder.operations.clear()
    sync(connection(folder, server.url, text), json.loads(json.dumps(recorder.state)), recorder, lines)
    return lines


def existing(recorder: Recorder) -> set[str]:
    return {key for key, row in recorder.tables["shelves"].items() if not row["deleted"]}


def test_deleted_rows_are_detected_by_the_count(tmp_path: Path, server: Loopback, shelves: Shelves) -> None:
    """The whole list is read only if the count differs from the number of known rows."""
    recorder = Recorder()
    run(tmp_path, server, recorder)
    shelves.requested.clear()
    run(tmp_path, server, recorder)
    assert (shelves.requested, recorder.operations[:-1]) == (["UPDATED_DESC", "count"], [])

    del shelves.rows["s02"], shelves.rows["s07"]
    shelves.rows["s09"] = NEW
    lines = run(tmp_path, server, recorder)
    assert existing(recorder) == shelves.rows.keys()
    assert (recorder.count("upsert"), recorder.count("delete"), recorder.count("truncate")) == (1, 2, 0)
    assert "shelves: 9 rows known, but the server counts 7: reading the whole list to find deleted rows" in lines.infos
    assert "shelves: 2 rows gone from the server: soft-deleted" in lines.infos

    shelves.rows["s02"] = NEW
    run(tmp_path, server, recorder)
    assert existing(recorder) == shelves.rows.keys()


def test_a_row_replaced_by_another_is_detected(tmp_path: Path, server: Loopback, shelves: Shelves) -> None:
    """The count is the same as before, but the new row makes one more known row than the server counts."""
    recorder = Recorder()
    run(tmp_path, server, recorder)
    del shelves.rows["s00"]
    shelves.rows["s99"] = NEW
    run(tmp_path, server, recorder)
    assert existing(recorder) == shelves.rows.keys()


def test_a_restored_row_is_sent(tmp_path: Path, server: Loopback, shelves: Shelves) -> None:
    """A row that returned with its old date, as from a backup of the server, changes the count."""
    recorder = Recorder()
    run(tmp_path, server, recorder)
    shelves.rows["s88"] = OLD
    run(tmp_path, server, recorder)
    assert existing(recorder) == shelves.rows.keys()
    assert recorder.count("upsert") == 1


def test_without_a_count_the_list_is_read(tmp_path: Path, server: Loopback, shelves: Shelves) -> None:
    """If the count fails, every sync reads the list, so deleted rows are still found."""
    recorder = Recorder()
    run(tmp_path, server, recorder)
    del shelves.rows["s03"]
    shelves.fails_at = "count"
    run(tmp_path, server, recorder)
    assert existing(recorder) == shelves.rows.keys()


def test_a_failed_search_for_deleted_rows_deletes_nothing(tmp_path: Path, server: Loopback, shelves: Shelves) -> None:
    """The next sync reads the list again."""
    recorder = Recorder()
    run(tmp_path, server, recorder)
    del shelves.rows["s03"]
    shelves.fails_at = "ID_ASC"
    with pytest.raises(Failure):
        run(tmp_path, server, recorder)
    assert recorder.count("delete") == 0
    shelves.fails_at = None
    run(tmp_path, server, recorder)
    assert existing(recorder) == shelves.rows.keys()


OPTIONAL = edited(
    STREAMS,
    remove=["streams.runs.incremental.changes.0.fallback"],
    add={"streams.runs.incremental.changes.0.optional": True},
)


@pytest.mark.parametrize("accepts", [True, False])
def test_reconciliation_finds_what_a_rejected_optional_query_would_have(tmp_path: Path, accepts: bool) -> None:
    """Even if the timestamp that the query filters by moved together with the cursor."""
    model = Model(has_end_filter=accepts, has_events=False)
    with Loopback(model.answer) as server:
        recorder = Recorder()
        run(tmp_path, server, recorder, OPTIONAL)
        model.wait(3600)
        model.make("COMPLETED", 0)  # created, started and ended between two syncs: only its end shows it
        (key,) = model.runs
        lines = run(tmp_path, server, recorder, OPTIONAL)
        assert (key in recorder.tables.get("runs", {})) == accepts
        skipped = "runs: the server rejects query 1; reconciliation finds what it would have found"
        assert (skipped in lines.infos) == (not accepts)
        for _ in range(3):
            model.wait(86_400)
            run(tmp_path, server, recorder, OPTIONAL)
        assert recorder.tables["runs"][key]["state"] == "COMPLETED"


NEWER = edited(
    STREAMS, replace={"streams.runs.incremental.open.values": ["PAUSED", "SCHEDULED", "CANCELLING", "RUNNING"]}
)


@pytest.mark.parametrize("has_end_filter", [True, False])
def test_open_values_that_an_older_server_rejects_are_left_out(tmp_path: Path, has_end_filter: bool) -> None:
    """The others are read, so every change arrives. The log says once what was left out, and why."""
    model = Model(unknown_states=frozenset({"PAUSED", "CANCELLING"}), has_events=False, has_end_filter=has_end_filter)
    with Loopback(model.answer) as server:
        recorder = Recorder()
        model.make("SCHEDULED", 0)
        run(tmp_path, server, recorder, NEWER)
        for _ in range(9):
            model.make("RUNNING", 0)
        model.move(next(iter(model.runs)), "RUNNING")
        model.wait(3600)
        lines = run(tmp_path, server, recorder, NEWER)
        assert {key: row["state"] for key, row in recorder.tables["runs"].items()} == {
            key: row["state"] for key, row in model.runs.items()
        }
        (left_out,) = [line for line in lines.infos if "leaving that out" in line]
        assert "runs: the server does not know PAUSED, CANCELLING" in left_out
        assert "value is not a valid enumeration member" in left_out


def test_a_state_that_the_declaration_does_not_know_is_read_like_any_other(tmp_path: Path) -> None:
    """A release of the server can add one: runs that enter it, leave it, or begin in it arrive with the next sync."""
    model = Model()
    with Loopback(model.answer) as server:
        recorder = Recorder()
        model.make("RUNNING", 0)
        run(tmp_path, server, recorder, STREAMS)
        (key,) = model.runs
        for state in ("HELD", "COMPLETED"):
            model.wait(3600)
            model.move(key, state)
            model.make("HELD", 0)
            run(tmp_path, server, recorder, STREAMS)
            assert {key: row["state"] for key, row in recorder.tables["runs"].items()} == {
                key: row["state"] for key, row in model.runs.items()
            }


def test_a_server_that_rejects_every_open_value_fails_the_stream(tmp_path: Path) -> None:
    """The filter itself is wrong then, and leaving out its values would hide that."""
    model = Model(has_events=False)
    with Loopback(model.answer) as server:
        recorder = Recorder()
        model.make("SCHEDULED", 0)
        run(tmp_path, server, recorder, NEWER)
        model.unknown_states = frozenset({"PAUSED", "SCHEDULED", "CANCELLING", "RUNNING"})
        with pytest.raises(Failure, match="valid enumeration member"):
            run(tmp_path, server, recorder, NEWER)


PARTS = {
    "description": "One row per part of a run.",
    "parent": "runs",
    "records": "$.parts",
    "primary_key": "id",
    "cursor_field": "run_updated",
    "sync_mode": "incremental",
    "incremental": {},
    "fields": {"id": "$.id", "run_updated": {"path": "$parent.updated", "type": "UTC_DATETIME"}},
}


def test_what_the_server_lacks_is_found_out_once_in_a_sync(tmp_path: Path) -> None:
    """Although the children's stream reads the changes of its parent again: an older server costs one request each."""
    text = edited(OPTIONAL, add={"streams.parts": PARTS})
    model = Model(has_end_filter=False, has_events=False)
    requested: list[str] = []

    def answer(seen: Seen) -> Reply:
        requested.append("feed" if "/events" in seen.path else "query" if "end" in str(seen.json.get("runs")) else "")
        return model.answer(seen)

    with Loopback(answer) as server:
        recorder = Recorder()
        model.make("RUNNING", 0)
        run(tmp_path, server, recorder, text)
        requested.clear()
        model.wait(3600)
        lines = run(tmp_path, server, recorder, text)
    assert (requested.count("feed"), requested.count("query")) == (1, 1)
    assert sum("the server rejects query 1" in line for line in lines.infos) == 1
    assert sum("the server has no POST /events/filter" in line for line in lines.infos) == 1


@pytest.mark.parametrize(("status", "goes_on"), [(400, True), (403, True), (404, True), (422, True), (401, False)])
def test_a_change_feed_without_access_is_skipped(tmp_path: Path, status: int, goes_on: bool) -> None:
    """With a log line. Prefect Cloud has roles without access to events, and limits the time that a query can span."""
    model = Model()
    refuse = {"now": False}

    def answer(seen: Seen) -> Reply:
        if refuse["now"] and seen.path.startswith("/api/events"):
            return Reply({"detail": "no"}, status)
        return model.answer(seen)

    with Loopback(answer) as server:
        recorder = Recorder()
        run(tmp_path, server, recorder, STREAMS)
        model.wait(3600)
        model.make("RUNNING", 0)
        refuse["now"] = True
        if not goes_on:
            with pytest.raises(Unauthorized):
                run(tmp_path, server, recorder, STREAMS)
            return
        lines = run(tmp_path, server, recorder, STREAMS)
        assert recorder.tables["runs"].keys() == model.runs.keys()
        logged = lines.infos if status == 404 else lines.warnings
        failed = "the server has no POST /events/filter" if status == 404 else "POST /events/filter cannot be read"
        assert any(f"{failed}; reconciliation finds the changes that only it names" in line for line in logged)
