"""Authentication: how a request identifies its caller. A style is one file: its keys in streams.yaml, its headers."""

from __future__ import annotations

from typing import Final

from engine.authentication.basic import Basic
from engine.authentication.bearer import Bearer
from engine.authentication.header import Header
from engine.declare.blocks import Union

__all__ = ["AUTHENTICATION", "Authentication", "style_in_use"]

Authentication = Basic | Bearer | Header

AUTHENTICATION: Final = Union("authentication style", {"bearer": Bearer, "header": Header, "basic": Basic})


def style_in_use(styles: tuple[Authentication, ...]) -> int | None:
    """The index of the first style whose values are not empty; None if all are empty."""
    return next((index for index, style in enumerate(styles) if style.headers()), None)
