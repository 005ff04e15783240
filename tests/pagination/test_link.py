"""Pagination style `link`: a link's path and parameters are used, and its host is not."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, unquote

import pytest

from dev.testbed.loopback import Loopback, Reply, Seen
from engine.declare.types import Endpoint
from engine.failures import ReadFailure
from engine.pagination.link import Link
from engine.requests import Page, Request
from engine.sync import sync
from tests.pagination.sent import in_response, sent
from tests.shop import ORDERS_ONLY, Lines, Recorder, connection, orders
from tests.specs import edited

GET = Request(Endpoint("GET", "/items"), {"sort": "id"})
HERE = "https://here.test:8443/api/items"


def page(keys: list[int], document: Any, link: str | None = None, url: str = "") -> Page:
    return Page([(key, {"id": key}) for key in keys], document, link, url=url)


@pytest.mark.parametrize("style", [Link(), Link(link=in_response("$.next")), Link(link=in_response("X-Next"))])
def test_links_are_followed_on_the_same_server(style: Link) -> None:
    """A link to another host does not receive the API key. A response without a link is the last."""
    paginator = style.paginate(GET)
    for keys, link in (([1, 2], "https://elsewhere/api/items?after=2&sort=id"), ([2, 3], "?after=3"), ([4], None)):
        paginator.advance(replace(page(keys, {"next": link}, link), headers={"X-Next": link or ""}))
        if link:
            assert paginator.request is not None
            assert sent(paginator.request).endpoint == GET.endpoint
            assert sent(paginator.request).query["sort"] in ("id", ["id"])
            assert sent(paginator.request).query["after"] == [link.split("after=")[1][0]]
    assert paginator.request is None


@pytest.mark.parametrize(
    ("links", "words"),
    [
        (["/items?a=1", "/items?a=1"], "would never end"),
        (["https://h/others?a=1"], "leads to /others on h instead of /items"),
        ([5], "is not a string"),
        (["http://[x/items?a=1"], "is not a URL"),
    ],
)
def test_a_link_that_cannot_be_followed_is_a_failure(links: list[Any], words: str) -> None:
    """It is never taken for the end of the list."""
    paginator = Link(link=in_response("$.next")).paginate(GET)
    with pytest.raises(ReadFailure, match=words):
        for number, link in enumerate(links):
            paginator.advance(page([number], {"next": link}))


@pytest.mark.parametrize("link", ["https://elsewhere/api/items?after=a,b..c", "?after=3"])
def test_a_read_resumes_at_its_link(link: str) -> None:
    """It is one word, since positions are joined by commas."""
    paginator = Link().paginate(GET)
    assert paginator.position is None
    paginator.advance(page([1], None, link))
    position = paginator.position
    assert position is not None
    assert not {",", " "} & {*position}
    resumed = Link().paginate(GET, position)
    assert sent(resumed.request) == sent(paginator.request)
    assert resumed.position == position


@pytest.mark.parametrize(
    ("link", "position"),
    [
        ("?after=3&key=s3cret%2F&empty=", "/items?after=3&empty="),
        ("?s3cret/=1&after=3", "/items?after=3"),
        ("/api/items/s3cret%2F?after=3", None),
        ("/api/items/%41?after=3", None),
    ],
)
def test_a_position_has_no_secret(link: str, position: str | None) -> None:
    """The position is in the state. The link itself is followed as it is; requests add their own credentials anyway."""
    paginator = Link().paginate(GET)
    first = replace(
        page([1], None, link, "https://here.test/api/items"), is_secret=lambda text: "s3cret/" in text or "%41" in text
    )
    paginator.advance(first)
    assert (paginator.position and unquote(paginator.position)) == position
    query = sent(paginator.request).query
    assert {name: query[name] for name in query if name != "sort"} == parse_qs(link.partition("?")[2], True)


@pytest.mark.parametrize("position", ["2024-05-01T10:00:00.000000Z", "1@%5B1%5D", "http://[x/items"])
def test_a_position_of_another_style_is_ignored(position: str) -> None:
    """The list is read from its start."""
    assert sent(Link().paginate(GET, position).request) == sent(GET)


@pytest.mark.parametrize(
    ("link", "path", "query"),
    [
        ("?after=3", "/items", {"sort": "id", "after": ["3"]}),
        ("?after=3&sort=name", "/items", {"sort": ["name"], "after": ["3"]}),
        ("https://here.test:8443/api/items/page/2", "/items/page/2", {"sort": "id"}),
        ("/api/v2/items?after=3", "/v2/items", {"sort": "id", "after": ["3"]}),
        ("/other/list?after=3", "../other/list", {"sort": "id", "after": ["3"]}),
        ("items;v=1?ids=1,2", "/items;v=1", {"sort": "id", "ids": ["1,2"]}),
        ("../list?after=3", "../list", {"sort": "id", "after": ["3"]}),
        ("http://HERE.test/api/list?after=3", "/list", {"sort": "id", "after": ["3"]}),
        ("http://inner:4200/items?after=3", "/items", {"sort": "id", "after": ["3"]}),
        ("/items?after=3", "/items", {"sort": "id", "after": ["3"]}),
    ],
)
def test_a_link_to_another_path_on_the_server_is_followed(link: str, path: str, query: dict[str, Any]) -> None:
    """With the stream's own query, unless the link has it. A server behind a proxy may not know its own address."""
    paginator = Link().paginate(GET)
    paginator.advance(page([1], None, link, HERE))
    assert sent(paginator.request) == sent(Request(Endpoint("GET", path), query))
    assert sent(Link().paginate(GET, paginator.position).request) == sent(paginator.request)


