"""Authentication: how requests identify their caller. A style is one file: its keys in streams.yaml, what it sends."""

from __future__ import annotations

from typing import Final

from engine.authentication.basic import Basic
from engine.authentication.bearer import Bearer
from engine.authentication.header import Header
from engine.authentication.login import Login
from engine.authentication.oauth2 import OAuth2
from engine.authentication.query import Query
from engine.declare.blocks import Union

__all__ = ["AUTHENTICATION", "Authentication", "FixedStyle", "is_given", "style_in_use"]

FixedStyle = Bearer | Header | Query | Basic
Authentication = FixedStyle | OAuth2 | Login

AUTHENTICATION: Final = Union(
    "authentication style",
    {"bearer": Bearer, "header": Header, "query": Query, "basic": Basic, "oauth2": OAuth2, "login": Login},
)


def style_in_use(styles: tuple[Authentication, ...]) -> int | None:
    """The index of the first style whose values are not empty; None if all are empty."""
    return next((index for index, style in enumerate(styles) if is_given(style)), None)


def is_given(style: Authentication) -> bool:
    """Whether the values of a style are not empty."""
    return bool(style.credentials()) if isinstance(style, FixedStyle) else style.request() is not None
