"""Pagination style `token`: a token, or a link that contains one."""

from __future__ import annotations

from datetime import datetime, timezone
from typing import Any

import pytest

from engine.declare.types import Endpoint
from engine.failures import OrderMoved, ReadFailure
from engine.jsonpath import compile_path
from engine.pagination.token import Token
from engine.requests import Page, Request
from tests.pagination.sent import in_response, sent

FIRST = Request(Endpoint("POST", "/events/filter"), body={"limit": 2})
NEXT = Endpoint("GET", "/events/filter/next")


def page(*keys: int, token: Any = None) -> Page:
    return Page([(key, {"id": key}) for key in keys], {"next": token})


def style(endpoint: Endpoint | None = NEXT) -> Token:
    return Token(token=in_response("$.next"), query={"page-token": "$token"}, endpoint=endpoint)


def test_the_token_of_a_link_is_sent_to_the_same_server() -> None:
    """A link to another host does not receive the API key. A page without a token is the last."""
    paginator = style().paginate(FIRST)
    assert sent(paginator.request) == sent(FIRST)
    assert [key for key, _ in paginator.advance(page(1, 2, token="http://elsewhere/api/x?page-token=a%3D%3D&z=1"))] == [
        1,
        2,
    ]
    assert sent(paginator.request) == sent(Request(NEXT, {"page-token": "a=="}))
    assert [key for key, _ in paginator.advance(page(2, 3, token="b"))] == [3]
    assert sent(paginator.request) == sent(Request(NEXT, {"page-token": "b"}))
    assert paginator.advance(page()) == []
    assert paginator.request is None


def test_a_token_after_the_last_record_is_ignored() -> None:
    """With a total, the last page is known. Some servers end with a token that they reject."""
    paginator = Token(
        token=in_response("$.next"), query={"t": "$token"}, endpoint=NEXT, total=in_response("$.total")
    ).paginate(FIRST)
    assert len(paginator.advance(Page([(1, {}), (2, {})], {"next": "a", "total": 3}))) == 2
    assert sent(paginator.request) == sent(Request(NEXT, {"t": "a"}))
    assert len(paginator.advance(Page([(3, {})], {"next": "broken", "total": 3}))) == 1
    assert paginator.request is None


def test_a_token_in_the_same_request() -> None:
    """Without an endpoint of its own, the token is added to the request."""
    paginator = style(None).paginate(Request(Endpoint("GET", "/x"), {"limit": 2}))
    paginator.advance(page(1, token="t"))
    assert sent(paginator.request) == sent(Request(Endpoint("GET", "/x"), {"limit": 2, "page-token": "t"}))


def test_the_next_pages_have_the_values_of_the_list() -> None:
    """An endpoint of their own can have variables as the stream's has, with instants spelled in the same way."""
    following = Token(
        token=in_response("$.next"),
        query={"t": "$token", "from": "$from", "limit": "$size"},
        endpoint=Endpoint("GET", "/orders/$(parent.id)/next"),
        page_size=2,
    )
    values = {"parent": {"id": "a"}, "from": datetime(2024, 5, 1, tzinfo=timezone.utc)}
    first = Request(Endpoint("GET", "/orders"), spelling=lambda at: f"{at:%d.%m.}")
    paginator = following.paginate(first.bind(values))
    paginator.advance(page(1, token="x"))
    request = sent(paginator.request)
    assert (str(request.endpoint), request.query) == ("GET /orders/a/next", {"t": "x", "from": "01.05.", "limit": 2})


@pytest.mark.parametrize(
    ("token", "words"),
    [
        (["a"], "neither a string nor a number"),
        (True, "neither a string nor a number"),
        ("http://x/y?other=1", 'is a link without the parameter "page-token"'),
        ("http://[x", 'is a link without the parameter "page-token"'),
    ],
)
def test_a_token_that_cannot_be_used_is_a_failure(token: Any, words: str) -> None:
    """It is never taken for the end of the list."""
    with pytest.raises(ReadFailure, match=words):
        style().paginate(FIRST).advance(page(1, token=token))


