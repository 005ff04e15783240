"""Pagination style ``single``: one response has the whole list."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar

from engine.declare.blocks import key
from engine.declare.values import Boolean, Integer
from engine.failures import ReadFailure
from engine.pagination.paginator import IsLater, Paginator
from engine.pagination.placed import Placed
from engine.requests import KeyedRecord, Page, Request


@dataclass(frozen=True, kw_only=True)
class Single(Placed):
    """One response has the whole list, or the one record.

    With `page_size`, which is sent as `limit` unless the request has `$size`, a response with that many records is a
    failure: there could be more.
    """

    resumable: ClassVar[bool] = False
    variables: ClassVar[tuple[str, ...]] = ("size",)

    page_size: int | None = key(
        Integer(1), "The limit to send, if the server would cut off the list without one.", default=None
    )
    one_record: bool = key(
        Boolean(),
        "Whether the response is one record rather than a list. `records` is its JSONPath.",
        default=False,
        name="one",
    )

    def paginate(self, request: Request, position: str | None = None, *, is_later: IsLater | None = None) -> Paginator:
        """Send one request."""
        return _SinglePaginator(self, request)


class _SinglePaginator:
    position = None

    def __init__(self, style: Single, request: Request) -> None:
        self.one_record = style.one_record
        self._limit = style.page_size
        self.request: Request | None = style.placed(request).bind({"size": style.page_size})

    def shrink(self) -> bool:
        """The list is one page."""
        return False

    def advance(self, page: Page) -> Sequence[KeyedRecord]:
        if self._limit is not None and len(page.records) >= self._limit:
            raise ReadFailure(
                f"the response has as many records as requested ({self._limit}), so there could be more: raise "
                "page_size, or declare another pagination"
            )
        self.request = None
        return page.records
