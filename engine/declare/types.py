"""Value types that several blocks share: names, endpoints, JSONPaths, headers."""

from __future__ import annotations

import re
from dataclasses import dataclass, replace
from typing import Final
from urllib.parse import unquote

from engine.declare.headers import HEADER_NAME
from engine.declare.values import Text
from engine.jsonpath import compile_path

JSON_PATH: Final = Text(r"\$.*", "a JSONPath, which starts with $", compile_path, noun="a JSONPath")

NAME_PATTERN: Final = r"[a-z][a-z0-9_]*"
NAME_EXPECTED: Final = "lowercase letters, digits and _, starting with a letter (Fivetran would rename anything else)"
NAME: Final = Text(NAME_PATTERN, NAME_EXPECTED, noun="a name")
COLUMN: Final = replace(NAME, noun="a column name")
STREAM: Final = replace(NAME, noun="a stream name")

PARAMETER: Final = Text(noun="a parameter name")

HEADER_EXPECTED: Final = "the name of an HTTP header"
HEADER: Final = Text(HEADER_NAME, HEADER_EXPECTED, noun="a header name")


@dataclass(frozen=True)
class Endpoint:
    """A method and a path below the base URL. A path may start with ``..`` to go up from it: ``../filter``."""

    method: str
    path: str

    @property
    def goes_up(self) -> bool:
        """Whether the path leads above the base URL."""
        return self.path.startswith("..")

    def __str__(self) -> str:
        return f"{self.method} {self.path}"


def _endpoint(text: str) -> Endpoint:
    method, path = text.split(" ")
    if "{" in path or "}" in path:
        raise ValueError("a value in a path is written $(parent.id) or $(key), without { }")
    bare = re.search(r"\$([a-z][\w.]*)", re.sub(r"\$\([^()]*\)", "", path))
    if bare is not None:
        raise ValueError(f"a value in a path is written with ( ): $({bare[1]})")
    if "//" in path:
        raise ValueError(f'the path "{path}" has an empty segment (//)')
    segments = unquote(path).split("/")
    while segments[0] == "..":
        segments.pop(0)
        if not segments:
            break
    if {".", ".."} & set(segments):
        raise ValueError(f'the path "{path}" may go up (..) only at its start, as ../filter does')
    return Endpoint(method, path)


ENDPOINT: Final = Text(
    r"(GET|POST) (/|\.\.(/|$))[^\s?#{}]*",
    "a method (GET or POST) and a path below the base URL, such as GET /orders (parameters are in query)",
    _endpoint,
    noun="a method and a path",
)

BASE_PATH: Final = Text(
    r"(/|\.\./)[^\s?#{}]*",
    "a path with a value of the partition, such as ../$(partition.id)",
    lambda text: _endpoint(f"GET {text}"),
    noun="a path",
)
"""The path of a partition, which contains values of its record: ``../$(partition.id)``."""

ENDPOINT_WITH_VALUES: Final = Text(
    r"(GET|POST) (/|\.\.(/|$))([^\s?#$]|\$\([^\s?#()]*\)|\$[a-z])*",
    ENDPOINT.expected,
    _endpoint,
    noun=ENDPOINT.noun,
)
"""An endpoint whose path can have values in it: ``$(parent.id)``, ``$(key)``."""
