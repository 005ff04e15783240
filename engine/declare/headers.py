"""HTTP headers in one string, for a setting: ``Name: value; Name: value`` or a JSON object."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from typing import Final

HEADER_NAME: Final = r"[A-Za-z0-9!#$%&'*+.^_`|~-]+"
HEADERS_EXPECTED: Final = 'headers as "Name: value; Name: value", or as a JSON object of strings'

_VALUE = r"[!-~](?:[ -~]*[!-~])?"
_SPACE = r"[ \t\r\n]*"
_PAIR = rf'"{HEADER_NAME}"{_SPACE}:{_SPACE}" *(?:[!#-\[\]-~]|\\["\\/])(?:[ !#-\[\]-~]|\\["\\/])*"'
_OBJECT = rf"{_SPACE}\{{{_SPACE}{_PAIR}(?:{_SPACE},{_SPACE}{_PAIR})*{_SPACE}\}}{_SPACE}"
_NO_EMPTY_VALUE = rf"(?![\s\S]*(?:^|[;\r\n]){_SPACE}{HEADER_NAME}:[ \t]*(?:[;\r\n]|$))"
_LINES = rf"{_NO_EMPTY_VALUE}{_SPACE}{HEADER_NAME}: *{_VALUE}(?:{_SPACE}[\r\n]+{HEADER_NAME}: *{_VALUE})*{_SPACE}"
HEADERS_PATTERN: Final = f"{_OBJECT}|{_LINES}"
"""What :func:`parse_headers` accepts, as a regular expression that JSON Schema understands, too."""

# A semicolon can be part of a value (cookies). It separates headers only if a name and a colon follow.
_SEPARATOR = re.compile(rf"{_SPACE}(?:;|[\r\n]){_SPACE}(?={HEADER_NAME}:)")


def parse_headers(text: str) -> Mapping[str, str]:
    """Parse headers. An empty string has none.

    Raises:
        ValueError: the string has neither form. The message does not repeat it.
    """
    if not text:
        return {}
    if not re.fullmatch(HEADERS_PATTERN, text):
        raise ValueError(f"expected {HEADERS_EXPECTED}")
    if text.strip().startswith("{"):
        return {name: value.strip() for name, value in json.loads(text).items()}
    pairs = (part.split(":", 1) for part in _SEPARATOR.split(text.strip()))
    return {name: value.strip(" ;") for name, value in pairs}
