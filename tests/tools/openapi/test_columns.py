"""check and scaffold know the column types exactly as the engine converts rows to them."""

from __future__ import annotations

from typing import Any

import pytest

from engine.jsonpath import compile_path
from engine.rows.types import TypeMismatch, converter
from engine.spec.dialect import Field
from engine.spec.types import COLUMN_TYPES
from tools.openapi.columns import FROM_A_NUMBER, TAKES, best_type, type_mismatch
from tools.openapi.shape import Shape

SAMPLES: dict[str, tuple[dict[str, Any], list[Any]]] = {
    "string": ({"type": "string"}, ["x", ""]),
    "date-time": ({"type": "string", "format": "date-time"}, ["2024-05-01T10:00:00Z"]),
    "date": ({"type": "string", "format": "date"}, ["2024-05-01"]),
    "integer": ({"type": "integer", "maximum": 9}, [0, 7]),
    "number": ({"type": "number"}, [0.5]),
    "boolean": ({"type": "boolean"}, [True]),
    "object": ({"type": "object"}, [{"a": 1}]),
    "array": ({"type": "array"}, [[1]]),
}
# A date-time may lack its offset and a string may be XML or base64: the document does not declare it.
UNDECIDED = {("NAIVE_DATETIME", "date-time"), ("BINARY", "string")}


def field(column: str) -> Field:
    size = {"precision": 10, "scale": 2} if column == "DECIMAL" else {}
    return Field(path=(compile_path("$.x"),), type=column, **size)  # type: ignore[arg-type]


def fits(column: str, value: Any) -> bool:
    """Whether a column's conversion takes a value."""
    try:
        converter(field(column))(value)
    except TypeMismatch:
        return False
    return True


@pytest.mark.parametrize("column", [column for column in COLUMN_TYPES if column != "XML"])
def test_a_type_that_fits_converts_and_another_does_not(column: str) -> None:
    """The check and the conversion agree for every column type and kind of value: check raises no false alarm."""
    for kind, (schema, values) in SAMPLES.items():
        if (column, kind) in UNDECIDED:
            continue
        wrong = type_mismatch(column, Shape.of({}, schema))
        accepted = wrong is None or (kind in TAKES.get(column, ()) and wrong[0] == "warning")
        assert {fits(column, value) for value in values} == {accepted}, kind


@pytest.mark.parametrize("kind", SAMPLES)
def test_the_best_type_is_never_wrong(kind: str) -> None:
    """Every column that scaffold writes passes check."""
    shape = Shape.of({}, SAMPLES[kind][0])
    assert type_mismatch(best_type(shape), shape) is None


def test_a_value_of_several_types_is_json() -> None:
    """A STRING column would turn some values into JSON text, so check warns and scaffold avoids it."""
    shape = Shape.of({}, {"anyOf": [{"type": "string"}, {"type": "integer"}, {"type": "null"}]})
    assert best_type(shape) == "JSON"
    assert type_mismatch("STRING", shape) == (
        "warning",
        "the server declares integer, string; not every value fits STRING; use JSON",
    )


def test_integers_are_64_bits_unless_the_document_bounds_them() -> None:
    """INT would lose larger values, so it needs a format or a maximum that proves 32 bits."""
    assert best_type(Shape.of({}, {"type": "integer"})) == "LONG"
    assert best_type(Shape.of({}, {"type": "integer", "format": "int32"})) == "INT"
    assert best_type(Shape.of({}, {"type": "integer", "maximum": 2**31})) == "LONG"


def test_an_instant_can_be_a_number() -> None:
    """A column that declares so fits a number and a string of digits, not a date and time."""
    assert type_mismatch(FROM_A_NUMBER, Shape.of({}, {"type": "integer"})) is None
    assert type_mismatch(FROM_A_NUMBER, Shape.of({}, {"type": "number"})) is None
    assert (type_mismatch(FROM_A_NUMBER, Shape.of({}, {"type": "string"})) or ("",))[0] == "warning"
    assert (type_mismatch(FROM_A_NUMBER, Shape.of({}, SAMPLES["date-time"][0])) or ("",))[0] == "error"
