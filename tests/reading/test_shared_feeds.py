"""A change feed that several streams declare is requested once a sync."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from dev.testbed.loopback import Reply, Seen
from engine.failures import Failure
from engine.instants import parse_instant
from tests.lists import HEAD, Server, alive, synced
from tests.shop import Recorder
from tests.specs import dumped, parsed

KINDS = ("carts", "offers", "stores", "users")
FEED = """{
        endpoint: GET /events, query: {since: $since}, records: $.events, key: $.id, names: $.about, prefix: "%s.",
        pagination: {style: offset, page_size: 2, query: {offset: $offset}}}"""
STREAMS = HEAD.replace("lookback: 1h", "lookback: 0s") + "".join(
    f"""
  {kind}:
    description: Rows.
    endpoint: GET /{kind}
    primary_key: id
    sync_mode: incremental
    incremental:
      changes: {{query: {{new: $since}}}}
      lookup: {{endpoint: GET /{kind}/$(key)}}
      change_feed: {FEED % kind}
    fields: {{id: $.id, text: $.text}}
"""
    for kind in KINDS
)


class Shop(Server):
    """Lists of rows that never show when they changed, and the events that do."""

    def __init__(self) -> None:
        super().__init__(**{kind: [{"id": f"{number}", "text": "old"} for number in range(4)] for kind in KINDS})
        self.events: list[dict[str, Any]] = []
        self.between: Callable[[str], None] = lambda path: None
        """What happens after a request."""

    def edit(self, kind: str, key: str, text: str) -> None:
        """Change a row, which is an event."""
        self.lists[kind][int(key)]["text"] = text
        self.events.append({"id": len(self.events), "about": f"{kind}.{key}", "at": self.now.isoformat()})

    def __call__(self, seen: Seen) -> Reply:
        path = seen.path.removeprefix("/api/")
        kind, _, key = path.partition("/")
        if path == "events" and path not in self.lists:
            since = parse_instant(seen.query["since"][0])
            found = [event for event in self.events if parse_instant(event["at"]) >= since]
            self.lists["events"] = found[int(seen.query["offset"][0]) :][:2]
            reply = super().__call__(replace(seen, query={}))
            reply = replace(reply, value={"events": self.lists.pop("events")})
        elif key:
            self.lists[path] = self.lists[kind][int(key)]
            reply = super().__call__(seen)
        elif "new" in seen.query:  # no row is new
            self.seen.append(path)
            reply = replace(super().__call__(seen), value=[])
        else:
            reply = super().__call__(seen)
        self.between(path)
        return reply

    def asked(self) -> int:
        """How often the events were requested since the last call."""
        found = self.seen.count("events")
        self.seen.clear()
        return found


@pytest.fixture
def shop() -> Shop:
    """A shop that has yet to be synced."""
    return Shop()


def is_right(shop: Shop, recorder: Recorder) -> bool:
    """Whether the destination has every row as it is."""
    have = {kind: {key: row["text"] for key, row in alive(recorder, kind).items()} for kind in KINDS}
    return have == {kind: {row["id"]: row["text"] for row in shop.lists[kind]} for kind in KINDS}


def test_it_is_requested_once_for_all_streams(tmp_path: Path, shop: Shop) -> None:
    """In as many requests as its pages take, whichever rows it names."""
    recorder, _ = synced(shop, tmp_path, STREAMS)
    for number in range(3):
        shop.edit("carts", "0", f"edit {number}")
        shop.edit("stores", "1", f"edit {number}")
        shop.edit("stores", "2", f"edit {number}")
        shop.now += timedelta(hours=1)
        shop.asked()
        synced(shop, tmp_path, STREAMS, recorder)
        assert shop.asked() == 3
        assert is_right(shop, recorder)
        assert [table for name, table in recorder.operations if name == "upsert"] == ["carts", "stores", "stores"]


DIFFERENCES: list[dict[str, Any]] = [
    {"incremental.change_feed": {"query": {"since": "$since", "kind": "offers"}}},
    {"incremental.change_feed.pagination": {"page_size": 3}},
    {"": {"instants": {"format": "%Y-%m-%dT%H:%M:%SZ"}}},
    {"": {"headers": {"X-Kind": "offers"}}},
]


@pytest.mark.parametrize("difference", DIFFERENCES)
def test_streams_whose_requests_differ_share_none(tmp_path: Path, shop: Shop, difference: dict[str, Any]) -> None:
    """Be it in a value, the size of the pages, a header, or in how instants are spelled. Here there are two pairs."""
    declared = parsed(STREAMS)
    for kind in KINDS[:2]:
        for path, values in difference.items():
            block = declared["streams"][kind]
            for name in filter(None, path.split(".")):
                block = block[name]
            block.update(values)
    recorder, _ = synced(shop, tmp_path, dumped(declared))
    shop.asked()
    synced(shop, tmp_path, dumped(declared), recorder)
    assert shop.asked() == 2


def test_one_wrong_date_lets_all_request_it_again(tmp_path: Path, shop: Shop) -> None:
    """The state seems to be ahead of the clock of a response that others have shared; the next one is right."""
    recorder, _ = synced(shop, tmp_path, STREAMS)
    for kind in KINDS:
        shop.edit(kind, "1", "edited")
    shop.asked()
    today = shop.now

    def misdate(path: str) -> None:
        is_next = path == "carts" and "events" not in shop.seen
        shop.now = today - timedelta(days=2) if is_next else today

    shop.between = misdate
    _, lines = synced(shop, tmp_path, STREAMS, recorder)
    assert not lines.warnings
    assert recorder.operations.count(("upsert", "carts")) == 1
    assert is_right(shop, recorder)


@pytest.mark.parametrize("after", range(1, 8))
def test_a_change_while_streams_are_read_is_not_lost(tmp_path: Path, shop: Shop, after: int) -> None:
    """The next sync asks from the time of the requests on that all streams have shared."""
    recorder, _ = synced(shop, tmp_path, STREAMS)
    shop.edit("carts", "0", "before")
    shop.asked()

    def edit(path: str) -> None:
        if len(shop.seen) == after:
            for kind in KINDS:
                shop.edit(kind, "3", "meanwhile")
            shop.now += timedelta(minutes=30)

    shop.between = edit
    synced(shop, tmp_path, STREAMS, recorder)
    assert len(shop.seen) >= after
    synced(shop, tmp_path, STREAMS, recorder)
    assert is_right(shop, recorder)


def test_a_stream_that_stayed_behind_requests_it_itself(tmp_path: Path, shop: Shop) -> None:
    """From where it stopped. So do the others if the first one did, as they know what it finds."""
    recorder, _ = synced(shop, tmp_path, STREAMS)
    for behind in KINDS:
        good, shop.lists[behind] = shop.lists[behind], Reply({}, 500)
        with pytest.raises(Failure):
            synced(shop, tmp_path, STREAMS, recorder)
        shop.lists[behind] = good
        for kind in KINDS:
            shop.edit(kind, "0", f"when {behind} was behind")
        shop.asked()
        synced(shop, tmp_path, STREAMS, recorder)
        assert shop.asked() == 2 * len(KINDS)
        assert is_right(shop, recorder)
        synced(shop, tmp_path, STREAMS, recorder)


def test_one_that_breaks_off_is_requested_again(tmp_path: Path, shop: Shop) -> None:
    """The failure is that of the stream which met it; the others have every change."""
    recorder, _ = synced(shop, tmp_path, STREAMS)
    for number in range(4):
        shop.edit("stores", f"{number}", "edited")
    shop.asked()

    def fail(path: str) -> None:
        if shop.seen.count("events") == 1 and path == "events":
            shop.lists["events"] = Reply({}, 500)
        elif path == "events":
            shop.lists.pop("events", None)

    shop.between = fail
    with pytest.raises(Failure, match="carts"):
        synced(shop, tmp_path, STREAMS, recorder)
    assert is_right(shop, recorder)
