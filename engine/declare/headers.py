"""HTTP headers in one text, as a connection's settings are texts: ``Name: value; Name: value`` or a JSON object."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from typing import Final

HEADER_NAME: Final = r"[A-Za-z0-9!#$%&'*+.^_`|~-]+"
HEADERS_EXPECTED: Final = 'headers as "Name: value; Name: value", or as a JSON object of texts'

_VALUE = r"[!-~](?:[ -~]*[!-~])?"
_SPACE = r"[ \t\r\n]*"
_PAIR = rf'"{HEADER_NAME}"{_SPACE}:{_SPACE}" *(?:[!#-\[\]-~]|\\["\\/])(?:[ !#-\[\]-~]|\\["\\/])*"'
_OBJECT = rf"{_SPACE}\{{{_SPACE}{_PAIR}(?:{_SPACE},{_SPACE}{_PAIR})*{_SPACE}\}}{_SPACE}"
_NO_EMPTY_VALUE = rf"(?![\s\S]*;{_SPACE}{HEADER_NAME}: *(?:;|$))"
_LINES = rf"{_NO_EMPTY_VALUE}{_SPACE}{HEADER_NAME}: *{_VALUE}(?:{_SPACE}[\r\n]+{HEADER_NAME}: *{_VALUE})*{_SPACE}"
HEADERS_PATTERN: Final = f"{_OBJECT}|{_LINES}"
"""What :func:`parse_headers` accepts, in a form that JSON Schema's regular expressions share."""

# A semicolon also stands inside of values (cookies); it separates headers only where another name and colon follow.
_SEPARATOR = re.compile(rf"{_SPACE}(?:;|[\r\n]){_SPACE}(?={HEADER_NAME}:)")


def parse_headers(text: str) -> Mapping[str, str]:
    """The headers in a text; none in an empty one.

    Raises:
        ValueError: the text has neither form. The message repeats nothing of it.
    """
    if not text:
        return {}
    if not re.fullmatch(HEADERS_PATTERN, text):
        raise ValueError(f"expected {HEADERS_EXPECTED}")
    if text.strip().startswith("{"):
        return {name: value.strip() for name, value in json.loads(text).items()}
    pairs = (part.split(":", 1) for part in _SEPARATOR.split(text.strip()))
    return {name: value.strip(" ;") for name, value in pairs}
