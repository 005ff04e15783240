"""Pagination: which requests together read a complete list, and what confirms that it was complete.

Each style is one file: its keys in streams.yaml and its behavior. A paginator takes each page, returns the records that
are new in it, and holds the next request. It does no I/O.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Final

from engine.pagination.keyset import Keyset
from engine.pagination.link import Link
from engine.pagination.paginator import Paginator
from engine.pagination.tie_breaker import LIST_PAGINATION, ListPagination
from engine.pagination.token import Token

__all__ = ["PAGINATION", "Pagination", "Paginator", "with_page_size"]

Pagination = Keyset | ListPagination

PAGINATION: Final = replace(LIST_PAGINATION, blocks={**LIST_PAGINATION.blocks, "keyset": Keyset})


def with_page_size(style: Pagination, size: int) -> Pagination:
    """The same style with another page size, if it has one."""
    if isinstance(style, (Link, Token)):
        return style
    return replace(style, page_size=size)
