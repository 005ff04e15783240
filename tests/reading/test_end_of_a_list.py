"""Whole syncs of lists whose end is shown by a rejected page, by totals in headers, or by the last record."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from dev.testbed.loopback import Reply, Seen
from engine.failures import Failure
from engine.sync import sync
from tests.in_process import InProcess
from tests.lists import HEAD
from tests.shop import Lines, Recorder, connection
from tests.specs import edited

POSTS = f"""{HEAD}
  posts:
    description: One row per post.
    endpoint: GET /posts
    query: {{orderby: id, per_page: $size, page: $page}}
    pagination: {{style: page_number, page_size: 10}}
    primary_key: id
    sync_mode: full_refresh
    fields: {{id: $.id}}
"""
ROWS = [{"id": number} for number in range(25)]
PAST = Reply({"code": "rest_post_invalid_page_number"}, status=400)


def posts(past: Reply = PAST) -> Any:
    """A server with pages as WordPress has them."""

    def answer(seen: Seen) -> Reply:
        start = (int(seen.query["page"][0]) - 1) * 10
        headers = {"x-wp-total": str(len(ROWS)), "x-wp-totalpages": "3"}
        return Reply(ROWS[start : start + 10], headers=headers) if start < len(ROWS) else past

    return answer


def pages_of(folder: Path, answer: Any, pagination: dict[str, Any]) -> list[str]:
    """The pages that a sync requests to read all 25 rows."""
    text = edited(POSTS, add={f"streams.posts.pagination.{name}": value for name, value in pagination.items()})
    recorder = Recorder()
    with InProcess(answer) as server:
        sync(connection(folder, server.url, text), {}, recorder, Lines())
    assert len(recorder.tables["posts"]) == len(ROWS)
    return [seen.query["page"][0] for seen in server.seen]


def test_a_rejected_page_is_the_end_if_declared(tmp_path: Path) -> None:
    """Otherwise the rejection could have any cause, and rows would be missing."""
    assert pages_of(tmp_path, posts(), {"past_the_end": [400, 404]}) == ["1", "2", "3", "4"]
    with pytest.raises(Failure, match="rest_post_invalid_page_number"):
        pages_of(tmp_path, posts(), {"first": 1})
    with pytest.raises(Failure, match="returned 400 Bad Request"):
        pages_of(tmp_path, lambda seen: PAST, {"past_the_end": 400})


@pytest.mark.parametrize("status", [400, 404])
def test_a_web_page_is_not_the_end(tmp_path: Path, status: int) -> None:
    """It is that of a proxy, which rejects the request for reasons of its own."""
    proxy = Reply(body=b"<html>", status=status, headers={"Content-Type": "text/html"})
    with pytest.raises(Failure, match=f"returned {status}"):
        pages_of(tmp_path, posts(proxy), {"past_the_end": [400, 404]})


@pytest.mark.parametrize(
    "pagination", [{"pages": {"header": "X-WP-TotalPages"}}, {"total": {"header": "X-WP-Total"}, "past_the_end": 400}]
)
def test_totals_in_headers_save_the_page_past_the_end(tmp_path: Path, pagination: dict[str, Any]) -> None:
    """Every page is requested once, and no other."""
    assert pages_of(tmp_path, posts(), pagination) == ["1", "2", "3"]


def test_the_last_record_names_the_next_page(tmp_path: Path) -> None:
    """As at Stripe: a response has no token, and says whether there is more."""

    def answer(seen: Seen) -> Reply:
        start = 1 + int(seen.query.get("starting_after", ["-1"])[0])
        return Reply({"data": ROWS[start : start + 10], "has_more": start + 10 < len(ROWS)})

    pagination = {"style": "token", "last": "$.id", "page_size": 10, "more": "$.has_more"}
    text = edited(
        POSTS,
        replace={"streams.posts.pagination": pagination, "streams.posts.query": {"starting_after": "$token"}},
        add={"streams.posts.records": "$.data"},
    )
    recorder = Recorder()
    with InProcess(answer) as server:
        sync(connection(tmp_path, server.url, text), {}, recorder, Lines())
    assert len(recorder.tables["posts"]) == len(ROWS)
    assert [seen.query.get("starting_after") for seen in server.seen] == [None, ["9"], ["19"]]


CURSOR = f"""{HEAD}
  notes:
    description: One row per note.
    endpoint: GET /notes
    query: {{limit: $size}}
    pagination: {{style: token, token: $.next, query: {{after: $token}}, page_size: 10}}
    records: $.notes
    primary_key: id
    sync_mode: full_refresh
    fields: {{id: $.id}}
"""


@pytest.mark.parametrize("count", [9, 10, 11])
def test_a_path_that_leads_to_no_token_is_found(tmp_path: Path, count: int) -> None:
    """If it matters: a list that fits a page has none. Nothing that was sent before is deleted."""
    rows = [{"id": number} for number in range(count)]

    def answer(seen: Seen) -> Reply:
        start = int(seen.query.get("after", ["0"])[0])
        end = start + int(seen.query["limit"][0])
        return Reply({"notes": rows[start:end], **({"next": str(end)} if end < len(rows) else {})})

    recorder = Recorder()
    misspelt = edited(CURSOR, replace={"streams.notes.pagination.token": "$.nxt"})
    with InProcess(answer) as server:
        sync(connection(tmp_path, server.url, CURSOR), {}, recorder, Lines())
        assert len(recorder.tables["notes"]) == count
        server.seen.clear()
        if count < 10:
            sync(connection(tmp_path, server.url, misspelt), recorder.state, recorder, Lines())
        else:
            with pytest.raises(Failure, match=r"the token at \$\.nxt is missing; the response has \$\.next"):
                sync(connection(tmp_path, server.url, misspelt), recorder.state, recorder, Lines())
    assert not any(row["deleted"] for row in recorder.tables["notes"].values())
    assert len(server.seen) == (1 if count < 10 else 2)


def test_a_server_that_accepts_certain_sizes_only_is_believed(tmp_path: Path) -> None:
    """It rejects the request that would confirm the end, and the list may well end there."""
    rows = [{"id": number} for number in range(10)]

    def answer(seen: Seen) -> Reply:
        return (
            Reply({"notes": rows}) if seen.query["limit"] == ["10"] else Reply({"error": "limit: 10, 50 or 100"}, 400)
        )

    recorder = Recorder()
    with InProcess(answer) as server:
        sync(connection(tmp_path, server.url, CURSOR), {}, recorder, Lines())
    assert len(recorder.tables["notes"]) == 10
