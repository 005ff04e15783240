"""Pagination style ``link``: each response links to the next page.

A paginator can resume at a link as long as the server accepts it.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Hashable, Sequence
from dataclasses import dataclass, replace
from typing import ClassVar, Final
from urllib.parse import SplitResult, parse_qs, parse_qsl, quote, unquote, urlencode, urljoin, urlsplit

from engine.declare.blocks import key
from engine.declare.response import RESPONSE_PLACE, ResponsePlace
from engine.declare.types import Endpoint
from engine.declare.values import Boolean, Integer
from engine.failures import ReadFailure
from engine.pagination.ends import Ends, value_at
from engine.pagination.first_page import FirstPage
from engine.pagination.paginator import IsLater, Paginator
from engine.pagination.placed import PAGE_SIZE, halved
from engine.requests import KeyedRecord, Page, Request

_SOURCE: Final = "the link to the next page"


@dataclass(frozen=True, kw_only=True)
class Link(Ends):
    """Each response except the last links to the next page, in its `Link` header (rel="next", RFC 8288) or elsewhere.

    The link's path and parameters are used, with those of the stream's `query` that it lacks. The request goes to this
    server, whatever host the link names: a server behind a proxy may not know its own address, and the API key must not
    be sent to another. A link to another path on another host is a failure.

    Links to numbered pages are no better than `page_number` without a `total`: rows deleted during the read can hide
    others.
    """

    resumable: ClassVar[bool] = False
    variables: ClassVar[tuple[str, ...]] = ("size",)

    link: ResponsePlace | None = key(
        RESPONSE_PLACE,
        "Where the response has the link: a URL, or its path and query. Without it, the `Link` header is read.",
        default=None,
    )
    as_is: bool = key(
        Boolean(),
        "Whether a link is followed with its own parameters alone, for servers that reject those of the first page "
        "beside its token.",
        default=False,
    )
    page_size: int | None = key(Integer(1), PAGE_SIZE, default=None)

    def paginate(self, request: Request, position: str | None = None, *, is_later: IsLater | None = None) -> Paginator:
        """Start with the first page, or with that of a link."""
        return _LinkPaginator(self, request, position)


class _LinkPaginator:
    one_record = False

    def __init__(self, style: Link, request: Request, position: str | None) -> None:
        self._style = style
        self._size = style.page_size
        self._template = style.placed(request).bind({"size": self._size})
        self._first_page = FirstPage(_SOURCE, self._template, self._size)
        self._links: set[str] = set()
        self._last_link: str | None = None
        self._seen: set[Hashable] = set()
        self._place = _Place(self._template.written_out().endpoint)
        self.position: str | None = None
        self.request: Request | None = self._template
        path, has_query, query = unquote(position or "").partition("?")
        if has_query and path.startswith(("/", "..")):  # otherwise it is not a position in this list
            self._go_to(path, query)

    def advance(self, page: Page) -> Sequence[KeyedRecord]:
        new = [keyed for keyed in page.records if keyed[0] not in self._seen]
        self._seen.update(k for k, _ in new)
        link = self._link_in(page)
        if self._first_page.is_checked:
            self._first_page.confirm(page, has_next=link is not None)
            self.request = None
            return new
        if link is None:
            is_known = self._links or self.position is not None or self._style.is_last(page)
            self.request = None if is_known else self._first_page.check(page, self._style.link)
            return new
        if link in self._links:
            raise ReadFailure("the link to the next page is that of an earlier page: the list would never end")
        self._links.add(link)
        self._last_link = link
        try:
            target = urlsplit(urljoin(page.url, link))
            path = self._place.path(target, urlsplit(page.url))
            self._go_to(path, target.query)
        except ValueError:
            raise ReadFailure("the link to the next page is not a URL") from None
        if page.is_secret(link) or page.is_secret(unquote(link)):
            self.position = _public_position(path, target.query, page.is_secret)
        return new

    def _link_in(self, page: Page) -> str | None:
        """The link to the next page; None if this page is the last."""
        place, is_last = self._style.link, self._style.is_last(page)
        if is_last:
            return None
        link = page.next_link if place is None else value_at(place, page)
        if link in (None, ""):
            if is_last is False:
                raise ReadFailure("there are more pages, and there is no link to the next one")
            return None
        if not isinstance(link, str):
            raise ReadFailure("the link to the next page is not a string")
        ends_in_itself = not page.records and link == self._last_link
        return None if ends_in_itself and is_last is None else link

    def shrink(self) -> bool:
        """Start over with pages of half the size: a link leads to a page of the size that it was made for."""
        self._size = halved(self._size)
        if self._size is None:
            return False
        self._template = self._template.bind({"size": self._size})
        self._first_page = FirstPage(_SOURCE, self._template, self._size)
        self._links.clear()
        self._last_link = self.position = None
        self.request = self._template
        return True

    def _go_to(self, path: str, query: str) -> None:
        self.position = _position(path, query)
        own = self._template.written_out()
        kept = {} if self._style.as_is else own.query
        linked = {**kept, **parse_qs(query, keep_blank_values=True)}
        self.request = replace(own, endpoint=replace(own.endpoint, path=path), query=linked)


def _position(path: str, query: str) -> str:
    return quote(f"{path}?{query}", safe="")


def _public_position(path: str, query: str, is_secret: Callable[[str], bool]) -> str | None:
    """The position without parameters that have a secret: a request has its own. None if the path has one."""
    if is_secret(path) or is_secret(unquote(path)):
        return None
    pairs = parse_qsl(query, keep_blank_values=True)
    return _position(path, urlencode([pair for pair in pairs if not any(map(is_secret, pair))]))


class _Place:
    """Where a list is on its server: its path below the base URL and, once a page was read, that of the base URL."""

    def __init__(self, endpoint: Endpoint) -> None:
        self._declared = endpoint.path
        self._own = re.sub(r"^(\.\./?)+", "/", endpoint.path).rstrip("/")
        self._base: str | None = None

    def path(self, target: SplitResult, page: SplitResult) -> str:
        """The path of a link as an endpoint has it: below the base URL, or up from it with ``..``.

        Raises:
            ReadFailure: it is another path on another host.
            ValueError: the link is not a URL.
        """
        if self._base is None and page.path.rstrip("/").endswith(self._own):
            self._base = page.path.rstrip("/").removesuffix(self._own)
        at_own_path = not target.path or target.path.rstrip("/").endswith(self._own)
        if self._base is None or not _is_same_server(target, page):
            if at_own_path:
                return self._declared
            host = f" on {target.hostname}" if target.hostname else ""
            raise ReadFailure(f"the link to the next page leads to {target.path}{host} instead of {self._own}")
        ups = self._declared.split("/").count("..")
        if not ups and target.path.startswith(f"{self._base}/"):
            return target.path.removeprefix(self._base)
        if at_own_path:  # a proxy in front of the server adds the base, or takes it away
            return self._declared
        return "../" * (self._base.count("/") + ups) + target.path.lstrip("/")


def _is_same_server(target: SplitResult, page: SplitResult) -> bool:
    """Whether a link leads to the page's server. Its scheme may differ: a proxy may have decrypted the request."""
    if not target.netloc:
        return True
    return target.hostname == page.hostname and target.port in (None, page.port)
