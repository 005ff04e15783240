"""Column types: a value that fits is stored exactly; any other is a type mismatch, never a guess."""

from __future__ import annotations

import math
from dataclasses import replace
from datetime import date, datetime, timezone
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine.http.decoding import decode
from engine.instants import format_instant, parse_instant
from engine.jsonpath import compile_path
from engine.numbers import PreciseFloat
from engine.rows.types import Rounded, TypeMismatch, converter, unchanged_type
from engine.spec.dialect import Field
from engine.spec.types import COLUMN_TYPES


def field(kind: Any) -> Field:
    precision, scale = (6, 2) if kind == "DECIMAL" else (None, None)
    return Field(path=(compile_path("$"),), type=kind, precision=precision, scale=scale)


def utc(*parts: int) -> datetime:
    return datetime(*parts, tzinfo=timezone.utc)  # type: ignore[arg-type,misc]


FITS: list[tuple[str, Any, Any]] = [
    ("STRING", "", ""),
    ("STRING", "007", "007"),
    ("STRING", "2024-01-01", "2024-01-01"),
    ("JSON", {"a": [None]}, {"a": [None]}),
    ("JSON", "text", "text"),
    ("JSON", [], []),
    ("JSON", 0, 0),
    ("BOOLEAN", False, False),
    ("SHORT", -32768, -32768),
    ("INT", 3.0, 3),
    ("INT", 2**31 - 1, 2**31 - 1),
    ("LONG", 2**63 - 1, 2**63 - 1),
    ("DOUBLE", 5, 5.0),
    ("DOUBLE", 0.1, 0.1),
    ("FLOAT", 1.5, 1.5),
    ("DECIMAL", 12.34, "12.34"),
    ("DECIMAL", 9999, "9999"),
    ("DECIMAL", 0.0, "0"),
    ("DECIMAL", 1e2, "100.0"),
    ("DECIMAL", PreciseFloat("1234.5600000000000000000"), "1234.56"),
    ("LONG", PreciseFloat("9007199254740993.0"), 9007199254740993),
    ("FLOAT", PreciseFloat("0.1234567890123456789"), 0.1234567890123456789),
    ("NAIVE_DATE", "2024-02-29", date(2024, 2, 29)),
    ("NAIVE_DATETIME", "2024-02-29T01:02:03", datetime(2024, 2, 29, 1, 2, 3)),
    ("UTC_DATETIME", "2024-05-01T10:00:00Z", utc(2024, 5, 1, 10)),
    ("UTC_DATETIME", "2024-05-01T10:00:00+00:00", utc(2024, 5, 1, 10)),
    ("UTC_DATETIME", "2024-05-01T10:00:00.5Z", utc(2024, 5, 1, 10, 0, 0, 500000)),
    ("UTC_DATETIME", "2024-05-01T12:00:00.123456+02:00", utc(2024, 5, 1, 10, 0, 0, 123456)),
    ("UTC_DATETIME", "2024-05-01 12:00:00+0200", utc(2024, 5, 1, 10)),
    ("UTC_DATETIME", "2024-05-01T10:00:00.1234567Z", utc(2024, 5, 1, 10, 0, 0, 123456)),
    ("BINARY", "aGk=", b"hi"),
    ("XML", "<a/>", "<a/>"),
]

MISMATCHES: list[tuple[str, Any, Any]] = [
    ("STRING", 42, "42"),
    ("STRING", True, "true"),
    ("STRING", {"a": "ü"}, '{"a": "ü"}'),
    ("STRING", [1, None], "[1, null]"),
    ("STRING", PreciseFloat("12345678901234567.891234"), "12345678901234567.891234"),
    ("STRING", [{"a": PreciseFloat("0.1234567890123456789")}], '[{"a": 0.1234567890123456789}]'),
    ("DECIMAL", PreciseFloat("9999.9999999999999999999"), None),
    ("DECIMAL", 9999.995, None),
    ("DECIMAL", math.inf, None),
    ("DECIMAL", 10**400, None),
    ("LONG", PreciseFloat("9223372036854775808.0"), None),
    ("LONG", PreciseFloat("1.0000000000000000001"), None),
    ("BOOLEAN", 1, None),
    ("BOOLEAN", "true", None),
    ("SHORT", 32768, None),
    ("INT", 2**31, None),
    ("INT", "42", None),
    ("INT", 1.5, None),
    ("INT", True, None),
    ("LONG", 10**60, None),
    ("LONG", math.inf, None),
    ("DOUBLE", "1.5", None),
    ("DOUBLE", math.nan, None),
    ("DOUBLE", 10**400, None),
    ("DOUBLE", False, None),
    ("DECIMAL", 10000, None),
    ("DECIMAL", "1", None),
    ("DECIMAL", math.nan, None),
    ("NAIVE_DATE", "2024-02-30", None),
    ("NAIVE_DATE", "2024-02-29T00:00:00", None),
    ("NAIVE_DATETIME", "2024-02-29", None),
    ("NAIVE_DATETIME", "2024-02-29T01:02:03Z", None),
    ("UTC_DATETIME", "2024-05-01T10:00:00", None),
    ("UTC_DATETIME", "2024-05-01", None),
    ("UTC_DATETIME", "", None),
    ("UTC_DATETIME", "yesterday", None),
    ("UTC_DATETIME", 1714557600, None),
    ("UTC_DATETIME", "0001-01-01T00:00:00+23:00", None),
    ("BINARY", "not base64!", None),
    ("BINARY", "aG!k=", None),
    ("XML", 5, None),
]


