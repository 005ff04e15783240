"""Pagination style `link`: only the parameters of a link are used."""

from __future__ import annotations

from typing import Any

import pytest

from engine.declare.types import Endpoint
from engine.failures import ReadFailure
from engine.jsonpath import compile_path
from engine.pagination.link import Link
from engine.requests import Page, Request

GET = Request(Endpoint("GET", "/items"), {"sort": "id"})


def page(keys: list[int], document: Any, link: str | None = None) -> Page:
    return Page([(key, {"id": key}) for key in keys], document, link)


@pytest.mark.parametrize("style", [Link(), Link(link=compile_path("$.next"))])
def test_links_are_followed_on_the_same_server(style: Link) -> None:
    """A link to another host does not receive the API key. A response without a link is the last."""
    paginator = style.paginate(GET)
    for keys, link in (([1, 2], "https://elsewhere/api/items?after=2&sort=id"), ([2, 3], "?after=3"), ([4], None)):
        paginator.advance(page(keys, {"next": link}, link))
        if link:
            assert paginator.request is not None
            assert paginator.request.endpoint == GET.endpoint
            assert paginator.request.query["after"] == [link.split("after=")[1][0]]
    assert paginator.request is None


@pytest.mark.parametrize(
    ("links", "words"),
    [
        (["/items?a=1", "/items?a=1"], "would never end"),
        (["https://h/others?a=1"], "leads to /others instead of /items"),
        ([5], "is not a string"),
        (["http://[x/items?a=1"], "is not a URL"),
    ],
)
def test_a_link_that_cannot_be_followed_is_a_failure(links: list[Any], words: str) -> None:
    """It is never taken for the end of the list."""
    paginator = Link(link=compile_path("$.next")).paginate(GET)
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
    assert resumed.request == paginator.request
    assert resumed.position == position


@pytest.mark.parametrize("position", ["2024-05-01T10:00:00.000000Z", "1@%5B1%5D", "http://[x/items"])
def test_a_position_of_another_style_is_ignored(position: str) -> None:
    """The list is read from its start."""
    assert Link().paginate(GET, position).request == GET
