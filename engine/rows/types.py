"""Column types: one function per type, from a JSON value to a value that Fivetran stores exactly and cheaply.

Types are never guessed: a string is not a number, a number is not a string, a local time is not an instant. A value of
another type raises :class:`TypeMismatch`; the row mapping counts and replaces it.
"""

from __future__ import annotations

import base64
import binascii
import json
import math
import re
from collections.abc import Callable
from contextlib import suppress
from dataclasses import replace
from datetime import date, datetime, timezone
from decimal import ROUND_HALF_UP, Context, Decimal
from typing import Any, Final

from engine.instants import parse_datetime, parse_formatted, parse_instant
from engine.numbers import PreciseFloat, exactly, read_float, with_floats
from engine.spec.dialect import Field

Convert = Callable[[Any], Any]
"""Converts a JSON value that is not null; raises :class:`TypeMismatch`."""


_NUMBER: Final = re.compile(r"[+-]?[0-9]+(\.[0-9]+)?([eE][+-]?[0-9]+)?", re.ASCII)


class TypeMismatch(Exception):
    """A value that does not fit its column's type. ``replacement`` is what is stored instead.

    ``hint``: what to declare, if the value fits another declaration.
    """

    def __init__(self, replacement: Any = None, hint: str = "") -> None:
        super().__init__()
        self.replacement = replacement
        self.hint = hint


class Rounded(TypeMismatch):
    """A number with more digits than its column holds. ``replacement`` is the nearest number that it does hold."""


def converter(field: Field) -> Convert:
    """The conversion for a column."""
    if field.format == "text":
        return _from_text(
            converter(replace(field, format=None)), _truth if field.type == "BOOLEAN" else _written_number
        )
    if field.type == "DECIMAL":
        assert field.precision is not None and field.scale is not None  # the spec checked it
        return _decimal(field.precision, field.scale)
    if field.time_format is not None:
        return _formatted(field.time_format, field.timezone)
    if field.timezone is not None:
        return _with_offset(field.timezone)
    return _CONVERTERS[field.type]


def unchanged_type(field: Field) -> type | None:
    """The Python type that a column's conversion returns unchanged, so it need not be called for such values."""
    return _UNCHANGED.get(field.type)


def _string(value: Any) -> str:
    if isinstance(value, str):
        return value
    try:
        text = _text(value)
    except RecursionError:
        raise TypeMismatch from None
    raise TypeMismatch(text)


def _text(value: Any) -> str:
    """The JSON text of a value, in which every number has all its digits."""
    if isinstance(value, PreciseFloat):
        return value.written
    if not PreciseFloat.decoded or not isinstance(value, (list, dict)):
        return json.dumps(value, ensure_ascii=False)
    if isinstance(value, list):
        return f"[{', '.join(map(_text, value))}]"
    return f"{{{', '.join(f'{_text(name)}: {_text(item)}' for name, item in value.items())}}}"


def _json(value: Any) -> Any:
    """The SDK writes the numbers of a JSON value as floats."""
    if PreciseFloat.decoded:
        try:
            plain = with_floats(value)
        except RecursionError:  # some hundred levels deep
            return value
        if plain is not value:
            raise Rounded(plain)
    return value


def _boolean(value: Any) -> bool:
    if isinstance(value, bool):
        return value
    raise TypeMismatch


def _integer(bits: int) -> Convert:
    lowest, highest = -(2 ** (bits - 1)), 2 ** (bits - 1) - 1

    def convert(value: Any) -> int:
        if isinstance(value, float) and math.isfinite(value):
            exact = exactly(value) if isinstance(value, PreciseFloat) else value
            value = int(exact) if exact == int(exact) else value  # JSON does not distinguish 3.0 from 3
        if isinstance(value, int) and not isinstance(value, bool) and lowest <= value <= highest:
            return value
        raise TypeMismatch(hint=_text_hint(value))

    return convert


def _number(value: Any) -> float:
    if isinstance(value, float) and math.isfinite(value):
        return float(value)
    if isinstance(value, int) and not isinstance(value, bool):
        try:
            return float(value)
        except OverflowError:
            raise TypeMismatch from None
    raise TypeMismatch(hint=_text_hint(value))


def _double(value: Any) -> float:
    number = _number(value)
    if isinstance(value, PreciseFloat) or number != value:
        raise Rounded(number)
    return number


