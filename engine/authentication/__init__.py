"""Authentication: how requests identify their caller. A style is one file: its keys in streams.yaml, what it sends."""

from __future__ import annotations

from typing import Final

from engine.authentication.basic import Basic
from engine.authentication.bearer import Bearer
from engine.authentication.header import Header
from engine.authentication.query import Query
from engine.declare.blocks import Union

__all__ = ["AUTHENTICATION", "Authentication", "style_in_use"]

Authentication = Basic | Bearer | Header | Query

AUTHENTICATION: Final = Union(
    "authentication style", {"bearer": Bearer, "header": Header, "query": Query, "basic": Basic}
)


def style_in_use(styles: tuple[Authentication, ...]) -> int | None:
    """The index of the first style whose values are not empty; None if all are empty."""
    return next((index for index, style in enumerate(styles) if style.credentials()), None)
