"""Pagination: which requests together read a complete list, and what confirms that it was complete.

Each style is one file: its keys in streams.yaml and its behavior. A paginator takes each page, returns the records that
are new in it, and holds the next request. It does no I/O.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Final

from engine.pagination.counted import Counted
from engine.pagination.keyset import Keyset
from engine.pagination.link import Link
from engine.pagination.paginator import Paginator
from engine.pagination.tie_breaker import LIST_PAGINATION, ListPagination
from engine.pagination.token import Token
from engine.requests import Request

__all__ = ["PAGINATION", "Pagination", "Paginator", "is_stable", "paginate_unjoined", "with_page_size"]

Pagination = Keyset | ListPagination

_PAGES: Final = ("$size", "$offset", "$page")

PAGINATION: Final = replace(LIST_PAGINATION, blocks={**LIST_PAGINATION.blocks, "keyset": Keyset})


def with_page_size(style: Pagination, size: int) -> Pagination:
    """The same style with another page size, if it has one."""
    if isinstance(style, (Link, Token)) and style.page_size is None:
        return style
    return replace(style, page_size=size)


def paginate_unjoined(style: Pagination, request: Request) -> Paginator:
    """Read a list whose order moves. Only pages that are counted from the start need to join."""
    return style.paginate_unjoined(request) if isinstance(style, Counted) else style.paginate(request)


def is_stable(style: Pagination, request: Request) -> bool:
    """Whether no row moves within the order of the list while it is read, as declared or as its request suggests."""
    if not isinstance(style, Counted):
        return True
    if style.stable is not None:
        return style.stable
    request = request.merged(style.body, style.query)
    values = [*request.query.values(), *(request.body or {}).values()]
    return any(value not in _PAGES for value in values)
