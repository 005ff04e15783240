"""Pagination style ``token``: each response has a token for the next page.

If the server sorts by something that rows share, their order can change from page to page, so that one row is on two of
them and another on none. If the responses contain a total, the read starts over until it has as many different rows.

Servers end a list in several ways. A token that was sent before is the end if the page is empty and this very token was
just sent, or if the response says that there is no more. Otherwise it is a failure, because the list would never end.

A paginator can resume at a token as long as the server accepts it. Positions have the form ``ROWS@TOKEN``, with the
number of rows before it. A ``#`` before the token means that it is no string, but another JSON value.
"""

from __future__ import annotations

import json
from collections.abc import Hashable, Sequence
from dataclasses import dataclass, replace
from decimal import Decimal
from typing import Any, ClassVar, Final
from urllib.parse import parse_qs, quote, unquote, urlsplit

from engine.declare.blocks import key
from engine.declare.response import RESPONSE_PLACE, ResponsePlace
from engine.declare.types import ENDPOINT, JSON_PATH, Endpoint
from engine.declare.values import Integer
from engine.failures import OrderMoved, ReadFailure
from engine.jsonpath import JsonPath
from engine.pagination.ends import Ends, count_at, value_at
from engine.pagination.first_page import FirstPage, says_no_more
from engine.pagination.paginator import IsLater, Paginator
from engine.pagination.placed import PAGE_SIZE, halved, parameter_of
from engine.requests import KeyedRecord, Page, Request
from engine.variables import variables_in

_MAX_ROUNDS: Final = 10


@dataclass(frozen=True, kw_only=True)
class Token(Ends):
    """Each response except the last has a token for the next page, or a link that contains one.

    Instead, `last` can take the token from the last record of each page. The request of the next page has it as
    `$token`, anywhere in its query or body: `query: {cursor: $token}`. That of the first page is the same without it.
    Of a link, only the token is used, and sent to the API's own base URL: a server behind a proxy may not know its own
    address, and the API key must not be sent to another.
    """

    resumable: ClassVar[bool] = False
    variables: ClassVar[tuple[str, ...]] = ("size", "token")
    exactly_one_of: ClassVar = ("token", "last")

    token: ResponsePlace | None = key(
        RESPONSE_PLACE,
        "Where the response has the token, or the link that has it as a parameter.",
        default=None,
    )
    last: JsonPath | None = key(
        JSON_PATH,
        "JSONPath in a page's last record of the value that is the token. In a body, it can be a list or an object, "
        "such as the values that the list is sorted by. The list ends with an empty page, or where the response says "
        "so.",
        default=None,
    )
    total: ResponsePlace | None = key(
        RESPONSE_PLACE,
        "Where the response has the total number of records in the list. The read starts over until it has that many. "
        "Any further token is ignored: some servers end with one that they reject. With `last`, it is the number of "
        "records from the page's first one on: a page that has all of them, and is not full, is the last.",
        default=None,
    )
    endpoint: Endpoint | None = key(
        ENDPOINT,
        "The endpoint of the next pages, if it is not the stream's. It is sent only this style's `query` and `body`.",
        default=None,
    )
    page_size: int | None = key(Integer(1), PAGE_SIZE, default=None)

    def paginate(self, request: Request, position: str | None = None, *, is_later: IsLater | None = None) -> Paginator:
        """Start with the first page, or with that of a token."""
        return _TokenPaginator(self, request, position)

    def token_in(self, page: Page) -> Any:
        """The token that a page has, or its last record; None if it has none."""
        if self.last is None:
            token = value_at(self.token, page) if self.token is not None else None
            return None if token is False or token in ("", 0) else token
        if not page.records:
            return None
        token = self.last.get(page.records[-1][1])
        if token is None:
            raise ReadFailure(f"{self.source} is missing, so nothing names the next page")
        return token

    @property
    def source(self) -> str:
        """Where the token comes from, in words."""
        if self.last is not None:
            return f"the last record's value at {self.last.text}"
        return f"the token {self.token.where}" if self.token is not None else "the token"


