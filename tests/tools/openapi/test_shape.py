"""Schemas of OpenAPI 3.0 and 3.1 give the same shapes."""

from __future__ import annotations

from typing import Any

import pytest

from tests.tools.openapi.documents import shop
from tools.openapi.shape import Absent, Shape

VERSIONS = ("3.0.3", "3.1.0")


def order(version: str) -> Shape:
    return Shape.of(shop(version), {"$ref": "#/components/schemas/Order"})


@pytest.mark.parametrize("version", VERSIONS)
@pytest.mark.parametrize(
    ("steps", "kinds"),
    [
        (("id",), {"string"}),
        (("updated",), {"date-time"}),
        (("note",), {"string"}),
        (("buyer",), {"object"}),
        (("buyer", "name"), {"string"}),
        (("buyer", "boss", "boss", "boss", "name"), {"string"}),
        (("labels", "anything"), {"integer"}),
        (("free",), {"any"}),
        (("free", "a", 0, "b"), {"any"}),
        (("lines", 0, "sku"), {"string"}),
    ],
)
def test_a_path_leads_to_what_the_document_declares(
    version: str, steps: tuple[str | int, ...], kinds: set[str]
) -> None:
    """Through references, allOf, nullable values, nested records, lists and open objects."""
    found = order(version).follow(steps)
    assert isinstance(found, Shape)
    assert found.kinds == kinds


@pytest.mark.parametrize("version", VERSIONS)
@pytest.mark.parametrize("steps", [("nmae",), ("buyer", "age"), ("id", "x"), ("id", 0), ("lines", 0, "price"), (0,)])
def test_a_path_that_leads_nowhere_has_the_place_where_it_ends(version: str, steps: tuple[str | int, ...]) -> None:
    """The message can then name what is there instead."""
    found = order(version).follow(steps)
    assert isinstance(found, Absent)
    assert tuple(found.steps) == steps


@pytest.mark.parametrize(
    ("schema", "kinds"),
    [
        ({"type": ["string", "null"], "format": "date"}, {"date"}),
        ({"type": ["integer", "string"]}, {"integer", "string"}),
        ({"oneOf": [{"type": "string"}, {"type": "array", "items": {}}]}, {"string", "array"}),
        ({"const": "x"}, {"string"}),
        ({"enum": ["a", "b"]}, {"string"}),
        ({"properties": {"a": {}}}, {"object"}),
        ({"items": {}}, {"array"}),
        (True, {"any"}),
        ({"$ref": "#/components/schemas/Nobody"}, {"any"}),
        ({"$ref": "https://elsewhere.test/schema.json"}, {"any"}),
    ],
)
def test_kinds_of_the_other_spellings(schema: Any, kinds: set[str]) -> None:
    """Lists of types, constants, and schemas without a type. An unknown reference allows any value."""
    assert Shape.of(shop(), schema).kinds == kinds


def test_circular_references_end() -> None:
    """A document with circular references is wrong, but must not hang the command."""
    root = {"a": {"$ref": "#/b"}, "b": {"allOf": [{"$ref": "#/a"}]}}
    assert Shape.of(root, {"$ref": "#/a"}).kinds == {"any"}


def test_listed_values_are_found_through_references() -> None:
    """FastAPI wraps the reference to an enumeration in allOf when it adds a default."""
    root = shop()
    assert Shape.of(root, {"allOf": [{"$ref": "#/components/schemas/Sort"}], "default": "ID_DESC"}).values == [
        "ID_DESC",
        "UPDATED_DESC",
        "UPDATED_ASC",
    ]
    assert Shape.of(root, {"anyOf": [{"enum": ["a"]}, {"type": "string"}]}).values is None


def test_a_description_beside_a_reference_wins() -> None:
    """The property's own description is more precise than that of its type."""
    root = {"t": {"type": "object", "description": "A type."}}
    assert Shape.of(root, {"allOf": [{"$ref": "#/t"}], "description": "A property."}).description == "A property."


def test_a_reference_leads_into_a_list() -> None:
    """Generators write them where a schema is used twice; a number that is no index leads nowhere."""
    root = {"Tag": {"allOf": [{"type": "object", "properties": {"id": {"type": "string"}}}, {"type": "object"}]}}
    assert [*Shape.of(root, {"$ref": "#/Tag/allOf/0"}).properties] == ["id"]
    assert Shape.of(root, {"$ref": "#/Tag/allOf/2"}).kinds == {"any"}
    assert Shape.of(root, {"$ref": "#/Tag/allOf/id"}).kinds == {"any"}


def test_a_reference_can_be_encoded() -> None:
    """It is a fragment of a URL, so that braces of a path are encoded."""
    root = {"paths": {"/orders/{id}": {"parameters": [{"schema": {"type": "integer"}}]}}}
    assert Shape.of(root, {"$ref": "#/paths/~1orders~1%7Bid%7D/parameters/0/schema"}).kinds == {"integer"}
