"""The bytes of an answer -> JSON values that every destination can hold.

What JSON text can spell and no destination can store is replaced and counted, never passed on and never silent. Where
an object has a key twice, the last one counts, as in JSON parsers everywhere (RFC 8259, 4).

msgspec reads what is free of that, which is nearly all, in half the time of the standard library. What it refuses is
read again by the standard library, with the repairs or to the reason why it cannot be read.
"""

from __future__ import annotations

import json
import math
import re
from collections import Counter
from collections.abc import Mapping
from typing import Any, Final

from msgspec import DecodeError
from msgspec.json import Decoder

HALF_CHARACTERS: Final = "texts held half a character (a lone surrogate), replaced by U+FFFD"
NUL_CHARACTERS: Final = "texts held NUL characters, which are removed"
NO_NUMBERS: Final = "numbers were none that can be stored (NaN, Infinity, too large), replaced by null"

_DIGITS: Final = 4300  # of a whole number; Python reads no longer ones, nor does any destination
# The same NUL or half of a surrogate pair that is spelt without a backslash before it is no JSON, or no UTF-8.
_SUSPECT: Final = re.compile(r"\\u(?:[dD][89a-fA-F]|0000)")
_LONE_SURROGATE: Final = re.compile("[\ud800-\udfff]")
_NUL: Final = rb"\u0000"  # of what has to be repaired, the one thing that msgspec does not refuse
_faultless: Final = Decoder().decode


class NotJson(ValueError):
    """The bytes are not one whole JSON document. The message says in which way; it repeats nothing of them."""


class UnexpectedShape(ValueError):
    """A document that is not of a declared shape. The message says what was expected and what came."""


def decode(content: bytes | bytearray) -> tuple[Any, Mapping[str, int]]:
    """Decode a JSON document in UTF-8 (or UTF-16 or -32, which JSON's own rules detect).

    Returns:
        The document, and what was replaced in it: the kind of repair, and how often.

    Raises:
        NotJson: the bytes are cut, are something else, or are nested more deeply than can be decoded.
    """
    if _NUL not in content:
        try:
            return _faultless(content), {}
        except (DecodeError, UnicodeDecodeError, RecursionError):
            pass
    return _decode_with_repairs(content)


def _decode_with_repairs(content: bytes | bytearray) -> tuple[Any, Mapping[str, int]]:
    numbers = _Numbers()
    try:
        text, strict = _text(content)
        document = numbers.read(text)
        repairs = Counter({NO_NUMBERS: numbers.replaced} if numbers.replaced else {})
        if not strict or _SUSPECT.search(text) is not None:
            document = _repaired(document, repairs)
        return document, repairs
    except UnicodeDecodeError:
        reason = "that is not text in UTF-8"
    except RecursionError:
        reason = "that is nested too deeply to be decoded"
    except ValueError:
        reason = "that is not JSON" if content.strip() else "that is empty"
    # Raised here and not above, so that no error hangs on it that holds the bytes: they may repeat a secret.
    raise NotJson(reason)


def _text(content: bytes | bytearray) -> tuple[str, bool]:
    """The text of the bytes, and whether it is free of raw surrogates (which UTF-8 forbids, and some servers send)."""
    encoding = json.detect_encoding(content)
    try:
        return content.decode(encoding), True
    except UnicodeDecodeError:
        return content.decode(encoding, "surrogatepass"), False


class _Numbers:
    """Reads JSON, and counts the numbers that it replaces by null."""

    def __init__(self) -> None:
        self.replaced = 0

    def read(self, text: str) -> Any:
        try:
            return json.loads(text, parse_constant=self._none, parse_float=self._float)
        except json.JSONDecodeError:
            raise
        except ValueError:  # a whole number that is too long; not looked for at first, since that would cost a tenth
            self.replaced = 0
            return json.loads(text, parse_constant=self._none, parse_float=self._float, parse_int=self._int)

    def _none(self, text: str) -> Any:
        self.replaced += 1
        return None

    def _float(self, text: str) -> Any:
        number = float(text)
        return number if math.isfinite(number) else self._none(text)

    def _int(self, text: str) -> Any:
        return int(text) if len(text) <= _DIGITS else self._none(text)


def _repaired(value: Any, repairs: Counter[str]) -> Any:
    if isinstance(value, str):
        text, found = _LONE_SURROGATE.subn("\ufffd", value)
        if found:
            repairs[HALF_CHARACTERS] += 1
        if "\0" in text:
            repairs[NUL_CHARACTERS] += 1
            text = text.replace("\0", "")
        return text
    if isinstance(value, list):
        return [_repaired(item, repairs) for item in value]
    if isinstance(value, dict):
        return {_repaired(name, repairs): _repaired(item, repairs) for name, item in value.items()}
    return value
