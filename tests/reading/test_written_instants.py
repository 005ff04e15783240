"""Instants in other spellings: in columns, in cursors and in requests."""

from __future__ import annotations

import re
from datetime import datetime, timedelta, timezone
from pathlib import Path
from typing import Any

import pytest

from dev.testbed.loopback import Reply, Seen
from engine.instants import formatted, parse_formatted, parse_instant
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
  pagination: single
  lookback: 10m
streams:
  orders:
    description: One row per order.
    endpoint: GET /orders
    primary_key: id
    cursor_field: updated
    sync_mode: incremental
    incremental: {changes: {query: {since: $since}}}
    fields: {id: $.id, updated: {path: $.updated, type: UTC_DATETIME}}
"""
NOW = datetime(2024, 5, 1, 10, 30, 15, 250000, tzinfo=timezone.utc)


def synced_twice(tmp_path: Path, updated: Any, add: dict[str, Any]) -> tuple[Recorder, list[Seen]]:
    """Two syncs of one order, whose server has the date :data:`NOW`."""
    recorder = Recorder()
    date = NOW.strftime("%a, %d %b %Y %H:%M:%S GMT")
    with InProcess(lambda seen: Reply([{"id": "a", "updated": updated}], headers={"Date": date})) as server:
        for _ in range(2):
            connected = connection(tmp_path, server.url, edited(STREAMS, add=add) if add else STREAMS)
            sync(connected, recorder.state, recorder, Lines())
        return recorder, server.seen


def since_of(seen: list[Seen]) -> str:
    """What the second sync sent."""
    (since,) = seen[1].query["since"]
    return since


@pytest.mark.parametrize(
    ("add", "updated", "since"),
    [
        ({}, "2024-05-01T10:00:00Z", "2024-05-01T10:20:1"),
        ({"format": "epoch_seconds"}, 1714557600, "17145588"),
        ({"format": "epoch_milliseconds"}, "1714557600000", "17145588"),
        ({"format": "%d/%m/%Y %H:%M"}, "01/05/2024 10:00", "01/05/2024 10:20"),
        ({"format": "%d/%m/%Y %H:%M", "timezone": "+02:00"}, "01/05/2024 12:00", "01/05/2024 12:20"),
        ({"format": "%Y-%m-%d"}, "2024-05-01", "2024-05-01"),
    ],
)
def test_the_format_of_the_cursor_is_that_of_since(
    tmp_path: Path, add: dict[str, str], updated: Any, since: str
) -> None:
    """It is declared once. What the format cannot say is cut, so no change is missed."""
    added = {f"streams.orders.fields.updated.{name}": value for name, value in add.items()}
    recorder, seen = synced_twice(tmp_path, updated, added)
    (row,) = recorder.tables["orders"].values()
    assert row["updated"] == parse_instant("2024-05-01T00:00:00Z" if since == "2024-05-01" else "2024-05-01T10:00:00Z")
    assert (list(seen[0].query), list(seen[1].query)) == ([], ["since"])
    assert since_of(seen).startswith(since)


@pytest.mark.parametrize(
    "place", ["api.instants", "streams.orders.instants", "streams.orders.incremental.changes.instants"]
)
def test_requests_can_have_another_format_than_records(tmp_path: Path, place: str) -> None:
    """Declared for the API, for a stream or for one query."""
    _, seen = synced_twice(tmp_path, "2024-05-01T10:00:00Z", {place: "%Y-%m-%dT%H:%M:%SZ"})
    assert re.fullmatch(r"2024-05-01T10:20:1\dZ", since_of(seen))


def test_the_nearer_declaration_holds(tmp_path: Path) -> None:
    """A query's before its stream's, and that before the API's; a block has the offset, too."""
    add = {"api.instants": "epoch_seconds", "streams.orders.instants": {"format": "%H:%M", "timezone": "-05:00"}}
    assert since_of(synced_twice(tmp_path, "2024-05-01T10:00:00Z", add)[1]) == "05:20"
    add["streams.orders.incremental.changes.instants"] = "epoch_milliseconds"
    assert re.fullmatch(r"17145588\d{5}", since_of(synced_twice(tmp_path, "2024-05-01T10:00:00Z", add)[1]))


@pytest.mark.parametrize(
    "written", ["epoch_seconds", "epoch_milliseconds", "epoch_microseconds", "%Y-%m-%d", "%d.%m.%Y %H"]
)
@pytest.mark.parametrize(
    "instant", [NOW, NOW - timedelta(days=365 * 2000), datetime(9999, 12, 31, tzinfo=timezone.utc)]
)
def test_a_format_never_says_a_later_instant(written: str, instant: datetime) -> None:
    """What it says is read back as an instant that is no later, and less than a day earlier."""
    back = parse_formatted(formatted(instant, written), written)
    assert instant - timedelta(days=1) < back <= instant


def test_a_header_can_have_the_time_of_the_last_pass(tmp_path: Path) -> None:
    """In the format of its query, beside the headers of the stream, and in every page; the list has none."""
    query = {"headers": {"If-Modified-Since": "$since"}, "instants": "%a, %d %b %Y %H:%M:%S GMT"}
    pages = {"style": "page_number", "page_size": 1}
    text = edited(
        STREAMS,
        replace={"streams.orders.incremental.changes": query},
        add={
            "streams.orders.headers": {"Accept-Language": "en", "X-Cost": "$5"},
            "streams.orders.pagination": pages,
            "streams.orders.answers": {"status": 304, "means": "empty"},
        },
    )
    rows = [{"id": "a", "updated": "2024-05-01T10:00:00Z"}, {"id": "b", "updated": "2024-05-01T10:30:00Z"}]
    date = {"Date": NOW.strftime("%a, %d %b %Y %H:%M:%S GMT")}
    recorder = Recorder()

    def answer(seen: Seen) -> Reply:
        assert (seen.headers["Accept-Language"], seen.headers["X-Cost"]) == ("en", "$5")
        asked = seen.headers.get("If-Modified-Since")
        if asked is not None and not rows[1:]:
            return Reply(status=304, body=b"", headers=date)
        found, number = rows[1:] if asked else rows, int(seen.query["page"][0])
        return Reply(found[number - 1 : number], headers=date)

    with InProcess(answer) as server:
        for removed in (0, 0, 1):
            del rows[2 - removed :]
            sync(connection(tmp_path, server.url, text), recorder.state, recorder, Lines())
    sent = [seen.headers.get("If-Modified-Since") for seen in server.seen]
    assert sent[:3] == [None] * 3
    assert len(sent[3:]) == 3
    assert all(re.fullmatch(r"Wed, 01 May 2024 10:\d\d:\d\d GMT", one or "") for one in sent[3:])
    assert {*recorder.tables["orders"]} == {"a", "b"}
