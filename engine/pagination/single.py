"""Pagination style ``single``: one answer holds the whole list."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar

from engine.declare.blocks import key
from engine.declare.types import PARAMETER
from engine.declare.values import Boolean, Integer
from engine.failures import ReadFailure
from engine.pagination.paginator import Paginator
from engine.requests import KeyedRecord, Page, Request


@dataclass(frozen=True, kw_only=True)
class Single:
    """One request; its answer is the whole list.

    With a `page_size`, which is sent as the limit, an answer with so many records is a failure: there could be more.
    """

    resumable: ClassVar[bool] = False

    page_size: int | None = key(
        Integer(1), "The limit to send, where the server would cut the list without one.", default=None
    )
    one_record: bool = key(
        Boolean(),
        "Whether the response holds one object, which is the one record, and not a list. `records` says where.",
        default=False,
        name="one",
    )
    limit_key: str = key(PARAMETER, "The name of the limit in the request.", default="limit")

    def paginate(self, request: Request, position: str | None = None) -> Paginator:
        """The walk of one step."""
        return _SinglePaginator(self, request)


class _SinglePaginator:
    position = None

    def __init__(self, style: Single, request: Request) -> None:
        self._most = style.page_size
        limit = {} if style.page_size is None else {style.limit_key: style.page_size}
        self.request: Request | None = request.with_values(limit) if limit else request

    def advance(self, page: Page) -> Sequence[KeyedRecord]:
        if self._most is not None and len(page.records) >= self._most:
            raise ReadFailure(
                f"the answer holds as many records as were asked for ({self._most}), so that there could be more: "
                "raise page_size, or declare how this list is read in pages"
            )
        self.request = None
        return page.records
