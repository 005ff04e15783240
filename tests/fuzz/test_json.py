"""Bodies of responses, from the bytes to the row."""

from __future__ import annotations

import json
from contextlib import suppress
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine.http.decoding import NotJson, decode
from engine.http.error_body import error_in
from engine.jsonpath import compile_path
from engine.numbers import exactly, with_floats
from engine.rows.mapping import RowMapping
from engine.rows.types import TypeMismatch, converter
from engine.spec.dialect import Field
from engine.spec.types import COLUMN_TYPES, TIME_FORMATS
from tests.fuzz.damage import damaged, tries
from tests.specs import shipped

NUMBERS = ("0", "-0.0", "1e5", "1E-400", "1e999", "12345678901234567.891234", "9" * 40, "1777629600", "-", ".5", "0.1e")
WHOLE = (
    '[{"id": "a", "n": 12345678901234567.891234, "t": "2026-05-01T10:00:00Z"}]',
    '{"results": [{"id": 1, "tags": ["a", null, true], "x": {"y": -0.0}}], "total": 1}',
    r'["\ud83d\ude80", "\ud83d", "\u0000", "é", 1e999, NaN, -Infinity]',
    '{"errors": [{"message": "no"}], "data": null}',
    '{"error": {"detail": [{"msg": "x"}]}, "ok": false}',
)
SCRAPS = (*NUMBERS, *'[]{},:"\\', "null", r"\u0000", r"\udc00", "[" * 50, '{"a":' * 50, "\0", "\ufeff")
CONVERTERS = [
    *(converter(Field(path=(), type=name)) for name in COLUMN_TYPES if name != "DECIMAL"),  # type: ignore[arg-type]
    *(converter(Field(path=(), type="UTC_DATETIME", format=name)) for name in (*TIME_FORMATS, "%d/%m/%Y %H:%M")),
    *(converter(Field(path=(), type="DECIMAL", precision=p, scale=s)) for p, s in ((38, 0), (38, 38), (6, 2))),
]
ROWS = RowMapping(shipped().streams["flow_runs"])
SPELLINGS = st.sampled_from(["utf-8", "utf-8", "utf-8", "utf-16", "utf-32", "utf-8-sig", "latin-1"])


@tries(600)
@given(damaged(WHOLE, SCRAPS), SPELLINGS)
def test_a_body_becomes_rows_or_is_no_json(text: str, encoding: str) -> None:
    """Whatever is decoded can be stored and read in every way in which a sync reads it."""
    try:
        document, _ = decode(text.encode(encoding, "surrogatepass" if encoding == "utf-8" else "replace"))
    except NotJson:
        return
    json.dumps(document, ensure_ascii=False, allow_nan=False).encode("utf-8")
    error_in(document)
    values = document if isinstance(document, list) else [document]
    for value in values:
        for convert in CONVERTERS:
            if value is not None:
                with suppress(TypeMismatch):
                    convert(value)
        if isinstance(value, dict):
            json.dumps(ROWS.row(value), default=str, allow_nan=False)
    ROWS.mismatch_warnings()


@tries(300)
@given(st.from_regex(r"-?(0|[1-9][0-9]{0,25})(\.[0-9]{1,25})?([eE][+-]?[0-9]{1,2})?", fullmatch=True))
def test_a_number_is_exact_in_a_decimal_column(written: str) -> None:
    """If it fits; and the nearest float everywhere else."""
    number = decode(written.encode())[0]
    assert exactly(number) == Decimal(written) and float(with_floats(number)) == float(written)
    try:
        stored = converter(Field(path=(compile_path("$"),), type="DECIMAL", precision=38, scale=12))(number)
    except TypeMismatch as mismatch:
        stored = mismatch.replacement
        assert stored is None or abs(Decimal(stored) - Decimal(written)) <= Decimal("5e-13")
    else:
        assert Decimal(stored) == Decimal(written)


@pytest.mark.parametrize("depth", [900, 20_000])
def test_a_deep_value_is_no_crash(depth: int) -> None:
    """It is no JSON, or a value that fits or does not fit."""
    body = b'[{"id": "a", "name": ' + b"[" * depth + b"1234567890.12345678901" + b"]" * depth + b"}]"
    try:
        document: Any = decode(body)[0]
    except NotJson:
        return
    assert ROWS.row(document[0])["name"] is None or depth < 1000
