"""Responses that mean what they say: no rows, or an error in a successful response. Neither is retried."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from dev.testbed.loopback import Loopback, Reply, Seen, rows_by_offset
from engine.failures import Failure
from engine.http.error_body import error_in
from engine.sync import sync
from tests.shop import ORDERS_ONLY, Lines, Recorder, connection, orders
from tests.specs import edited

ENVELOPE = edited(ORDERS_ONLY, replace={"api.records": ["$", "$.data.items", "$.results"]})


@pytest.mark.parametrize(
    "reply",
    [
        Reply(status=204, body=b""),
        Reply(status=205, body=b""),
        Reply(None),
        Reply({"data": None}),
        Reply({"data": {"items": None}}),
        Reply({"results": None, "error": None, "errors": []}),
        Reply({"results": [], "success": True, "error": ""}),
    ],
)
def test_no_content_is_no_rows(tmp_path: Path, reply: Reply) -> None:
    """At once: the server has answered."""
    with Loopback(lambda seen: reply) as server:
        recorder, lines = Recorder(), Lines()
        sync(connection(tmp_path, server.url, ENVELOPE), {}, recorder, lines)
        assert len([seen for seen in server.seen if seen.path.endswith("/filter")]) == 1
    assert recorder.tables.get("orders", {}) == {}
    assert "since" in recorder.state["streams"]["orders"]
    assert not [line for line in lines.warnings if "retrying" in line]


def test_no_content_ends_a_list(tmp_path: Path) -> None:
    """In place of the last page, too."""
    text = edited(ORDERS_ONLY, replace={"api.pagination": {"style": "page_number", "page_size": 10}})

    def pages(seen: Seen) -> Reply:
        number = (seen.json or {}).get("page", 1)
        page = orders(25)[(number - 1) * 10 : number * 10]
        return Reply(page) if page else Reply(status=204, body=b"")

    with Loopback(pages) as server:
        recorder = Recorder()
        sync(connection(tmp_path, server.url, text), {}, recorder, Lines())
    assert len(recorder.tables["orders"]) == 25


@pytest.mark.parametrize(
    ("document", "words"),
    [
        ({"error": "the token has expired"}, "the token has expired"),
        ({"error": {"code": 17, "message": "no such workspace"}}, "no such workspace"),
        ({"errors": [{"message": "no access"}, {"detail": "no luck"}], "data": None}, "no access; no luck"),
        ({"errors": [{"message": "no access"}], "data": {"items": []}}, "no access"),
        ({"errors": [{"message": "timeout"}], "data": {"items": orders(2)}}, "timeout"),
        ({"ok": False, "error": "invalid_auth"}, "invalid_auth"),
        ({"success": False, "message": "quota used up", "results": []}, "quota used up"),
        ({"status": "error", "message": "bad filter"}, "bad filter"),
        ({"errors": [{"x": 1}] * 5}, "(and 2 more)"),
    ],
)
def test_an_error_in_a_200_fails_with_the_words_of_the_server(tmp_path: Path, document: Any, words: str) -> None:
    """At once, even beside rows, because the others are missing. No row counts as deleted."""
    recorder = Recorder()
    with Loopback(rows_by_offset(orders(3))) as server:
        sync(connection(tmp_path, server.url, ENVELOPE), {}, recorder, Lines())
        server.answer, lines = lambda seen: Reply(document), Lines()
        server.seen.clear()
        with pytest.raises(Failure, match="orders: POST /orders/filter") as caught:
            sync(connection(tmp_path, server.url, ENVELOPE), recorder.state, recorder, lines)
        assert len([seen for seen in server.seen if seen.path.endswith("/filter")]) == 1
    assert "returned 200 with an error: " in str(caught.value)
    assert words in str(caught.value)
    assert len(recorder.tables["orders"]) == 3


def test_a_property_of_a_record_is_no_error() -> None:
    """An object with a list that is not empty can have a state or an error of its own."""
    assert error_in({"id": 1, "status": "failed", "error": "exit code 1", "steps": [1]}, [1]) is None
    assert error_in({"id": 1, "status": "failed", "steps": []}, []) is None
    assert error_in([{"error": "x"}]) is None
    assert error_in({"error": False, "errors": 0, "steps": []}) is None
