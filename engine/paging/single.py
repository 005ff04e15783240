"""Pagination style ``single``: one answer holds the whole list."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import ClassVar

from engine.failures import ReadFailure
from engine.paging import Walk
from engine.requests import Entry, Page, Request
from engine.spec.kinds import Integer, Text, key
from engine.spec.model import PAGINATION
from engine.spec.yaml import Place
from engine.templates import Template


@PAGINATION.register("single")
@dataclass(frozen=True, kw_only=True)
class Single:
    """One request; its answer is the whole list.

    With a `page_size`, which is sent as the limit, an answer with so many records is a failure: there could be more.
    """

    resumable: ClassVar[bool] = False

    page_size: int | None = key(
        Integer(1), "The limit to send, where the server would cut the list without one.", default=None
    )
    limit_key: str = key(Text(), "The name of the limit in the request.", default="limit")

    def walk(self, request: Request, position: str | None = None) -> Walk:
        """The walk of one step."""
        return _SingleWalk(self, request)

    def templates(self, template: Template, place: Place) -> Iterator[Template]:
        """The one request."""
        if self.page_size is not None:
            template = template.putting(self.limit_key, self.page_size, (*place, "limit_key"))
        yield template


class _SingleWalk:
    position = None

    def __init__(self, style: Single, request: Request) -> None:
        self._most = style.page_size
        limit = {} if style.page_size is None else {style.limit_key: style.page_size}
        self.request: Request | None = request.with_values(limit) if limit else request

    def take(self, page: Page) -> Sequence[Entry]:
        if self._most is not None and len(page.entries) >= self._most:
            raise ReadFailure(
                f"the answer holds as many records as were asked for ({self._most}), so that there could be more: "
                "raise page_size, or declare how this list is read in pages"
            )
        self.request = None
        return page.entries
