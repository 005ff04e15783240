"""How rows that share a timestamp are read, if there are more of them than a page of style ``keyset`` holds."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from engine.declare.blocks import Union, key
from engine.declare.values import JsonObject, JsonValue
from engine.pagination.link import Link
from engine.pagination.offset import Offset
from engine.pagination.page_number import PageNumber
from engine.pagination.single import Single
from engine.pagination.token import Token

ListPagination = Link | Offset | PageNumber | Single | Token
"""The styles that read a list without the help of a timestamp."""

LIST_PAGINATION: Final = Union(
    "pagination style",
    {"offset": Offset, "page_number": PageNumber, "link": Link, "token": Token, "single": Single},
    renamed={"page": "page_number", "object": "single with `one: true`"},
)


@dataclass(frozen=True, kw_only=True)
class TieBreaker:
    """How rows of one timestamp are read, if there are more of them than a page holds."""

    body: Mapping[str, JsonValue] = key(
        JsonObject(has_variables=True),
        "Keys of the request's body meanwhile, in place of the stream's: a stable sort.",
        default={},
    )
    query: Mapping[str, JsonValue] = key(
        JsonObject(has_variables=True), "Query parameters meanwhile, in place of the stream's.", default={}
    )
    pagination: ListPagination | None = key(
        LIST_PAGINATION,
        "How they are read in pages: any style but `keyset`. Default: `offset`, with the keyset's page size.",
        default=None,
    )
