"""Pagination style ``single``: one answer holds the whole list."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar

from engine.paging import Walk
from engine.requests import Entry, Page, Request
from engine.spec.model import PAGINATION


@PAGINATION.register("single")
@dataclass(frozen=True, kw_only=True)
class Single:
    """One request; its answer is the whole list."""

    resumable: ClassVar[bool] = False

    def walk(self, request: Request, position: str | None = None) -> Walk:
        """The walk of one step."""
        return _SingleWalk(request)


class _SingleWalk:
    position = None

    def __init__(self, request: Request) -> None:
        self.request: Request | None = request

    def take(self, page: Page) -> Sequence[Entry]:
        self.request = None
        return page.entries
