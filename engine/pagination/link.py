"""Pagination style ``link``: each response links to the next page.

A paginator can resume at a link as long as the server accepts it.
"""

from __future__ import annotations

import re
from collections.abc import Hashable, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from typing import ClassVar
from urllib.parse import parse_qs, quote, unquote, urlsplit

from engine.declare.blocks import key
from engine.declare.types import JSON_PATH
from engine.failures import ReadFailure
from engine.jsonpath import JsonPath
from engine.pagination.paginator import IsLater, Paginator
from engine.requests import KeyedRecord, Page, Request


@dataclass(frozen=True, kw_only=True)
class Link:
    """Each response except the last links to the next page, in its `Link` header (rel="next", RFC 8288) or in its body.

    Only the link's parameters are used; the request goes to the same endpoint. A server behind a proxy may not know its
    own address, and the API key must not be sent to another.
    """

    resumable: ClassVar[bool] = False
    page_size: ClassVar[None] = None

    link: JsonPath | None = key(
        JSON_PATH, "JSONPath of the link in the response's body. Without it, the `Link` header is read.", default=None
    )

    def paginate(self, request: Request, position: str | None = None, *, is_later: IsLater | None = None) -> Paginator:
        """Start with the first page, or with that of a link."""
        return _LinkPaginator(self, request, position)


class _LinkPaginator:
    one_record = False

    def __init__(self, style: Link, request: Request, position: str | None) -> None:
        self._style = style
        self._template = request
        self._links: set[str] = set()
        self._seen: set[Hashable] = set()
        self.position: str | None = None
        self.request: Request | None = request
        if position is not None:
            with suppress(ReadFailure):  # it is not a link to this list
                self.request = self._following(unquote(position))

    def advance(self, page: Page) -> Sequence[KeyedRecord]:
        new = [keyed for keyed in page.records if keyed[0] not in self._seen]
        self._seen.update(k for k, _ in new)
        link = page.next_link if self._style.link is None else self._style.link.get(page.document)
        if link is None or link == "":
            self.request = None
            return new
        if not isinstance(link, str):
            raise ReadFailure("the link to the next page is not a string")
        if link in self._links:
            raise ReadFailure("the link to the next page is that of an earlier page: the list would never end")
        self.request = self._following(link)
        return new

    def _following(self, link: str) -> Request:
        self._links.add(link)
        try:
            parts = urlsplit(link)
        except ValueError:
            raise ReadFailure("the link to the next page is not a URL") from None
        own = re.sub(r"^(\.\./?)+", "/", self._template.endpoint.path)
        if parts.path and not parts.path.rstrip("/").endswith(own.rstrip("/")):
            raise ReadFailure(f"the link to the next page leads to {parts.path} instead of {own}")
        self.position = quote(link, safe="")
        return replace(self._template, query=parse_qs(parts.query, keep_blank_values=True))
