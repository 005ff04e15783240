"""Pagination style ``single``: one answer holds the whole list."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import ClassVar

from engine.paging import Walk
from engine.requests import Entry, Page, Request
from engine.spec.model import PAGINATION
from engine.spec.yaml import Place
from engine.templates import Template


@PAGINATION.register("single")
@dataclass(frozen=True, kw_only=True)
class Single:
    """One request; its answer is the whole list."""

    resumable: ClassVar[bool] = False

    def walk(self, request: Request, position: str | None = None) -> Walk:
        """The walk of one step."""
        return _SingleWalk(request)

    def templates(self, template: Template, place: Place) -> Iterator[Template]:
        """The one request."""
        yield template


class _SingleWalk:
    position = None

    def __init__(self, request: Request) -> None:
        self.request: Request | None = request

    def take(self, page: Page) -> Sequence[Entry]:
        self.request = None
        return page.entries