def test_a_repeated_token_is_a_failure() -> None:
    """The same pages would be read forever."""
    paginator = style().paginate(FIRST)
    paginator.advance(page(1, token="a"))
    with pytest.raises(ReadFailure, match="would never end"):
        paginator.advance(page(2, token="a"))


@pytest.mark.parametrize("token", ["b", "a,b..c@d/é="])
def test_a_read_resumes_at_its_token(token: str) -> None:
    """The rows before it count toward the total, so the token after the last record is still ignored."""
    counting = Token(token=in_response("$.next"), query={"t": "$token"}, endpoint=NEXT, total=in_response("$.total"))
    paginator = counting.paginate(FIRST)
    assert paginator.position is None
    paginator.advance(Page([(1, {}), (2, {})], {"next": token, "total": 3}))
    position = paginator.position
    assert position is not None
    assert not {",", " "} & {*position}
    resumed = counting.paginate(FIRST, position)
    assert sent(resumed.request) == sent(Request(NEXT, {"t": token}))
    assert resumed.position == position
    assert len(resumed.advance(Page([(3, {})], {"next": "broken", "total": 3}))) == 1
    assert resumed.request is None


def test_a_position_of_another_style_is_ignored() -> None:
    """The list is read from its start."""
    for position in ("2024-05-01T10:00:00.000000Z", "x@token"):
        assert sent(style().paginate(FIRST, position).request) == sent(FIRST)


def test_with_a_total_the_read_starts_over_until_it_has_as_many_rows() -> None:
    """Rows that the server sorts alike change places between two pages, so one is on both and another on none."""
    counting = Token(token=in_response("$.next"), query={"t": "$token"}, endpoint=NEXT, total=in_response("$.total"))
    paginator, found = counting.paginate(FIRST), list[Any]()
    for keys, token in (([1, 2], "a"), ([2, 4], None), ([1, 2], "a"), ([3, 4], None)):
        assert sent(paginator.request) == sent(Request(NEXT, {"t": "a"}) if keys[1] == 4 else FIRST)
        found += [key for key, _ in paginator.advance(Page([(k, {}) for k in keys], {"next": token, "total": 4}))]
    assert paginator.request is None
    assert found == [1, 2, 4, 3]


def test_a_total_that_is_never_reached_is_a_failure() -> None:
    """The number of times that the read starts over is bounded."""
    paginator = Token(token=in_response("$.next"), query={"t": "$token"}, total=in_response("$.total")).paginate(FIRST)
    with pytest.raises(OrderMoved, match="never had as many different rows"):
        for _ in range(20):
            paginator.advance(Page([(1, {})], {"total": 2}))


@pytest.mark.parametrize(
    "document",
    [
        {"next": "a", "has_more": False},
        {"next": "a", "hasMore": False},
        {"next": "a", "page_info": {"has_next_page": False}},
        {"next": "a", "meta": {"isLast": True}},
    ],
)
def test_a_repeated_token_is_the_end_if_the_response_says_so(document: Any) -> None:
    """Some servers repeat the last token. Without such words, the list might go on."""
    paginator = style().paginate(FIRST)
    paginator.advance(page(1, token="a"))
    assert [key for key, _ in paginator.advance(Page([(2, {})], document))] == [2]
    assert paginator.request is None
    paginator = style().paginate(FIRST)
    paginator.advance(page(1, token="a"))
    with pytest.raises(ReadFailure, match="would never end"):
        paginator.advance(Page([(2, {})], {"next": "a", "has_more": True}))


def test_an_empty_page_with_the_token_just_sent_is_the_end() -> None:
    """One with the token of an earlier page is not: the server has gone back."""
    paginator = style().paginate(FIRST)
    paginator.advance(page(1, token="a"))
    paginator.advance(page(token="a"))
    assert paginator.request is None
    paginator = style().paginate(FIRST)
    paginator.advance(page(1, token="a"))
    paginator.advance(page(2, token="b"))
    with pytest.raises(ReadFailure, match="would never end"):
        paginator.advance(page(token="a"))


