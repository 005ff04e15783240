"""A small shop's OpenAPI document, in OpenAPI 3.0 or 3.1."""

from __future__ import annotations

from typing import Any

Json = dict[str, Any]


def reference(name: str) -> Json:
    """A reference to a schema of the document."""
    return {"$ref": f"#/components/schemas/{name}"}


def maybe_3_1(schema: Json) -> Json:
    """The schema or null, as FastAPI writes it with OpenAPI 3.1."""
    return {"anyOf": [schema, {"type": "null"}]}


def maybe_3_0(schema: Json) -> Json:
    """The schema or null, in OpenAPI 3.0, which ignores any key beside a reference: so that is wrapped."""
    return {"allOf": [schema], "nullable": True} if "$ref" in schema else {**schema, "nullable": True}


def operation(response: Json, body: Json | None = None, parameters: list[Json] | None = None) -> Json:
    """An operation that returns JSON."""
    made: Json = {"responses": {"200": {"content": {"application/json": {"schema": response}}}}}
    if body is not None:
        made["requestBody"] = {"content": {"application/json": {"schema": body}}}
    if parameters is not None:
        made["parameters"] = parameters
    return made


def shop(version: str = "3.1.0", prefix: str = "") -> Json:
    """The document that fits the streams of tests/shop.py."""
    maybe = maybe_3_1 if version.startswith("3.1") else maybe_3_0
    instant = {"type": "string", "format": "date-time"}
    page = {"limit": {"type": "integer", "maximum": 500}, "offset": {"type": "integer", "minimum": 0}}
    orders_body = {
        "type": "object",
        "properties": {**page, "sort": {"allOf": [reference("Sort")]}, "orders": maybe(reference("OrderFilter"))},
    }
    paths = {
        "/orders/filter": {"post": operation({"type": "array", "items": reference("Order")}, orders_body)},
        "/orders/{order}": {"get": operation(reference("Order"))},
        "/orders/count": {"post": operation({"type": "integer"}, {"type": "object", "properties": {}})},
        "/shops/filter": {"post": operation(reference("ShopPage"), {"type": "object", "properties": page})},
        "/shops/{shop}/staff": {"get": operation({"type": "array", "items": reference("Person")})},
    }
    schemas: Json = {
        "Sort": {"type": "string", "enum": ["ID_DESC", "UPDATED_DESC", "UPDATED_ASC"]},
        "OrderFilter": {
            "type": "object",
            "additionalProperties": False,
            "properties": {
                "id": {"type": "object", "properties": {"any_": {"type": "array", "items": {"type": "string"}}}}
            },
        },
        "Order": {
            "type": "object",
            "properties": {
                "id": {"type": "string", "format": "uuid"},
                "updated": maybe(instant),
                "amount": {"type": "number", "description": "What it costs. In euros, without tax."},
                "note": maybe({"type": "string"}),
                "buyer": maybe(reference("Person")),
                "labels": {"type": "object", "additionalProperties": {"type": "integer"}},
                "free": {},
                "lines": {"type": "array", "items": {"type": "object", "properties": {"sku": {"type": "string"}}}},
            },
        },
        "Shop": {"type": "object", "properties": {"id": {"type": "string"}, "name": {"type": "string"}}},
        "ShopPage": {
            "type": "object",
            "properties": {"results": {"type": "array", "items": reference("Shop")}, "total": {"type": "integer"}},
        },
        "Person": {
            "allOf": [reference("Named"), {"type": "object", "properties": {"boss": maybe(reference("Person"))}}]
        },
        "Named": {"type": "object", "properties": {"name": {"type": "string"}}, "required": ["name"]},
    }
    return {
        "openapi": version,
        "info": {"title": "Shop", "version": "7"},
        "paths": {prefix + path: item for path, item in paths.items()},
        "components": {"schemas": schemas},
    }
