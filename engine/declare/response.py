"""Where a response has a value: in its body, or in a header."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, ClassVar, Final

from engine.declare.blocks import Object, key
from engine.declare.types import HEADER, JSON_PATH
from engine.jsonpath import JsonPath


@dataclass(frozen=True, kw_only=True)
class ResponsePlace:
    """A JSONPath in a response's body, or the name of one of its headers."""

    exactly_one_of: ClassVar = ("path", "header")

    path: JsonPath | None = key(JSON_PATH, "JSONPath of the value in the body.", default=None)
    header: str | None = key(HEADER, "The header that has the value.", default=None)

    def value(self, headers: Mapping[str, str], document: Callable[[], Any]) -> Any:
        """The value; None if there is none.

        Args:
            headers: The response's headers, whatever the case of their names.
            document: Decodes its body.
        """
        if self.header is not None:
            return headers.get(self.header)
        return None if self.path is None else self.path.one(document())

    @property
    def where(self) -> str:
        """The place in words: ``at $.token``, or ``in the header X-Token``."""
        return f"in the header {self.header}" if self.path is None else f"at {self.path.text}"


RESPONSE_PLACE: Final = Object(ResponsePlace, shorthand="path", is_inline=True)
"""``$.token``, or ``{header: X-Token}``."""
