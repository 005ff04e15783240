"""Pagination style `single` with `one: true`."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from dev.testbed.loopback import Loopback, Reply, Seen
from engine.declare.types import Endpoint
from engine.failures import Failure
from engine.http.decoding import UnexpectedShape
from engine.jsonpath import compile_path
from engine.pagination.single import Single
from engine.requests import Page, Request
from engine.sync import sync
from engine.sync.pages import records_of
from tests.shop import OWNER, STREAMS, Lines, Recorder, connection
from tests.specs import edited

GET = Request(Endpoint("GET", "/x"))
SHOP = edited(STREAMS, remove=["streams.orders", "streams.shops"], add={"streams.owner": OWNER})


@pytest.fixture
def server() -> Iterator[Loopback]:
    with Loopback(lambda seen: Reply({"id": 7, "name": "Ada", "results": [{"id": 8}]})) as loopback:
        yield loopback


def test_one_answer_is_the_one_record() -> None:
    """One request, one record, no second request."""
    paginator = Single(one_record=True).paginate(GET)
    assert paginator.request == GET
    (record,) = records_of({"id": 1, "results": []}, [compile_path("$")], one_record=True)
    assert record == {"id": 1, "results": []}
    assert paginator.advance(Page([(1, record)])) == [(1, record)]
    assert paginator.request is None


def test_the_record_may_lie_in_an_envelope() -> None:
    """Of several declared places the first at which an object stands."""
    places = [compile_path("$.items"), compile_path("$.data")]
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
def test_another_shape_is_named(document: Any, words: str) -> None:
    """A list is not taken for its first item, nor null for no record; an object is no list where one is wanted."""
    with pytest.raises(UnexpectedShape) as caught:
        records_of(document, [compile_path("$")], one_record=True)
    assert str(caught.value) == words
    with pytest.raises(UnexpectedShape, match="no list of records"):
        records_of({"id": 1}, [compile_path("$")])


def test_a_sync_copies_the_record(server: Loopback, tmp_path: Path) -> None:
    """By one GET request; another record in its place soft-deletes it."""
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
def test_an_answer_that_is_not_the_record_deletes_nothing(
    server: Loopback, tmp_path: Path, answer: Any, words: str
) -> None:
    """The sync fails, and names the stream and what came."""
    connected, recorder = connection(tmp_path, server.url, SHOP), Recorder()
    sync(connected, {}, recorder, Lines())
    server.answer = lambda seen: Reply(answer)
    with pytest.raises(Failure, match="owner: GET /owner") as caught:
        sync(connected, recorder.state, recorder, Lines())
    assert words in str(caught.value)
    assert recorder.tables["owner"]["7"]["deleted"] is False


def test_an_object_of_each_row_of_another(server: Loopback, tmp_path: Path) -> None:
    """A child's answer may be an object too; a parent that is gone meanwhile has none."""
    facts = {
        "description": "One row of facts per shop.",
        "endpoint": "GET /shops/{shop}/facts",
        "parent": {"stream": "shops", "values": {"shop": "$.id"}},
        "pagination": {"style": "single", "one": True},
        "primary_key": "shop_id",
        "sync_mode": "full_refresh",
        "fields": {"shop_id": "$parent.id", "area": {"path": "$.area", "type": "INT"}},
    }
    text = edited(STREAMS, remove=["streams.orders"], add={"streams.facts": facts})

    def answer(seen: Seen) -> Reply:
        if seen.path.endswith("/facts"):
            return Reply(status=404) if "/s2/" in seen.path else Reply({"area": 40})
        at = seen.json["offset"]
        return Reply([{"id": f"s{n}", "name": "x"} for n in range(3)][at : at + seen.json["limit"]])

    server.answer = answer
    recorder = Recorder()
    sync(connection(tmp_path, server.url, text), {}, recorder, Lines())
    assert {key: row["area"] for key, row in recorder.tables["facts"].items()} == {"s0": 40, "s1": 40}
