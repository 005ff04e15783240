"""Authentication style ``header``."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from engine.declare.blocks import key
from engine.declare.types import HEADER
from engine.declare.values import Text


@dataclass(frozen=True, kw_only=True)
class Header:
    """A header of the API's own, such as `X-Api-Key`. An empty value sends no such header."""

    name: str = key(HEADER, "The header's name.")
    value: str = key(Text(r"[!-~]*", "printable ASCII without spaces"), "The header's value.", secret=True)

    def headers(self) -> Mapping[str, str]:
        """The header; empty for an empty value."""
        return {self.name: self.value} if self.value else {}