def test_a_value_that_fits_is_kept() -> None:
    """Exactly, as the Python type that the SDK stores at the lowest cost."""
    for kind, value, stored in FITS:
        found = converter(field(kind))(value)
        assert (found, type(found)) == (stored, type(stored)), kind


def test_a_value_that_does_not_fit_is_replaced() -> None:
    """By NULL or, in a STRING column, by its JSON; never by the nearest value of another type."""
    for kind, value, replacement in MISMATCHES:
        with pytest.raises(TypeMismatch) as caught:
            converter(field(kind))(value)
        assert caught.value.replacement == replacement, (kind, value)
        assert type(value) is not unchanged_type(field(kind)), (kind, value)  # such values are not converted at all


@pytest.mark.parametrize(
    ("kind", "value", "stored"),
    [
        ("DECIMAL", 1e-7, "0.00"),
        ("DECIMAL", 0.125, "0.13"),
        ("DECIMAL", -0.125, "-0.13"),
        ("DECIMAL", PreciseFloat("1.0000000000000000001"), "1.00"),
        ("DECIMAL", PreciseFloat("0.1249999999999999999999"), "0.12"),
        ("DOUBLE", PreciseFloat("0.1234567890123456789"), 0.1234567890123456789),
        ("DOUBLE", 2**53 + 1, 2.0**53),
        ("JSON", {"a": [PreciseFloat("0.1234567890123456789"), 1]}, {"a": [0.1234567890123456789, 1]}),
    ],
)
def test_digits_that_a_column_does_not_hold_are_rounded(kind: str, value: Any, stored: Any) -> None:
    """Half up, as the SDK does; the row mapping counts them."""
    with pytest.raises(Rounded) as caught:
        converter(field(kind))(value)
    found = caught.value.replacement
    assert found == stored
    assert type(found["a"][0] if kind == "JSON" else found) in (float, str)


@given(st.decimals(allow_nan=False, allow_infinity=False, places=20, max_value=10**17, min_value=-(10**17)))
def test_a_decimal_has_every_digit(number: Decimal) -> None:
    """From the JSON to the column."""
    column = Field(path=(compile_path("$"),), type="DECIMAL", precision=38, scale=20)
    assert Decimal(converter(column)(decode(str(format(number, "f")).encode())[0])) == number


JSON_VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=5,
).filter(lambda value: value is not None)


@pytest.mark.parametrize("kind", COLUMN_TYPES)
@given(value=JSON_VALUES)
def test_every_json_value_fits_or_is_a_mismatch(kind: str, value: Any) -> None:
    """No value makes a sync fail: no other exception is raised."""
    try:
        converter(field(kind))(value)
    except TypeMismatch as mismatch:
        assert kind == "STRING" or mismatch.replacement is None or isinstance(mismatch, Rounded)
        assert type(value) is not unchanged_type(field(kind))


def test_unconverted_values_would_stay_unchanged() -> None:
    """A conversion can be skipped for a Python type only if it returns every such value unchanged."""
    for kind, value, _ in FITS:
        if type(value) is unchanged_type(field(kind)):
            assert value is converter(field(kind))(value), kind


@given(st.datetimes(datetime(1000, 1, 1), timezones=st.just(timezone.utc)), st.sampled_from(["Z", "+00:00"]))
def test_an_instant_survives_formatting_and_parsing(instant: datetime, suffix: str) -> None:
    """Z and +00:00, with and without a fraction, are the same instant."""
    assert parse_instant(instant.replace(tzinfo=None).isoformat() + suffix) == instant
    assert parse_instant(format_instant(instant)) == instant


@pytest.mark.parametrize(
    ("kind", "value", "stored"),
    [
        ("DECIMAL", "12.34", "12.34"),
        ("DECIMAL", "+5", "5"),
        ("DECIMAL", " 1e2 ", "100.0"),
        ("DECIMAL", 5, "5"),
        ("LONG", "-9007199254740993", -9007199254740993),
        ("LONG", "3.0", 3),
        ("DOUBLE", "0.1", 0.1),
        ("BOOLEAN", "TRUE", True),
        ("BOOLEAN", "false", False),
        ("BOOLEAN", True, True),
        ("LONG", "", None),
        ("BOOLEAN", " ", None),
    ],
)
def test_a_number_as_text_is_one_if_declared(kind: str, value: Any, stored: Any) -> None:
    """With all its digits. An empty string is NULL, and a number stays one."""
    found = converter(replace(field(kind), format="text"))(value)
    assert (found, type(found)) == (stored, type(stored))


@pytest.mark.parametrize(
    ("kind", "value"),
    [("DECIMAL", "1,5"), ("LONG", "1 000"), ("LONG", "٣"), ("LONG", "0x1f"), ("DOUBLE", "nan"), ("DOUBLE", "1e999"),
     ("LONG", "9" * 5000), ("INT", "3000000000"), ("BOOLEAN", "yes"), ("BOOLEAN", "1"), ("LONG", ["1"])],
)  # fmt: skip
def test_other_text_is_no_number(kind: str, value: Any) -> None:
    """No separators, no other digits, no words."""
    with pytest.raises(TypeMismatch):
        converter(replace(field(kind), format="text"))(value)


@pytest.mark.parametrize("kind", ["DECIMAL", "LONG", "DOUBLE"])
def test_a_number_as_text_that_is_not_declared_is_reported_with_what_to_declare(kind: str) -> None:
    """It is NULL until then: a type is not guessed."""
    with pytest.raises(TypeMismatch) as caught:
        converter(field(kind))("12.5")
    assert caught.value.hint == 'a number as a string needs "format: text"'
