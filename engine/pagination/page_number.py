"""Pagination style ``page_number``: numbered pages.

Numbered pages cannot overlap, so a row that is deleted during the read moves another row to a page that was already
read. If the responses contain a total, it confirms the read: the same total on every page, and as many different rows.
Otherwise, the read starts over.
"""

from __future__ import annotations

from collections.abc import Hashable, Sequence
from dataclasses import dataclass
from typing import ClassVar, Final

from engine.declare.blocks import key
from engine.declare.types import JSON_PATH, PARAMETER
from engine.declare.values import Integer
from engine.failures import ReadFailure
from engine.jsonpath import JsonPath
from engine.pagination.paginator import Paginator
from engine.requests import KeyedRecord, Page, Request

_MAX_ROUNDS: Final = 20


@dataclass(frozen=True, kw_only=True)
class PageNumber:
    """Page numbers in the body of a POST request or the query of a GET request. The list ends with an empty page.

    The order must be stable: name a sort in the stream's body or query. With `total`, rows inserted or deleted during
    the read cannot hide others: the read starts over until it has as many rows as the server counts.
    """

    resumable: ClassVar[bool] = False

    page_size: int = key(Integer(1), "Number of rows per page.", default=100)
    page_key: str = key(PARAMETER, "The request's parameter for the page number.", default="page")
    size_key: str = key(PARAMETER, "The request's parameter for the page size.", default="page_size")
    first: int = key(Integer(0, 1), "The number of the first page.", default=1)
    total: JsonPath | None = key(JSON_PATH, "JSONPath of the total number of rows in the response.", default=None)

    def paginate(self, request: Request, position: str | None = None) -> Paginator:
        """Start with the first page."""
        return _PageNumberPaginator(self, request)


class _PageNumberPaginator:
    position = None
    one_record = False

    def __init__(self, style: PageNumber, request: Request) -> None:
        self._style = style
        self._template = request.with_values({style.size_key: style.page_size})
        self._seen: set[Hashable] = set()  # in all rounds
        self._rounds = 0
        self._start_over()

    def _start_over(self) -> None:
        self._rounds += 1
        if self._rounds > _MAX_ROUNDS:
            raise ReadFailure(
                f"{_MAX_ROUNDS} reads of all pages never had as many rows as the server counts: the list changes "
                "faster than it can be read, or its order is not stable"
            )
        self._number = self._style.first
        self._this_round: set[Hashable] = set()
        self._total: object = None
        self.request: Request | None = self._at(self._number)

    def _at(self, number: int) -> Request:
        return self._template.with_values({self._style.page_key: number})

    def advance(self, page: Page) -> Sequence[KeyedRecord]:
        total = self._style.total.get(page.document) if self._style.total else None
        if self._style.total is not None and (not isinstance(total, int) or isinstance(total, bool)):
            raise ReadFailure(f"the response has no total number of rows at {self._style.total.text}")
        keys = [k for k, _ in page.records]
        if keys and self._this_round.issuperset(keys) and self._style.total is None:
            raise ReadFailure(
                f"page {self._number} has only rows of earlier pages: the server ignores "
                f'"{self._style.page_key}", or the order is not stable'
            )
        changed = self._number > self._style.first and total != self._total
        self._total = total
        self._this_round.update(keys)
        new = [keyed for keyed in page.records if keyed[0] not in self._seen]
        self._seen.update(keys)
        if changed or (not keys and total is not None and len(self._this_round) != total):
            self._start_over()
        elif not keys or (total is not None and len(self._this_round) == total):
            self.request = None
        else:
            self._number += 1
            self.request = self._at(self._number)
        return new
