"""Pagination style ``token``: each response has a token for the next page.

If the server sorts by something that rows share, their order can change from page to page, so that one row is on two of
them and another on none. If the responses contain a total, the read starts over until it has as many different rows.

A paginator can resume at a token as long as the server accepts it. Positions have the form ``ROWS@TOKEN``, with the
number of rows before it.
"""

from __future__ import annotations

from collections.abc import Hashable, Sequence
from dataclasses import dataclass
from typing import ClassVar, Final
from urllib.parse import parse_qs, quote, unquote, urlsplit

from engine.declare.blocks import key
from engine.declare.types import ENDPOINT, JSON_PATH, PARAMETER, Endpoint
from engine.failures import OrderMoved, ReadFailure
from engine.jsonpath import JsonPath
from engine.pagination.paginator import IsLater, Paginator
from engine.requests import KeyedRecord, Page, Request

_MAX_ROUNDS: Final = 10


@dataclass(frozen=True, kw_only=True)
class Token:
    """Each response except the last has a token for the next page, or a link that contains one.

    Only the link's token is used, and sent to the API's own base URL. A server behind a proxy may not know its own
    address, and the API key must not be sent to another.
    """

    resumable: ClassVar[bool] = False
    page_size: ClassVar[None] = None

    token: JsonPath = key(
        JSON_PATH, "JSONPath of the token in the response, or of the link that has it as a parameter."
    )
    parameter: str = key(PARAMETER, "The URL parameter for the token.")
    total: JsonPath | None = key(
        JSON_PATH,
        "JSONPath of the total number of records in the response. The read starts over until it has that many. Any "
        "further token is ignored: some servers end with one that they reject.",
        default=None,
    )
    endpoint: Endpoint | None = key(
        ENDPOINT, "The endpoint of the next pages, if it is not the stream's.", default=None
    )

    def paginate(self, request: Request, position: str | None = None, *, is_later: IsLater | None = None) -> Paginator:
        """Start with the first page, or with that of a token."""
        return _TokenPaginator(self, request, position)


class _TokenPaginator:
    one_record = False

    def __init__(self, style: Token, request: Request, position: str | None) -> None:
        self._style = style
        self._template = request
        self._tokens: set[str] = set()
        self._seen: set[Hashable] = set()  # in all rounds
        self._rounds = 1
        self._rows_before = 0  # the token at which the read resumed
        self.position: str | None = None
        self.request: Request | None = request
        rows, at, token = (position or "").partition("@")
        if at and rows.isdecimal():
            self._rows_before = int(rows)
            self.request = self._following(unquote(token))

    def advance(self, page: Page) -> Sequence[KeyedRecord]:
        style = self._style
        new = [keyed for keyed in page.records if keyed[0] not in self._seen]
        self._seen.update(k for k, _ in new)
        token = style.token.get(page.document)
        total = style.total.get(page.document) if style.total else None
        missing = total - self._rows_before - len(self._seen) if isinstance(total, int) else None
        is_last = token is None or token == ""
        if is_last and missing is not None and missing > 0:
            self._start_over()
        elif is_last or (missing is not None and missing <= 0):
            self.request = None
        elif not isinstance(token, str):
            raise ReadFailure(f"the token at {style.token.text} is not a string")
        else:
            self.request = self._following(_parameter(style, token) if "://" in token else token)
        return new

    def _start_over(self) -> None:
        self._rounds += 1
        if self._rounds > _MAX_ROUNDS:
            raise OrderMoved(
                f"{_MAX_ROUNDS} reads of all pages never had as many different rows as the server counts: its order is "
                "not stable, or the primary key is not unique"
            )
        self._tokens.clear()
        self._rows_before, self.position, self.request = 0, None, self._template

    def _following(self, token: str) -> Request:
        if token in self._tokens:
            where = self._style.token.text
            raise ReadFailure(f"the token at {where} is that of an earlier page: the list would never end")
        self._tokens.add(token)
        self.position = f"{self._rows_before + len(self._seen)}@{quote(token, safe='')}"
        values = {self._style.parameter: token}
        if self._style.endpoint is None:
            return self._template.with_values(values)
        return Request(self._style.endpoint, values)


def _parameter(style: Token, link: str) -> str:
    """The token in a link."""
    try:
        return parse_qs(urlsplit(link).query)[style.parameter][0]
    except (KeyError, ValueError):
        raise ReadFailure(f'the link at {style.token.text} has no parameter "{style.parameter}"') from None
