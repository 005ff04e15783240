"""Cursors that are no instants: numbers and strings that only grow, and none at all."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from dev.testbed.loopback import Reply, Seen
from engine.failures import Failure
from engine.sync import sync
from tests.in_process import InProcess
from tests.shop import Lines, Recorder, connection
from tests.specs import edited

STREAMS = """\
version: 1
name: Shop
configuration:
  api_url: {type: url, description: Where it is., required: true}
api:
  base_url: ${api_url}
  pagination: {style: offset, page_size: 3}
  concurrency: 1
  retry: {attempts: 1}
streams:
  events:
    description: One row per event.
    endpoint: GET /events
    query: {sort: id}
    primary_key: id
    cursor_field: id
    sync_mode: incremental
    incremental: {changes: {query: {since_id: $since}}}
    fields: {id: {path: $.id, type: LONG}, text: $.text}
"""
STRINGS = edited(STREAMS, remove=["streams.events.fields.id.type"])
WITHOUT = edited(STREAMS, remove=["streams.events.cursor_field"])


class Shop:
    """Events in the order of their ids. ``refuses_after``: the number of requests that are answered."""

    def __init__(self, ids: list[Any]) -> None:
        self.ids, self.text = ids, "x"
        self.seen: list[Seen] = []
        self.refuses_after = 1000

    def answer(self, seen: Seen) -> Reply:
        self.seen.append(seen)
        if len(self.seen) > self.refuses_after:
            return Reply({"error": "no"}, 418)
        since = seen.query.get("since_id", [None])[0]
        after = [one for one in self.ids if since is None or one > type(one)(since)]
        offset = int(seen.query["offset"][0])
        return Reply([{"id": one, "text": self.text} for one in after[offset : offset + int(seen.query["limit"][0])]])

    @property
    def since(self) -> str | None:
        """What the last request asked for."""
        return self.seen[-1].query.get("since_id", [None])[0]


def synced(shop: Shop, tmp_path: Path, recorder: Recorder, text: str = STREAMS) -> None:
    with InProcess(shop.answer) as server:
        sync(connection(tmp_path, server.url, text), recorder.state, recorder, Lines())


@pytest.mark.parametrize(
    ("text", "ids", "more"),
    [(STREAMS, [1, 2, 9, 10, 11], [12, 100]), (STRINGS, ["01a", "01b", "01c", "02a"], ["02b", "10a"])],
)
def test_only_what_is_greater_is_requested(tmp_path: Path, text: str, ids: list[Any], more: list[Any]) -> None:
    """After the first sync, which has no `$since`: its key is left out."""
    shop, recorder = Shop(ids), Recorder()
    synced(shop, tmp_path, recorder, text)
    assert shop.since is None
    shop.ids = [*ids, *more]
    synced(shop, tmp_path, recorder, text)
    assert shop.since == str(ids[-1])
    assert list(recorder.tables["events"]) == shop.ids
    assert recorder.count("upsert") == len(shop.ids)
    synced(shop, tmp_path, recorder, text)
    assert shop.since == str(more[-1])
    assert recorder.count("upsert") == len(shop.ids)


def test_a_list_without_rows_is_read_whole_again(tmp_path: Path) -> None:
    """There is no greatest value yet."""
    shop, recorder = Shop([]), Recorder()
    synced(shop, tmp_path, recorder)
    shop.ids = [7]
    synced(shop, tmp_path, recorder)
    assert (shop.since, list(recorder.tables["events"])) == (None, [7])


def test_numbers_that_become_visible_late(tmp_path: Path) -> None:
    """With `$since-5`, a row whose number was drawn before others is found; the others are not sent again."""
    shop, recorder = Shop([1, 2, 10]), Recorder()
    text = edited(STREAMS, replace={"streams.events.incremental.changes.query": {"since_id": "$since-5"}})
    synced(shop, tmp_path, recorder, text)
    shop.ids = [1, 2, 8, 10]
    synced(shop, tmp_path, recorder, text)
    assert shop.since == "5"
    assert recorder.count("upsert") == 4


@pytest.mark.parametrize("stopped_at", range(1, 9))
def test_a_pass_that_is_stopped_loses_nothing(tmp_path: Path, stopped_at: int) -> None:
    """The greatest value counts once everything below it was read."""
    shop, recorder = Shop(list(range(10, 22))), Recorder()
    for ids in (shop.ids, list(range(10, 40))):
        shop.ids = ids
        shop.seen, shop.refuses_after = [], stopped_at
        try:
            synced(shop, tmp_path, recorder)
        except Failure:
            shop.refuses_after = 1000
            synced(shop, tmp_path, recorder)
    assert list(recorder.tables["events"]) == shop.ids


def test_a_stream_without_a_cursor_sends_what_its_query_finds_once(tmp_path: Path) -> None:
    """`$since` is a time then. What was sent already in the same version is not sent again."""
    shop, recorder = Shop([]), Recorder()
    changed: list[dict[str, Any]] = [{"id": 1, "text": "a"}, {"id": 2, "text": "a"}]
    with InProcess(lambda seen: Reply(changed if seen.query["offset"] == ["0"] else changed[-1:])) as server:
        connected = connection(tmp_path, server.url, WITHOUT)
        for _ in range(3):
            sync(connected, recorder.state, recorder, Lines())
        assert recorder.count("upsert") == 2
        changed[1] = {"id": 2, "text": "b"}
        sync(connected, recorder.state, recorder, Lines())
        assert recorder.count("upsert") == 3
        assert recorder.tables["events"][2]["text"] == "b"
        assert server.seen[-1].query["since_id"][0].startswith("20")
    assert not shop.seen
