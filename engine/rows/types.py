"""Column types: one function per type, from a JSON value to a value that Fivetran stores exactly and cheaply.

Types are never guessed: a string is not a number, a number is not a string, a local time is not an instant. A value of
another type raises :class:`TypeMismatch`; the row mapping counts and replaces it.
"""

from __future__ import annotations

import base64
import binascii
import json
import math
from collections.abc import Callable
from datetime import date, datetime
from decimal import Decimal
from typing import Any, Final

from engine.instants import from_iso, parse_instant
from engine.spec.dialect import Field

Convert = Callable[[Any], Any]
"""Converts a JSON value that is not null; raises :class:`TypeMismatch`."""


class TypeMismatch(Exception):
    """A value that does not fit its column's type. ``replacement`` is what is stored instead."""

    def __init__(self, replacement: Any = None) -> None:
        super().__init__()
        self.replacement = replacement


def converter(field: Field) -> Convert:
    """The conversion for a column."""
    if field.type == "DECIMAL":
        assert field.precision is not None and field.scale is not None  # the spec checked it
        return _decimal(field.precision - field.scale)
    return _CONVERTERS[field.type]


def unchanged_type(field: Field) -> type | None:
    """The Python type that a column's conversion returns unchanged, so it need not be called for such values."""
    return _UNCHANGED.get(field.type)


def _string(value: Any) -> str:
    if isinstance(value, str):
        return value
    raise TypeMismatch(json.dumps(value, ensure_ascii=False))


def _json(value: Any) -> Any:
    return value


def _boolean(value: Any) -> bool:
    if isinstance(value, bool):
        return value
    raise TypeMismatch


def _integer(bits: int) -> Convert:
    lowest, highest = -(2 ** (bits - 1)), 2 ** (bits - 1) - 1

    def convert(value: Any) -> int:
        if isinstance(value, float) and value.is_integer():
            value = int(value)  # JSON does not distinguish 3.0 from 3
        if isinstance(value, int) and not isinstance(value, bool) and lowest <= value <= highest:
            return value
        raise TypeMismatch

    return convert


def _number(value: Any) -> float:
    if isinstance(value, float) and math.isfinite(value):
        return value
    if isinstance(value, int) and not isinstance(value, bool):
        try:
            return float(value)
        except OverflowError:
            raise TypeMismatch from None
    raise TypeMismatch


def _decimal(digits_before_point: int) -> Convert:
    limit = 10**digits_before_point

    def convert(value: Any) -> str:
        if isinstance(value, bool) or not isinstance(value, (int, float)):
            raise TypeMismatch
        number = Decimal(repr(value))
        if not number.is_finite() or abs(number) >= limit:
            raise TypeMismatch
        return format(number, "f")

    return convert


def _utc_datetime(value: Any) -> datetime:
    if isinstance(value, str):
        try:
            return parse_instant(value)
        except (ValueError, OverflowError):
            pass
    raise TypeMismatch


def _naive_datetime(value: Any) -> datetime:
    if isinstance(value, str) and len(value) > 10:
        try:
            moment = from_iso(value)
        except ValueError:
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
    "DOUBLE": _number,
    "NAIVE_DATE": _naive_date,
    "NAIVE_DATETIME": _naive_datetime,
    "UTC_DATETIME": _utc_datetime,
    "BINARY": _binary,
    "XML": _xml,
}

_UNCHANGED: Final[dict[str, type]] = {"STRING": str, "XML": str, "BOOLEAN": bool}