class _TokenPaginator:
    one_record = False

    def __init__(self, style: Token, request: Request, position: str | None) -> None:
        self._style = style
        self._size = style.page_size
        self._template = style.placed(request) if style.endpoint is None else style.sized(request)
        self._template = self._template.bind({"size": self._size})
        self._seen: set[Hashable] = set()  # in all rounds
        self._tokens: set[str] = set()
        self._last_token: str | None = None
        self._rounds = 1
        self._rows_before = 0  # the token at which the read resumed
        self._first_page = FirstPage(style.source, self._template, self._size)
        self.position: str | None = None
        self.request: Request | None = self._template
        rows, at, token = (position or "").partition("@")
        if at and rows.isdecimal():
            self._rows_before = int(rows)
            self.request = self._following(_token_at(token))

    def advance(self, page: Page) -> Sequence[KeyedRecord]:
        style = self._style
        if self._first_page.is_checked:
            return self._confirm_end(page)
        new = [keyed for keyed in page.records if keyed[0] not in self._seen]
        self._seen.update(k for k, _ in new)
        token = self._token_in(page)
        total = count_at(style.total, page)
        if style.last is not None and total is not None:
            token, total = None if self._has_all(page, total) else token, None
        missing = total - self._rows_before - len(self._seen) if total is not None else None
        if token is None and missing is not None and missing > 0:
            self._start_round()
        elif missing is not None and missing <= 0:
            self.request = None
        elif token is None:
            self.request = self._check_end(page)
        else:
            self.request = self._following(token)
            if page.is_secret(_text(token)):
                self.position = None
        return new

    def _has_all(self, page: Page, total: int) -> bool:
        """Whether no record follows a page. A full one is not believed: some servers count only those of a page."""
        return total <= len(page.records) and (self._size is None or len(page.records) < self._size)

    def _check_end(self, page: Page) -> Request | None:
        """The request that confirms that this page is the last, if its place in the list leaves a doubt."""
        style = self._style
        if style.last is not None or self._tokens or style.is_last(page):
            return None
        return self._first_page.check(page, style.token)

    def _confirm_end(self, page: Page) -> Sequence[KeyedRecord]:
        """Take in the second answer to the first request, with one row less."""
        self._first_page.confirm(page, has_next=self._token_in(page) is not None)
        self.request = None
        return [keyed for keyed in page.records if keyed[0] not in self._seen]

    def shrink(self) -> bool:
        """Start over with pages of half the size: a token can stand for a page of the size that it was made for."""
        self._size = halved(self._size)
        if self._size is None:
            return False
        self._template = self._template.bind({"size": self._size})
        self._first_page = FirstPage(self._style.source, self._template, self._size)
        self._start_over()
        return True

    def _start_over(self) -> None:
        self._tokens.clear()
        self._last_token = self.position = None
        self._rows_before = 0
        self.request = self._template

    def _token_in(self, page: Page) -> Any:
        """The token of the next page; None if this page is the last."""
        style = self._style
        is_last = style.is_last(page)
        if is_last:
            return None
        token = style.token_in(page)
        if token is None:
            if is_last is False:
                raise ReadFailure(f"there are more pages, and {style.source} is missing")
            return None
        if isinstance(token, bool) or not isinstance(token, self._types):
            raise ReadFailure(f"{style.source} is neither a string nor a number")
        if isinstance(token, str) and "://" in token and style.last is None:
            token = self._parameter(token)
        text = _text(token)
        if text in self._tokens and _is_end(page, repeats_last=text == self._last_token):
            return None
        return token

    @property
    def _types(self) -> tuple[type, ...]:
        """The types of tokens. In a body, that of a record can have parts, such as the values that it is sorted by."""
        body = {} if self._style.last is None else self._following_pages.body or {}
        has_parts = any(variable.name == "token" for variable in variables_in(body))
        return (str, int, float, Decimal, *((list, dict) if has_parts else ()))

    def _start_round(self) -> None:
        self._rounds += 1
        if self._rounds > _MAX_ROUNDS:
            raise OrderMoved(
                f"{_MAX_ROUNDS} reads of all pages never had as many different rows as the server counts: its order is "
                "not stable, or the primary key is not unique"
            )
        self._start_over()

    def _following(self, token: Any) -> Request:
        text = _text(token)
        if text in self._tokens:
            raise ReadFailure(f"{self._style.source} is that of an earlier page: the list would never end")
        self._tokens.add(text)
        self._last_token = text
        mark = "" if isinstance(token, str) else "#"
        self.position = f"{self._rows_before + len(self._seen)}@{mark}{quote(text, safe='')}"
        return self._following_pages.bind({"token": token})

    @property
    def _following_pages(self) -> Request:
        """The request of the pages that follow the first, without their token."""
        style = self._style
        if style.endpoint is None:
            return self._template
        return replace(self._template, endpoint=style.endpoint, query=style.query, body=style.body or None)

    def _parameter(self, link: str) -> str:
        """The token in a link: its parameter of the same name as in the request. If that has none, the link is it."""
        following = self._following_pages
        name = parameter_of("token", {**(following.body or {}), **following.query})
        if name is None:
            return link
        try:
            return parse_qs(urlsplit(link).query)[name][0]
        except (KeyError, ValueError):
            raise ReadFailure(f'{self._style.source} is a link without the parameter "{name}"') from None


def _text(token: Any) -> str:
    """A token as text."""
    return json.dumps(token, sort_keys=True) if isinstance(token, (list, dict)) else str(token)


def _token_at(position: str) -> Any:
    """The token in a position: a string, or another JSON value after ``#``."""
    if not position.startswith("#"):
        return unquote(position)
    try:
        return json.loads(unquote(position[1:]))
    except ValueError:
        return unquote(position[1:])


def _is_end(page: Page, *, repeats_last: bool) -> bool:
    """Whether a page whose token was sent before is the last one."""
    return (repeats_last and not page.records) or says_no_more(page.document)
