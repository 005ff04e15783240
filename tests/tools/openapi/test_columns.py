"""What the tools say of column types is what the rows do."""

from __future__ import annotations

from typing import Any

import pytest

from engine.jsonpath import compile_path
from engine.rows.types import TypeMismatch, converter
from engine.spec.dialect import Field
from engine.spec.types import COLUMN_TYPES
from tools.openapi.columns import TAKES, best_type, type_mismatch
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
# A date-time may come without its offset, a text may be XML or base64: the document cannot say.
UNDECIDED = {("NAIVE_DATETIME", "date-time"), ("BINARY", "string")}


def field(column: str) -> Field:
    size = {"precision": 10, "scale": 2} if column == "DECIMAL" else {}
    return Field(path=(compile_path("$.x"),), type=column, **size)  # type: ignore[arg-type]


@pytest.mark.parametrize("kind", SAMPLES)
@pytest.mark.parametrize("column", [column for column in COLUMN_TYPES if column != "XML"])
def test_a_type_that_is_said_to_fit_does_and_another_does_not(column: str, kind: str) -> None:
    """For every column type and every kind of value, the check and the conversion agree."""
    if (column, kind) in UNDECIDED:
        return
    schema, values = SAMPLES[kind]
    convert = converter(field(column))

    def fits(value: Any) -> bool:
        try:
            convert(value)
        except TypeMismatch:
            return False
        return True

    wrong = type_mismatch(column, Shape.of({}, schema))
    if wrong is None or (kind in TAKES.get(column, ()) and wrong[0] == "warning"):
        assert all(fits(value) for value in values)
    else:
        assert not any(fits(value) for value in values)


@pytest.mark.parametrize("kind", SAMPLES)
def test_the_best_type_is_never_wrong(kind: str) -> None:
    """What scaffold writes, check accepts."""
    shape = Shape.of({}, SAMPLES[kind][0])
    assert type_mismatch(best_type(shape), shape) is None


def test_a_value_of_several_types_is_json() -> None:
    """A text column would turn some of its values into JSON text; check warns of that."""
    shape = Shape.of({}, {"anyOf": [{"type": "string"}, {"type": "integer"}, {"type": "null"}]})
    assert best_type(shape) == "JSON"
    assert type_mismatch("STRING", shape) == (
        "warning",
        "the server declares integer, string, of which not every value fits a column of type STRING; JSON fits",
    )


def test_whole_numbers_are_wide_unless_they_are_known_to_be_small() -> None:
    """32 bits only where the document says so."""
    assert best_type(Shape.of({}, {"type": "integer"})) == "LONG"
    assert best_type(Shape.of({}, {"type": "integer", "format": "int32"})) == "INT"
    assert best_type(Shape.of({}, {"type": "integer", "maximum": 2**31})) == "LONG"