def _decimal(precision: int, scale: int) -> Convert:
    limit, unit = 10 ** (precision - scale), Decimal(1).scaleb(-scale)
    context = Context(prec=precision + 1, rounding=ROUND_HALF_UP)

    def convert(value: Any) -> str:
        if isinstance(value, bool) or not isinstance(value, (int, float)):
            raise TypeMismatch(hint=_text_hint(value))
        number = exactly(value)
        if not number.is_finite() or not -limit < number < limit:
            raise TypeMismatch
        if -int(number.as_tuple().exponent) <= scale:
            return format(number, "f") if number else "0"
        stored = number.quantize(unit, context=context)
        if not -limit < stored < limit:
            raise TypeMismatch
        if stored != number:
            raise Rounded(format(stored, "f"))
        return format(stored, "f")

    return convert


def _utc_datetime(value: Any) -> datetime:
    if isinstance(value, str):
        try:
            return parse_instant(value)
        except (ValueError, OverflowError):
            pass
    raise TypeMismatch(hint=_hint(value))


def _hint(value: Any) -> str:
    """What to declare for a value that is an instant only with a declaration."""
    try:
        if isinstance(value, str):
            parse_instant(value, timezone.utc)
            return 'a time without an offset needs the key "timezone"'
    except (ValueError, OverflowError):
        pass
    try:
        _formatted("epoch_milliseconds", None)(value)
    except TypeMismatch:
        return ""
    return 'a number that counts from 1970 needs the key "format"'


def _with_offset(offset: timezone) -> Convert:
    def convert(value: Any) -> datetime:
        if isinstance(value, str):
            try:
                return parse_instant(value, offset)
            except (ValueError, OverflowError):
                pass
        raise TypeMismatch

    return convert


def _formatted(written: str, offset: timezone | None) -> Convert:
    def convert(value: Any) -> datetime:
        if isinstance(value, (str, int, float)) and not isinstance(value, bool):
            try:
                return parse_formatted(value, written, offset)
            except (ValueError, OverflowError):
                pass
        raise TypeMismatch

    return convert


def _from_text(convert: Convert, parse: Convert) -> Convert:
    def converted(value: Any) -> Any:
        if not isinstance(value, str):
            return convert(value)
        return convert(parse(value.strip())) if value.strip() else None

    return converted


def _truth(text: str) -> bool:
    if text.lower() in ("true", "false"):
        return text.lower() == "true"
    raise TypeMismatch


def _written_number(text: str) -> int | float:
    if _NUMBER.fullmatch(text):
        with suppress(ValueError):
            return int(text) if text.lstrip("+-").isdigit() else read_float(text.removeprefix("+"))
    raise TypeMismatch


def _text_hint(value: Any) -> str:
    """What to declare for a string that is a number only with a declaration."""
    try:
        _written_number(value.strip() if isinstance(value, str) else "")
    except TypeMismatch:
        return ""
    return 'a number as a string needs "format: text"'


def _naive_datetime(value: Any) -> datetime:
    if isinstance(value, str) and len(value) > 10:
        try:
            moment = parse_datetime(value)
        except (ValueError, OverflowError):
            raise TypeMismatch from None
        if moment.tzinfo is None:
            return moment
    raise TypeMismatch


def _naive_date(value: Any) -> date:
    if isinstance(value, str) and len(value) == 10:
        try:
            return date.fromisoformat(value)
        except ValueError:
            pass
    raise TypeMismatch


def _binary(value: Any) -> bytes:
    if isinstance(value, str):
        try:
            return base64.b64decode(value, validate=True)
        except (binascii.Error, ValueError):
            pass
    raise TypeMismatch


def _xml(value: Any) -> str:
    if isinstance(value, str):
        return value
    raise TypeMismatch


_CONVERTERS: Final[dict[str, Convert]] = {
    "STRING": _string,
    "JSON": _json,
    "BOOLEAN": _boolean,
    "SHORT": _integer(16),
    "INT": _integer(32),
    "LONG": _integer(64),
    "FLOAT": _number,
    "DOUBLE": _double,
    "NAIVE_DATE": _naive_date,
    "NAIVE_DATETIME": _naive_datetime,
    "UTC_DATETIME": _utc_datetime,
    "BINARY": _binary,
    "XML": _xml,
}

_UNCHANGED: Final[dict[str, type]] = {"STRING": str, "XML": str, "BOOLEAN": bool}
