"""The formats of responses with records."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar, Final

from engine.declare.blocks import Union, key
from engine.declare.values import Text


@dataclass(frozen=True, kw_only=True)
class Json:
    """The response is one JSON document."""

    media_type: ClassVar[str] = "application/json"


@dataclass(frozen=True, kw_only=True)
class Lines:
    """Each line of the response is a JSON document (NDJSON, JSON Lines). Together they are a list."""

    media_type: ClassVar[str] = "application/x-ndjson"


@dataclass(frozen=True, kw_only=True)
class Csv:
    """The response is a list of rows, the first of which names the columns: `$.name` is a cell.

    Cells are strings, so numbers need `format: text` in their fields. An empty cell is null.
    """

    media_type: ClassVar[str] = "text/csv"

    delimiter: str = key(
        Text(r'[^"\r\n\w]', 'one character, such as ";" or "\\t"', noun="a character"),
        "What separates cells.",
        default=",",
    )


@dataclass(frozen=True)
class Undecoded:
    """The bytes of a response, for a caller that decodes them. No stream has this format."""

    media_type: ClassVar[str] = "application/json, */*;q=0.5"


Format = Json | Lines | Csv | Undecoded

FORMAT: Final = Union("format", {"json": Json, "lines": Lines, "csv": Csv})

JSON: Final = Json()
