"""Pagination style ``link``: each answer links to the next page."""

from __future__ import annotations

from collections.abc import Hashable, Iterator, Sequence
from dataclasses import dataclass, replace
from typing import ClassVar
from urllib.parse import parse_qs, urlsplit

from engine.failures import ReadFailure
from engine.paging import Walk
from engine.requests import Entry, Page, Request
from engine.spec.jsonpath import JsonPath
from engine.spec.kinds import key
from engine.spec.model import JSON_PATH, PAGINATION
from engine.spec.yaml import Place
from engine.templates import Expected, Template


@PAGINATION.register("link")
@dataclass(frozen=True, kw_only=True)
class Link:
    """Each answer but the last links to the next page, in its `Link` header (rel="next", RFC 8288) or in its body.

    Of a link only the parameters are used: with them the same endpoint is asked again. A server behind a proxy may not
    know its own address, and the key must not go to another.
    """

    resumable: ClassVar[bool] = False

    link: JsonPath | None = key(
        JSON_PATH, "Where an answer's body holds the link; without it the header is read.", default=None
    )

    def walk(self, request: Request, position: str | None = None) -> Walk:
        """Start with the first page."""
        return _LinkWalk(self, request)

    def templates(self, template: Template, place: Place) -> Iterator[Template]:
        """The first page; the others carry what its link says."""
        if self.link is not None:
            template = template.expecting(Expected(self.link, (*place, "link"), as_="text", of="answer"))
        yield template


class _LinkWalk:
    position = None

    def __init__(self, style: Link, request: Request) -> None:
        self._style = style
        self._template = request
        self._links: set[str] = set()
        self._seen: set[Hashable] = set()
        self.request: Request | None = request

    def take(self, page: Page) -> Sequence[Entry]:
        fresh = [entry for entry in page.entries if entry[0] not in self._seen]
        self._seen.update(k for k, _ in fresh)
        link = page.next_link if self._style.link is None else self._style.link.get(page.document)
        if link is None or link == "":
            self.request = None
            return fresh
        if not isinstance(link, str):
            raise ReadFailure("the link to the next page is not a text")
        if link in self._links:
            raise ReadFailure("the link to the next page came a second time: the pages go round in a circle")
        self._links.add(link)
        parts = urlsplit(link)
        own = self._template.endpoint.rest
        if parts.path and not parts.path.rstrip("/").endswith(own.rstrip("/")):
            raise ReadFailure(f"the link to the next page leads to {parts.path}, and not to {own}, which was asked")
        self.request = replace(self._template, query=parse_qs(parts.query, keep_blank_values=True))
        return fresh
