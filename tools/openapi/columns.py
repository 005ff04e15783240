"""Which column types store the values that an OpenAPI document declares."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final, Literal

from tools.openapi.shape import Shape

_TIMES: Final = frozenset({"date-time", "date"})

FROM_A_NUMBER: Final = "UTC_DATETIME from a number"
"""In place of a column's type: that of a UTC_DATETIME with a ``format``."""

TAKES: Final[Mapping[str, frozenset[str]]] = {
    "STRING": frozenset({"string", *_TIMES}),
    "BOOLEAN": frozenset({"boolean"}),
    "SHORT": frozenset({"integer"}),
    "INT": frozenset({"integer"}),
    "LONG": frozenset({"integer"}),
    "DECIMAL": frozenset({"integer", "number"}),
    "FLOAT": frozenset({"integer", "number"}),
    "DOUBLE": frozenset({"integer", "number"}),
    "NAIVE_DATE": frozenset({"date"}),
    "NAIVE_DATETIME": frozenset({"date-time"}),
    "UTC_DATETIME": frozenset({"date-time"}),
    "BINARY": frozenset({"string"}),
    "XML": frozenset({"string"}),
    FROM_A_NUMBER: frozenset({"integer", "number"}),
}
"""The kinds of values that a column type stores unchanged. JSON stores every kind."""

_MAY_HOLD: Final[Mapping[str, frozenset[str]]] = {
    **{name: frozenset({"number"}) for name in ("SHORT", "INT", "LONG")},
    **{name: frozenset({"string"}) for name in ("NAIVE_DATE", "NAIVE_DATETIME", "UTC_DATETIME")},
    FROM_A_NUMBER: frozenset({"string"}),
}
"""The kinds of which some values fit: a number may be an integer, a string may be an instant."""


def best_type(shape: Shape) -> str:
    """The column type that holds every value of a shape exactly."""
    kinds = shape.kinds
    if kinds == {"integer"}:
        return "INT" if all(_fits_32_bits(form) for form in shape.forms) else "LONG"
    if kinds <= {"integer", "number"}:
        return "DOUBLE"
    for kind, name in (("date-time", "UTC_DATETIME"), ("date", "NAIVE_DATE"), ("boolean", "BOOLEAN")):
        if kinds == {kind}:
            return name
    return "STRING" if kinds <= TAKES["STRING"] else "JSON"


def _fits_32_bits(form: Mapping[str, object]) -> bool:
    highest = form.get("maximum")
    return form.get("format") == "int32" or (isinstance(highest, (int, float)) and highest < 2**31)


def type_mismatch(column: str, shape: Shape) -> tuple[Literal["error", "warning"], str] | None:
    """Why a column's type does not fit the values of a shape; None if it does.

    Returns:
        "error" if no value fits, "warning" if some do not or another type preserves more; and a message.
    """
    kinds = shape.kinds
    if column == "JSON" or kinds == {"any"}:
        return None
    best = best_type(shape)
    fit, may = kinds & TAKES[column], kinds & _MAY_HOLD.get(column, frozenset())
    named = ", ".join(sorted(kinds - {"any"}))
    if not fit and not may and "any" not in kinds:
        stored = "JSON text, counted as a type mismatch" if column == "STRING" else "NULL"
        return "error", f"the server declares {named}; as {column}, every value becomes {stored}; use {best}"
    if kinds - fit:
        return "warning", f"the server declares {named}; not every value fits {column}; use {best}"
    if column in ("STRING", "NAIVE_DATETIME") and kinds & _TIMES and kinds <= _TIMES and best != column:
        return "warning", f"the server declares {named}; use {best} to keep its meaning"
    return None