def test_a_response_that_says_so_ends_the_list() -> None:
    """Whatever the token. If it says that there are more pages, there must be a token."""
    declared = Token(
        token=in_response("$.next"), query={"t": "$token"}, more=in_response("$.more"), end=in_response("$.last")
    )
    paginator = declared.paginate(FIRST)
    for said in ({"more": False}, {"more": "false"}, {"last": True}, {"last": 1, "more": None}):
        paginator = declared.paginate(FIRST)
        paginator.advance(Page([(1, {})], {"next": "a"}))
        assert sent(paginator.request) == sent(FIRST.merged(None, {"t": "a"}))
        paginator.advance(Page([(2, {})], {"next": "b", **said}))
        assert paginator.request is None
    with pytest.raises(ReadFailure, match=r"there are more pages, and the token at \$\.next is missing"):
        declared.paginate(FIRST).advance(Page([(1, {})], {"more": True}))
    with pytest.raises(ReadFailure, match=r"the value at \$\.last is neither true nor false"):
        declared.paginate(FIRST).advance(Page([(1, {})], {"next": "a", "last": "b"}))


@pytest.mark.parametrize("token", [7, 17145576001234567890, 2.5])
def test_a_number_is_a_token(token: Any) -> None:
    """It is sent as the number that it is, also by a read that resumes. 0 is no token."""
    numbers = Token(token=in_response("$.next"), query={"t": "$token"})
    paginator = numbers.paginate(FIRST)
    paginator.advance(page(1, token=token))
    assert sent(paginator.request) == sent(FIRST.merged(None, {"t": token}))
    assert sent(numbers.paginate(FIRST, paginator.position).request) == sent(paginator.request)
    paginator.advance(page(2, token=0))
    assert paginator.request is None


@pytest.mark.parametrize("total", ["3", 3.0, "3.0"])
def test_a_total_can_be_text(total: Any) -> None:
    """It counts like a number."""
    paginator = Token(token=in_response("$.next"), query={"t": "$token"}, total=in_response("$.total")).paginate(FIRST)
    paginator.advance(Page([(1, {}), (2, {})], {"next": "a", "total": total}))
    paginator.advance(Page([(3, {})], {"next": "broken", "total": total}))
    assert paginator.request is None


BY_LAST = Token(last=compile_path("$.id"), query={"starting_after": "$token"}, more=in_response("$.has_more"))


def test_the_last_record_names_the_next_page() -> None:
    """An empty page is the end, and so is a response without more."""
    for last, requests in (({"has_more": False}, 2), ({}, 3)):
        paginator, number = BY_LAST.paginate(FIRST), 0
        for keys, document in (([1, 2], {"has_more": True}), ([3, 0], last), ([], {})):
            if paginator.request is not None:
                number += 1
                paginator.advance(Page([(key, {"id": key}) for key in keys], document))
                following = sent(FIRST.merged(None, {"starting_after": keys[-1]})) if keys else None
                assert paginator.request is None or sent(paginator.request) == following
        assert (paginator.request, number) == (None, requests)


@pytest.mark.parametrize(("totals", "requests"), [((3, 1), 2), ((3, 3), 3), ((2, 1), 2), ((None, None), 3)], ids=str)
def test_a_total_of_what_the_request_has_ends_the_list_of_the_last_record(totals: Any, requests: int) -> None:
    """A full page is not believed, and a total of the whole list spares nothing but ends nothing too early."""
    style = Token(last=compile_path("$.id"), query={"after": "$token"}, total=in_response("$.total"), page_size=2)
    paginator, number = style.paginate(FIRST), 0
    for keys, total in (([1, 2], totals[0]), ([3], totals[1]), ([], 0)):
        if paginator.request is not None:
            number += 1
            paginator.advance(Page([(key, {"id": key}) for key in keys], {"total": total}))
    assert (paginator.request, number) == (None, requests)