@pytest.mark.parametrize(
    "link",
    [
        "https://elsewhere.test/api/others",
        "https://here.test:9999/api/others",
        "//elsewhere.test/others?after=3",
        "https://here.test:8443@elsewhere.test/others",
        "https://here.test.elsewhere.test/api/others",
    ],
)
def test_a_link_to_another_server_is_a_failure(link: str) -> None:
    """Unless it is to the list's own path, which is then requested from this server."""
    with pytest.raises(ReadFailure, match="leads to /"):
        Link().paginate(GET).advance(page([1], None, link, HERE))


def test_a_link_can_be_followed_as_it_is() -> None:
    """A server may reject the filters of the first page beside the token in its link, as Shopify does."""
    style = Link(as_is=True)
    paginator = style.paginate(GET)
    assert sent(paginator.request).query == {"sort": "id"}
    paginator.advance(page([1], None, "?page_info=x", HERE))
    assert sent(paginator.request).query == {"page_info": ["x"]}
    assert sent(style.paginate(GET, paginator.position).request) == sent(paginator.request)


def test_an_empty_page_with_the_link_just_followed_is_the_end() -> None:
    """Some servers link the last page to itself. It is a circle if the response says that there are more pages."""
    paginator = Link().paginate(GET)
    paginator.advance(page([1], None, "?after=1", HERE))
    paginator.advance(page([], None, "?after=1", HERE))
    assert paginator.request is None
    paginator = Link(more=in_response("$.more")).paginate(GET)
    paginator.advance(page([1], {"more": True}, "?after=1", HERE))
    with pytest.raises(ReadFailure, match="would never end"):
        paginator.advance(page([], {"more": True}, "?after=1", HERE))


def test_pages_on_other_paths_are_read_to_the_end(tmp_path: Path) -> None:
    """A whole sync over pages that have paths of their own, above the base URL and below it."""

    def answer(seen: Seen) -> Reply:
        assert seen.query["sort"] == ["id"]
        number = int(seen.path.rpartition("/")[2]) if seen.path[-1].isdigit() else 1
        first, following = '</api;x/1>; rel="first", ', ("/pages;a,b/2", f"{server.url}/pages/3", None)[number - 1]
        header = f'{first}<{following}>; title="a;b"; rel="next"' if following else first
        return Reply(orders(30)[number * 10 - 10 : number * 10], headers={"Link": header})

    text = edited(
        ORDERS_ONLY,
        remove=["streams.orders.body", "streams.orders.count"],
        replace={"streams.orders.endpoint": "GET /orders/filter"},
        add={"streams.orders.query": {"sort": "id"}, "streams.orders.pagination": "link"},
    )
    with Loopback(answer) as server:
        recorder = Recorder()
        sync(connection(tmp_path, server.url, text), {}, recorder, Lines())
    assert len(recorder.tables["orders"]) == 30
    assert [seen.path for seen in server.seen] == ["/api/orders/filter", "/pages;a,b/2", "/api/pages/3"]


def test_a_response_that_says_so_ends_the_list() -> None:
    """Some servers link to a page that does not exist yet. If there are more pages, there must be a link."""
    style = Link(link=in_response("$.next"), more=in_response("$.more"), end=in_response("$.end_of_stream"))
    for said in ({"more": False}, {"end_of_stream": True}):
        paginator = style.paginate(GET)
        paginator.advance(page([1], {"next": "/items?after=1", "end_of_stream": False}))
        assert paginator.request is not None
        paginator.advance(page([2], {"next": "/items?after=2", **said}))
        assert paginator.request is None
    with pytest.raises(ReadFailure, match="there are more pages, and there is no link to the next one"):
        style.paginate(GET).advance(page([1], {"more": True}))


def test_a_link_can_be_one_of_several() -> None:
    """A path with a filter has a list of matches: one leads to the next page, none is the end, two are a failure."""
    style = Link(link=in_response("$.links[?(@.rel == 'next')].href"))
    paginator = style.paginate(GET)
    following = {"href": "?after=1", "rel": "next"}
    paginator.advance(Page([(1, {})], {"links": [{"href": "?", "rel": "self"}, following]}, url=HERE))
    assert sent(paginator.request).query["after"] == ["1"]
    with pytest.raises(ReadFailure, match="not a string"):
        style.paginate(GET).advance(Page([(2, {})], {"links": [following, following]}, url=HERE))
    paginator.advance(Page([(2, {})], {"links": [{"href": "?", "rel": "self"}]}, url=HERE))
    assert paginator.request is None
