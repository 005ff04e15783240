"""Pagination style ``object``: the answer is no list, but one record."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import ClassVar

from engine.paging import Walk
from engine.requests import Entry, Page, Request
from engine.spec.model import PAGINATION
from engine.spec.yaml import Place
from engine.templates import Template


@PAGINATION.register("object")
@dataclass(frozen=True, kw_only=True)
class OneObject:
    """One request; its answer holds one object, which is the one record.

    `records` says where: of several paths, the first at which an object stands. A list there is a failure.
    """

    resumable: ClassVar[bool] = False

    def walk(self, request: Request, position: str | None = None) -> Walk:
        """The walk of one step."""
        return ObjectWalk(request)

    def templates(self, template: Template, place: Place) -> Iterator[Template]:
        """The one request."""
        yield replace(template, one_record=True)


class ObjectWalk:
    """The reading of one record."""

    position = None

    def __init__(self, request: Request) -> None:
        self.request: Request | None = request

    def take(self, page: Page) -> Sequence[Entry]:
        """The record."""
        self.request = None
        return page.entries
