"""What a pass over changes does about deleted rows, queries that a server does not know, and lists it may not read."""

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
    """A list and its count, and which of them were asked for."""

    def __init__(self) -> None:
        self.rows = {f"s{n:02}": OLD for n in range(8)}
        self.asked: list[str] = []
        self.counted: Any = None  # another answer than the number of rows
        self.fails_at: str | None = None

    def answer(self, seen: Seen) -> Reply:
        """By path and sort."""
        what = "count" if seen.path.endswith("/count") else seen.json["sort"]
        self.asked.append(what)
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
    """One sync, from where the last one left the state."""
    lines = Lines()
    recorder.operations.clear()
    sync(connection(folder, server.url, text), json.loads(json.dumps(recorder.state)), recorder, lines)
    return lines


def there(recorder: Recorder) -> set[str]:
    return {key for key, row in recorder.tables["shelves"].items() if not row["deleted"]}


def test_rows_that_are_gone_are_noticed_by_the_count(tmp_path: Path, server: Loopback, shelves: Shelves) -> None:
    """While it stays as it was nothing else is asked; when it differs the list is read, and what is gone is deleted."""
    recorder = Recorder()
    run(tmp_path, server, recorder)
    shelves.asked.clear()
    run(tmp_path, server, recorder)
    assert (shelves.asked, recorder.operations[:-1]) == (["UPDATED_DESC", "count"], [])

    del shelves.rows["s02"], shelves.rows["s07"]
    shelves.rows["s09"] = NEW
    lines = run(tmp_path, server, recorder)
    assert there(recorder) == shelves.rows.keys()
    assert (recorder.count("upsert"), recorder.count("delete"), recorder.count("truncate")) == (1, 2, 0)
    assert "shelves: 9 rows are known and the server counts 7: looking through the whole list" in lines.infos
    assert "shelves: 2 gone, and soft-deleted" in lines.infos

    shelves.rows["s02"] = NEW
    run(tmp_path, server, recorder)
    assert there(recorder) == shelves.rows.keys()


def test_a_row_for_a_row_is_noticed_too(tmp_path: Path, server: Loopback, shelves: Shelves) -> None:
    """As many rows as before are not the same rows: the new one makes one more known than there are."""
    recorder = Recorder()
    run(tmp_path, server, recorder)
    del shelves.rows["s00"]
    shelves.rows["s99"] = NEW
    run(tmp_path, server, recorder)
    assert there(recorder) == shelves.rows.keys()


def test_what_nobody_knew_of_is_sent(tmp_path: Path, server: Loopback, shelves: Shelves) -> None:
    """A row that came back with its old date, as from a backup of the server, is found by the count."""
    recorder = Recorder()
    run(tmp_path, server, recorder)
    shelves.rows["s88"] = OLD
    run(tmp_path, server, recorder)
    assert there(recorder) == shelves.rows.keys()
    assert recorder.count("upsert") == 1


def test_without_a_count_the_list_is_looked_through(tmp_path: Path, server: Loopback, shelves: Shelves) -> None:
    """Rather too often than never."""
    recorder = Recorder()
    run(tmp_path, server, recorder)
    del shelves.rows["s03"]
    shelves.fails_at = "count"
    run(tmp_path, server, recorder)
    assert there(recorder) == shelves.rows.keys()


def test_a_look_that_fails_deletes_nothing(tmp_path: Path, server: Loopback, shelves: Shelves) -> None:
    """The next sync looks again."""
    recorder = Recorder()
    run(tmp_path, server, recorder)
    del shelves.rows["s03"]
    shelves.fails_at = "ID_ASC"
    with pytest.raises(Failure):
        run(tmp_path, server, recorder)
    assert recorder.count("delete") == 0
    shelves.fails_at = None
    run(tmp_path, server, recorder)
    assert there(recorder) == shelves.rows.keys()


_BEFORE, _REST = STREAMS.split("          fallback:\n")
OPTIONAL = f"{_BEFORE}          optional: true\n{_REST[_REST.index('        - body:') :]}"


@pytest.mark.parametrize("knows", [True, False])
def test_what_an_optional_query_would_find_is_left_to_the_sweep(tmp_path: Path, knows: bool) -> None:
    """On a server that does not know it, and with an end that moves with the cursor all the same."""
    model = Model(has_end_filter=knows, has_events=False)
    with Loopback(model.answer) as server:
        recorder = Recorder()
        run(tmp_path, server, recorder, OPTIONAL)
        model.wait(3600)
        model.make("COMPLETED", 0)  # made, started and ended between two syncs: nothing but its end tells
        (key,) = model.runs
        lines = run(tmp_path, server, recorder, OPTIONAL)
        assert (key in recorder.tables.get("runs", {})) == knows
        skipped = "runs: the server does not know query 1; the sweep finds what it would have found"
        assert (skipped in lines.infos) == (not knows)
        for _ in range(3):
            model.wait(86_400)
            run(tmp_path, server, recorder, OPTIONAL)
        assert recorder.tables["runs"][key]["state"] == "COMPLETED"


@pytest.mark.parametrize(("status", "goes_on"), [(400, True), (403, True), (404, True), (422, True), (401, False)])
def test_a_list_of_names_that_may_not_be_read(tmp_path: Path, status: int, goes_on: bool) -> None:
    """Is read without, and that is said: Prefect Cloud has roles without events, and bounds to what one may ask."""
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
        said = lines.infos if status == 404 else lines.warnings
        assert [
            line for line in said if "POST /events/filter; changes that only it names are found by the sweep" in line
        ]
