"""Schemas of OpenAPI 3.0 and 3.1 become the same shapes."""

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
    """Through references, allOf, values that may be null, records within records, lists and open objects."""
    found = order(version).follow(steps)
    assert isinstance(found, Shape)
    assert found.kinds == kinds


@pytest.mark.parametrize("version", VERSIONS)
@pytest.mark.parametrize("steps", [("nmae",), ("buyer", "age"), ("id", "x"), ("id", 0), ("lines", 0, "price"), (0,)])
def test_a_path_that_leads_nowhere_says_where_it_ends(version: str, steps: tuple[str | int, ...]) -> None:
    """So that the message can name what there is instead."""
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
    """Lists of types, constants, schemas without a type; what cannot be looked up could be anything."""
    assert Shape.of(shop(), schema).kinds == kinds


def test_a_circle_of_references_ends() -> None:
    """A document that refers in a circle is wrong, and still no reason to hang."""
    root = {"a": {"$ref": "#/b"}, "b": {"allOf": [{"$ref": "#/a"}]}}
    assert Shape.of(root, {"$ref": "#/a"}).kinds == {"any"}


def test_listed_values_are_known_through_references() -> None:
    """FastAPI wraps the reference to an enumeration in allOf when it adds a default."""
    root = shop()
    assert Shape.of(root, {"allOf": [{"$ref": "#/components/schemas/Sort"}], "default": "ID_DESC"}).values == [
        "ID_DESC",
        "UPDATED_DESC",
        "UPDATED_ASC",
    ]
    assert Shape.of(root, {"anyOf": [{"enum": ["a"]}, {"type": "string"}]}).values is None


def test_a_description_beside_a_reference_is_the_one_that_counts() -> None:
    """The property's own words are nearer than those of its type."""
    root = {"t": {"type": "object", "description": "A type."}}
    assert Shape.of(root, {"allOf": [{"$ref": "#/t"}], "description": "A property."}).description == "A property."
