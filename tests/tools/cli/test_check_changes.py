"""`check` without an OpenAPI document: what only the second sync sends is sent once."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from dev.testbed.loopback import Reply, Seen
from tests.in_process import InProcess
from tests.reading.test_lookup import STREAMS, Orders
from tests.specs import edited
from tools.cli import main

KNOWN = {"/orders": {"sort", "made_since", "state", "ids"}, "/events": {"since"}}
BLOCK = "streams.orders.incremental"


class Strict(Orders):
    """The orders, by a server that rejects parameters which it does not know, and has no other path."""

    def reply(self, seen: Seen) -> Reply:
        path = seen.path.removeprefix("/api")
        if path.startswith("/orders/") and path.count("/") == 2:
            return super().reply(seen)
        if path not in KNOWN:
            return Reply({"error": "no such path"}, 404)
        unknown = seen.query.keys() - KNOWN[path]
        return Reply({"error": f"unknown: {', '.join(unknown)}"}, 400) if unknown else super().reply(seen)


def checked(folder: Path, text: str = STREAMS, server: Orders | None = None) -> int:
    """The exit code of `check`."""
    (folder / "streams.yaml").write_text(text, "utf-8")
    with InProcess(server or Strict()) as loopback:
        (folder / "configuration.json").write_text(json.dumps({"api_url": loopback.url}), "utf-8")
        return main(["check", str(folder / "streams.yaml"), "--configuration", str(folder / "configuration.json")])


def test_each_request_for_changes_is_sent_once(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """The list, the query, the open rows, the change feed, and one row by its key."""
    server = Strict()
    assert checked(tmp_path, server=server) == 0
    assert "no mistakes" in capsys.readouterr().out
    asked = [(seen.path.removeprefix("/api"), {*seen.query} - {"sort"}) for seen in server.seen]
    assert asked == [
        ("/orders", set()),
        ("/orders", {"made_since"}),
        ("/orders", {"state"}),
        ("/events", {"since"}),
        ("/orders/o0", set()),
    ]


@pytest.mark.parametrize(
    ("edits", "code", "place", "words"),
    [
        ({"changes.query": {"updated": "$since"}}, 1, "changes", "unknown: updated"),
        ({"changes": {"endpoint": "GET /changed"}}, 1, "changes", "/changed: returned 404"),
        ({"changes": {"query": {"made_since": "$since"}, "records": "$.x"}}, 1, "changes", "no list of records at $.x"),
        ({"open.query": {"status": "$open"}}, 1, "open", "unknown: status"),
        ({"change_feed.records": "$.data"}, 1, "change_feed", "no list of records at $.data"),
        ({"change_feed.endpoint": "GET /event"}, 0, "change_feed.endpoint", "the server has no GET /event"),
        ({"lookup.endpoint": "GET /order/$(key)"}, 1, "lookup", "finds none of the rows that GET /orders lists"),
        ({"lookup": {"query": {"ids": "$(keys)", "state": "x"}}}, 1, "lookup", "is not found by its key"),
    ],
)
def test_a_request_that_fails_is_found(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], edits: dict[str, Any], code: int, place: str, words: str
) -> None:
    """At the block that declares it. A sync does without a change feed."""
    text = edited(STREAMS, replace={f"{BLOCK}.{path}": value for path, value in edits.items()})
    assert checked(tmp_path, text) == code
    line = next(line for line in capsys.readouterr().out.splitlines() if f"{BLOCK}.{place}: " in line)
    assert words in line