@pytest.mark.parametrize(
    ("pages", "words"),
    [
        ([[{"id": 1}, {}]], r"the last record's value at \$\.id is missing"),
        ([[{"id": [1]}]], "is neither a string nor a number"),
        ([[{"id": 7}], [{"id": 7}]], "is that of an earlier page: the list would never end"),
        ([[]], "there are more pages, and the last record's value"),
    ],
)
def test_a_last_record_that_names_no_page_is_a_failure(pages: Any, words: str) -> None:
    """Nor does the read go round in a circle if the server ignores the token."""
    paginator = BY_LAST.paginate(FIRST)
    with pytest.raises(ReadFailure, match=words):
        for records in pages:
            paginator.advance(Page([(str(one), one) for one in records], {"has_more": True}))


@pytest.mark.parametrize("parts", [[1714557600000, "a,b"], {"id": "a", "at": 2.5}])
def test_a_token_in_a_body_can_have_parts(parts: Any) -> None:
    """What the last record sorts by, or its key. A read resumes at it, and it is an end once it is repeated."""
    by_sort = Token(last=compile_path("$.sort"), body={"search_after": "$token"})
    paginator = by_sort.paginate(FIRST)
    paginator.advance(Page([(1, {"sort": parts})], {}))
    for one in (paginator, by_sort.paginate(FIRST, paginator.position)):
        assert sent(one.request).body == {"limit": 2, "search_after": parts}
    with pytest.raises(ReadFailure, match="is that of an earlier page"):
        paginator.advance(Page([(2, {"sort": parts})], {}))


def test_a_url_of_the_last_record_is_the_token_itself() -> None:
    """Only a link that the response has leads to the next page."""
    paginator = BY_LAST.paginate(FIRST)
    paginator.advance(Page([(1, {"id": "https://x.test/1?starting_after=0"})]))
    following = {"starting_after": "https://x.test/1?starting_after=0"}
    assert sent(paginator.request) == sent(FIRST.merged(None, following))


def test_a_token_in_a_header() -> None:
    """An empty header is the end, as a missing one is. The total can be in another header."""
    style = Token(token=in_response("X-Next-Page"), query={"page": "$token"}, total=in_response("X-Total"))
    for header in ({"X-Next-Page": ""}, {}):
        paginator = style.paginate(FIRST)
        paginator.advance(Page([(1, {})], headers={"X-Next-Page": "2", "X-Total": "2"}))
        assert sent(paginator.request) == sent(FIRST.merged(None, {"page": "2"}))
        paginator.advance(Page([(2, {})], headers={**header, "X-Total": "2"}))
        assert paginator.request is None


@pytest.mark.parametrize("token", ["YQ==", "https://x.test/opaque?a=b"])
def test_a_token_anywhere_in_a_body(token: str) -> None:
    """As GraphQL has it: the first page has no cursor. A token that looks like a URL is sent as it is there."""
    body = {"query": "query($after: String) { issues(after: $after) { nodes { id } } }", "variables": {"n": "$size"}}
    request = Request(Endpoint("POST", "/graphql"), body={**body, "variables": {"n": "$size", "after": "$token"}})
    info = "$.data.issues.pageInfo"
    style = Token(token=in_response(f"{info}.endCursor"), more=in_response(f"{info}.hasNextPage"), page_size=50)
    paginator = style.paginate(request)
    assert sent(paginator.request).body == {**body, "variables": {"n": 50}}
    page = Page([(1, {})], {"data": {"issues": {"pageInfo": {"endCursor": token, "hasNextPage": True}}}})
    paginator.advance(page)
    assert sent(paginator.request).body == {**body, "variables": {"n": 50, "after": token}}
    paginator.advance(Page([(2, {})], {"data": {"issues": {"pageInfo": {"endCursor": "Yg", "hasNextPage": False}}}}))
    assert paginator.request is None
