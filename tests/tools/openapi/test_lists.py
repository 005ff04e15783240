"""Where the records of a response are, in its schema."""

from __future__ import annotations

from typing import Any

import pytest

from engine.jsonpath import compile_path
from engine.spec.records import Records
from tools.openapi.lists import record_at
from tools.openapi.shape import Shape

PERSON = {"type": "object", "properties": {"name": {"type": "string"}}}


def path(text: str) -> tuple[Any, ...]:
    return (compile_path(text),)


@pytest.mark.parametrize(
    ("schema", "records", "kinds", "names"),
    [
        ({"type": "array", "items": PERSON}, Records(list=path("$")), {"object"}, ["name"]),
        ({"type": "array", "items": {"type": "string"}}, Records(values=path("$")), {"string"}, []),
        ({"type": "object", "additionalProperties": {"type": "number"}}, Records(map=path("$")), {"number"}, []),
        ({"type": "object", "properties": {"a": PERSON, "b": PERSON}}, Records(map=path("$")), {"object"}, ["name"]),
        ({"type": "object", "properties": {"all": {}}}, Records(map=path("$.all")), {"any"}, []),
    ],
)
def test_a_record_is_an_item_or_a_property(schema: Any, records: Records, kinds: set[str], names: list[str]) -> None:
    """Named by the document or not."""
    found = record_at(Shape.of({}, schema), records)
    assert found is not None
    assert (set(found.kinds), [*found.properties]) == (kinds, names)


@pytest.mark.parametrize(
    ("schema", "records"),
    [
        ({"type": "array", "items": {"type": "string"}}, Records(list=path("$"))),
        ({"type": "array", "items": PERSON}, Records(map=path("$"))),
        ({"type": "object", "properties": {"a": PERSON}}, Records(values=path("$.a"))),
        ({"type": "object", "properties": {"a": PERSON}, "additionalProperties": False}, Records(list=path("$.b"))),
    ],
)
def test_anything_else_has_no_records(schema: Any, records: Records) -> None:
    """A list of strings is none of objects, and a list no object."""
    assert record_at(Shape.of({}, schema), records) is None
