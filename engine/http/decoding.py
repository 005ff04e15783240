"""The bytes of a response, in JSON, lines of JSON or CSV, to JSON values that every destination can hold.

Values that are valid JSON but that no destination can store are replaced and counted, never passed on and never
silently dropped. If an object has a key twice, the last one wins, as in JSON parsers everywhere (RFC 8259, 4).

msgspec decodes documents without such values, which are nearly all, in half the time of the standard library. What it
rejects is decoded again by the standard library, with repairs or to find the reason why it cannot be decoded.
"""

from __future__ import annotations

import csv
import json
import re
from collections import Counter
from collections.abc import Mapping, Sequence
from io import StringIO
from typing import Any, Final

from msgspec import DecodeError
from msgspec.json import Decoder

from engine.numbers import read_float
from engine.spec.formats import Csv, Format, Json, Lines, Undecoded

# Repairs, as they are counted in the log: 3 strings contained ...
UNPAIRED_SURROGATES: Final = "strings contained an unpaired surrogate, replaced by U+FFFD"
NUL_CHARACTERS: Final = "strings contained NUL characters, which were removed"
UNSTORABLE_NUMBERS: Final = "numbers could not be stored (NaN, Infinity, out of range), replaced by NULL"

_DIGITS: Final = 4300  # of an integer; Python reads no longer ones, and no destination stores them
# Only escapes are searched for: a raw NUL is not valid JSON, and a raw surrogate not valid UTF-8.
_SUSPECT: Final = re.compile(r"\\u(?:[dD][89a-fA-F]|0000)")
_LONE_SURROGATE: Final = re.compile("[\ud800-\udfff]")
_NUL: Final = rb"\u0000"  # the only thing to repair that msgspec accepts
csv.field_size_limit(2**31 - 1)  # what a response may have in all is limited elsewhere
_decode_fast: Final = Decoder(float_hook=read_float).decode


class Undecodable(ValueError):
    """The bytes are not what their format says. The message says why, for the phrase ``a body that is empty``."""


class NotJson(Undecodable):
    """The bytes are not one complete JSON document."""


class UnexpectedShape(ValueError):
    """A document has another shape than declared. The message completes ``returned 200 with ...``."""


def decode_as(form: Format, content: bytes | bytearray) -> tuple[Any, Mapping[str, int]]:
    """Decode a response of a format; see :func:`decode`.

    Raises:
        Undecodable: the bytes are truncated, or of another format.
    """
    match form:
        case Lines():
            return _decode_lines(content)
        case Csv(delimiter=delimiter):
            return _decode_csv(content, delimiter)
        case Json():
            return decode(content)
        case Undecoded():
            return content, {}


def decode(content: bytes | bytearray) -> tuple[Any, Mapping[str, int]]:
    """Decode a JSON document in UTF-8 (or UTF-16 or -32, which JSON's own rules detect).

    Returns:
        The document, and the number of repairs of each kind.

    Raises:
        NotJson: the bytes are truncated, are not JSON, or are nested too deeply.
    """
    if _NUL not in content:
        try:
            return _decode_fast(content), {}
        except (DecodeError, UnicodeDecodeError, RecursionError):
            pass
    return _decode_with_repairs(content)


def _decode_lines(content: bytes | bytearray) -> tuple[Any, Mapping[str, int]]:
    documents: list[Any] = []
    repairs: Counter[str] = Counter()
    lines: Sequence[bytes | bytearray] = content.split(b"\n")
    for number, line in enumerate(lines, start=1):
        if line.strip():
            try:
                document, repaired = decode(line)
            except NotJson as error:
                raise NotJson(f"of lines, of which line {number} is one {error}") from None
            documents.append(document)
            repairs.update(repaired)
    return documents, repairs


def _decode_csv(content: bytes | bytearray, delimiter: str) -> tuple[Any, Mapping[str, int]]:
    try:
        text = content.decode("utf-8-sig")
    except UnicodeDecodeError:
        raise Undecodable("that is not text in UTF-8") from None
    if text.lstrip()[:1] in ("", "{", "["):  # otherwise an error in JSON would be a header without rows
        raise Undecodable("that is JSON and not CSV" if text.strip() else "that is empty")
    rows = csv.reader(StringIO(text.replace("\0", ""), newline=""), delimiter=delimiter, strict=True)
    try:
        header = next(rows)
        records = [dict(zip(header, row, strict=True)) for row in rows if row]
    except csv.Error as error:
        raise Undecodable(f"that is not CSV: {error} in line {rows.line_num}") from None
    except ValueError:
        raise Undecodable(f"that is not CSV: line {rows.line_num} has not as many cells as the first") from None
    repairs = {NUL_CHARACTERS: text.count("\0")} if "\0" in text else {}
    return [{name: cell or None for name, cell in record.items()} for record in records], repairs


def _decode_with_repairs(content: bytes | bytearray) -> tuple[Any, Mapping[str, int]]:
    numbers = _Numbers()
    try:
        text, strict = _text(content)
        document = numbers.read(text)
        repairs = Counter({UNSTORABLE_NUMBERS: numbers.replaced} if numbers.replaced else {})
        if not strict or _SUSPECT.search(text) is not None:
            document = _repaired(document, repairs)
        return document, repairs
    except UnicodeDecodeError:
        raise NotJson("that is not text in UTF-8") from None
    except RecursionError:
        raise NotJson("that is nested too deeply to be decoded") from None
    except ValueError:
        raise NotJson("that is not JSON" if content.strip() else "that is empty") from None


def _text(content: bytes | bytearray) -> tuple[str, bool]:
    """The bytes as text, and whether it is free of raw surrogates, which UTF-8 forbids and some servers send."""
    encoding = json.detect_encoding(content)
    try:
        return content.decode(encoding), True
    except UnicodeDecodeError:
        return content.decode(encoding, "surrogatepass"), False


class _Numbers:
    """Decodes JSON, and counts the numbers that it replaces by null."""

    def __init__(self) -> None:
        self.replaced = 0

    def read(self, text: str) -> Any:
        try:
            return json.loads(text, parse_constant=self._null, parse_float=self._float)
        except json.JSONDecodeError:
            raise
        except ValueError:  # an integer with too many digits; checking every integer would cost a tenth of the time
            self.replaced = 0
            return json.loads(text, parse_constant=self._null, parse_float=self._float, parse_int=self._int)

    def _null(self, text: str) -> Any:
        self.replaced += 1
        return None

    def _float(self, text: str) -> Any:
        try:
            return read_float(text)
        except ValueError:
            return self._null(text)

    def _int(self, text: str) -> Any:
        return int(text) if len(text) <= _DIGITS else self._null(text)


def _repaired(value: Any, repairs: Counter[str]) -> Any:
    if isinstance(value, str):
        text, found = _LONE_SURROGATE.subn("\ufffd", value)
        if found:
            repairs[UNPAIRED_SURROGATES] += 1
        if "\0" in text:
            repairs[NUL_CHARACTERS] += 1
            text = text.replace("\0", "")
        return text
    if isinstance(value, list):
        return [_repaired(item, repairs) for item in value]
    if isinstance(value, dict):
        return {_repaired(name, repairs): _repaired(item, repairs) for name, item in value.items()}
    return value
