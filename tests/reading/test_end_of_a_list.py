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
