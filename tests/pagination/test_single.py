"""Pagination style `single`: one response has the whole list or, with `one: true`, the one record."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from dev.testbed.loopback import Loopback, Reply, Seen
from engine.declare.types import Endpoint
from engine.failures import Failure, ReadFailure
from engine.http.decoding import UnexpectedShape
from engine.jsonpath import compile_path
from engine.pagination.single import Single
from engine.reading.pages import records_of
from engine.requests import Page, Request
from engine.spec.records import Records
from engine.sync import sync
from tests.pagination.sent import sent
from tests.shop import OWNER, STREAMS, Lines, Recorder, connection
from tests.specs import edited

WHOLE = Records(list=(compile_path("$"),))
GET = Request(Endpoint("GET", "/x"))
SHOP = edited(STREAMS, remove=["streams.orders", "streams.shops"], add={"streams.owner": OWNER})


@pytest.fixture
def server() -> Iterator[Loopback]:
    with Loopback(lambda seen: Reply({"id": 7, "name": "Ada", "results": [{"id": 8}]})) as loopback:
        yield loopback


def test_one_response_is_the_whole_list() -> None:
    """No second request is sent."""
    paginator = Single().paginate(GET)
    assert sent(paginator.request) == sent(GET)
    assert paginator.advance(Page([(1, {"id": 1})])) == [(1, {"id": 1})]
    assert paginator.request is None


def test_as_many_records_as_requested_are_a_failure() -> None:
    """There could be more, and a page of its own is all that this style reads."""
    paginator = Single(page_size=2).paginate(GET)
    assert sent(paginator.request) == sent(Request(GET.endpoint, {"limit": 2}))
    with pytest.raises(ReadFailure, match=r"as many records as requested \(2\)"):
        paginator.advance(Page([(1, {"id": 1}), (2, {"id": 2})]))


def test_one_response_is_the_one_record() -> None:
    """No second request is sent."""
    paginator = Single(one_record=True).paginate(GET)
    assert sent(paginator.request) == sent(GET)
    (record,) = records_of({"id": 1, "results": []}, WHOLE, one_record=True)
    assert record == {"id": 1, "results": []}
    assert paginator.advance(Page([(1, record)])) == [(1, record)]
    assert paginator.request is None


def test_the_record_can_be_in_an_envelope() -> None:
    """Of several paths, the first that leads to an object is used."""
    places = Records(list=(compile_path("$.items"), compile_path("$.data")))
    assert records_of({"items": [{}], "data": {"id": 2}}, places, one_record=True) == [{"id": 2}]


@pytest.mark.parametrize(
    ("document", "words"),
    [
        ([{"id": 1}], "a bare list, and no object at $"),
        (None, "a bare NoneType, and no object at $"),
        ("up", "a bare str, and no object at $"),
        (7, "a bare int, and no object at $"),
    ],
)
def test_the_message_names_an_unexpected_shape(document: Any, words: str) -> None:
    """A list is not read as its first item, nor null as no record, nor an object as a list."""
    with pytest.raises(UnexpectedShape) as caught:
        records_of(document, WHOLE, one_record=True)
    assert str(caught.value) == words
    with pytest.raises(UnexpectedShape, match="no list of records"):
        records_of({"id": 1}, WHOLE)


def test_a_sync_copies_the_record(server: Loopback, tmp_path: Path) -> None:
    """With one GET request. If another record takes its place, it is soft-deleted."""
    connected, recorder = connection(tmp_path, server.url, SHOP), Recorder()
    sync(connected, {}, recorder, Lines())
    assert [(seen.method, seen.path, seen.query) for seen in server.seen] == [("GET", "/api/owner", {})]
    assert recorder.tables["owner"] == {"7": {"id": "7", "name": "Ada", "deleted": False}}
    server.answer = lambda seen: Reply({"id": 9, "name": "Bo"})
    sync(connected, recorder.state, recorder, Lines())
    assert {key: row["deleted"] for key, row in recorder.tables["owner"].items()} == {"7": True, "9": False}


@pytest.mark.parametrize(
    ("answer", "words"),
    [
        ([{"id": 7}], "returned 200 with a bare list, and no object at $"),
        (None, "returned 200 with a bare NoneType"),
        ({"detail": "later"}, 'a record has no STRING for the primary key "id" at $.id; it has the keys detail'),
        ({}, 'a record has no STRING for the primary key "id" at $.id'),
    ],
)
def test_a_response_without_the_record_deletes_nothing(
    server: Loopback, tmp_path: Path, answer: Any, words: str
) -> None:
    """The sync fails and names the stream and the shape of the response."""
    connected, recorder = connection(tmp_path, server.url, SHOP), Recorder()
    sync(connected, {}, recorder, Lines())
    server.answer = lambda seen: Reply(answer)
    with pytest.raises(Failure, match="owner: GET /owner") as caught:
        sync(connected, recorder.state, recorder, Lines())
    assert words in str(caught.value)
    assert recorder.tables["owner"]["7"]["deleted"] is False


def test_one_record_for_each_parent(server: Loopback, tmp_path: Path) -> None:
    """The response for a child can be one record, too. If the API does not find it, the parent has none."""
    facts = {
        "description": "One row of facts per shop.",
        "endpoint": "GET /shops/$(parent.id)/facts",
        "parent": "shops",
        "pagination": {"style": "single", "one": True},
        "primary_key": "shop_id",
        "sync_mode": "full_refresh",
        "fields": {"shop_id": "$parent.id", "area": {"path": "$.area", "type": "INT"}},
    }
    text = edited(STREAMS, remove=["streams.orders"], add={"streams.facts": facts})

    def answer(seen: Seen) -> Reply:
        if seen.path.endswith("/facts"):
            return Reply({"detail": "No facts"}, 404) if "/s2/" in seen.path else Reply({"area": 40})
        at = seen.json["offset"]
        return Reply([{"id": f"s{n}", "name": "x"} for n in range(3)][at : at + seen.json["limit"]])

    server.answer = answer
    recorder = Recorder()
    sync(connection(tmp_path, server.url, text), {}, recorder, Lines())
    assert {key: row["area"] for key, row in recorder.tables["facts"].items()} == {"s0": 40, "s1": 40}


def test_a_query_for_changes_can_return_one_record(server: Loopback, tmp_path: Path) -> None:
    """Each query has a pagination of its own, which says whether its response is a list."""
    query = {"query": {"since": "$since"}, "pagination": {"style": "single", "one": True}}
    text = edited(
        SHOP,
        add={
            "streams.owner.cursor_field": "updated",
            "streams.owner.incremental": {"changes": query},
            "streams.owner.fields.updated": {"path": "$.updated", "type": "UTC_DATETIME"},
        },
        replace={"streams.owner.sync_mode": "incremental"},
    )
    server.answer = lambda seen: Reply({"id": 7, "name": "Ada", "updated": "2024-05-01T10:00:00Z"})
    connected, recorder = connection(tmp_path, server.url, text), Recorder()
    sync(connected, {}, recorder, Lines())
    server.answer = lambda seen: Reply({"id": 7, "name": "Bo", "updated": "2999-05-01T10:00:00Z"})
    sync(connected, recorder.state, recorder, Lines())
    assert "since" in server.seen[-1].query
    assert recorder.tables["owner"]["7"]["name"] == "Bo"
