"""Guesses from names and schemas alone, without a server."""

from __future__ import annotations

from typing import Any

import pytest

from engine.declare.types import Endpoint
from engine.pagination import Pagination
from engine.pagination.link import Link
from engine.pagination.offset import Offset
from engine.pagination.page_number import PageNumber
from engine.pagination.single import Single
from tools.openapi.document import OpenApi, Operation
from tools.openapi.shape import Shape
from tools.scaffold import guess


def endpoint(text: str) -> Endpoint:
    method, path = text.split(" ")
    return Endpoint(method, path)


@pytest.mark.parametrize(
    ("text", "name", "noun"),
    [
        ("POST /work_pools/{name}/queues/filter", "work_pools_queues", "queue"),
        ("GET /saved-searches", "saved_searches", "saved search"),
        ("GET /user_access", "user_access", "user access"),
        ("POST /status/filter", "status", "status"),
        ("POST /policies/search/", "policies", "policy"),
        ("GET ../filter", "filter", "filter"),
        ("GET /{id}", "records", "record"),
    ],
)
def test_the_path_names_the_stream_and_its_records(text: str, name: str, noun: str) -> None:
    """The description says `One row per NOUN.`, so the noun must be a real singular."""
    assert guess.stream_name(endpoint(text)) == name
    assert guess.record_noun(endpoint(text)) == noun


@pytest.mark.parametrize(
    ("text", "reads"),
    [
        ("GET /a", True),
        ("POST /a/filter", True),
        ("POST /a/search/", True),
        ("POST /a", False),
        ("POST /filter/a", False),
    ],
)
def test_a_post_reads_only_if_its_path_ends_so(text: str, reads: bool) -> None:
    """Any other POST may create something, so the block must warn."""
    assert guess.only_reads(endpoint(text)) is reads


def record(*names: str, **types: Any) -> Shape:
    properties = {name: {"type": "string"} for name in names} | types
    return Shape.of({}, {"type": "object", "properties": properties})


@pytest.mark.parametrize(
    ("names", "key", "certain"),
    [
        (("name", "uuid", "id"), "id", True),
        (("name", "uuid"), "uuid", True),
        (("name", "order_id"), "name", False),
        (("total", "orderId"), "orderId", False),
    ],
)
def test_the_primary_key(names: tuple[str, ...], key: str, certain: bool) -> None:
    """An id identifies a record; anything else must be checked by a person."""
    found = guess.primary_key(record(*names))
    assert found is not None
    assert (found.value, not found.reason) == (key, certain)


def test_records_without_a_primary_key() -> None:
    """A key must be able to hold every value exactly, and a JSONPath must be able to name it."""
    assert guess.primary_key(record("total")) is None
    assert guess.primary_key(record(id={"type": "object"})) is None
    assert guess.primary_key(record("both ' and \" _id")) is None


def listing(parameters: dict[str, Any], answer: Any = None) -> Operation:
    """GET /things with query parameters."""
    page = [{"name": name, "in": "query", "schema": schema} for name, schema in parameters.items()]
    response = {"200": {"content": {"application/json": {"schema": answer or {"type": "array", "items": {}}}}}}
    paths = {"/things": {"get": {"parameters": page, "responses": response}}}
    found = OpenApi({"openapi": "3.1.0", "paths": paths}, "https://things.test").find(Endpoint("GET", "/things"))
    assert isinstance(found, Operation)
    return found


@pytest.mark.parametrize(
    ("values", "best"),
    [
        (["ID_DESC", "ID_ASC", "CREATED_ASC"], "ID_ASC"),
        (["name:asc", "created_at:desc"], "created_at:desc"),
        (["-updated", "updated", "title"], "title"),
        (["-updated", "weight"], "weight"),
        (["updated.desc", "updated.ascending"], "updated.ascending"),
        (["red", "green"], None),
        (["name_asc", "green"], None),
    ],
)
def test_the_most_stable_sort(values: list[str], best: str | None) -> None:
    """The key, the creation, a name, anything else, and last the update, which moves rows during the read."""
    found = guess.stable_sort(listing({"limit": {}, "order": {"enum": values}}), "id")
    assert (found.value if found else None) == ({"order": best} if best else None)


@pytest.mark.parametrize(
    ("style", "most"),
    [
        (Offset(page_size=200), 50),
        (Offset(page_size=50), None),
        (PageNumber(page_size=200, query={"limit": "$size"}), 50),
        (PageNumber(page_size=200, query={"per_page": "$size"}), None),
        (Single(page_size=51), 50),
        (Single(), None),
        (Link(), None),
    ],
)
def test_the_largest_page(style: Pagination, most: int | None) -> None:
    """A server rejects a larger page, so the stream needs its own page size, whatever the style calls it."""
    operation = listing({"limit": {"type": "integer", "maximum": 50}, "per_page": {"type": "integer"}})
    assert guess.largest_page(operation, style) == most


@pytest.mark.parametrize(
    ("sort", "order", "best", "newest"),
    [
        ("sort", "direction", {"sort": "created", "direction": "asc"}, {"sort": "updated", "direction": "desc"}),
        ("order_by", "order", {"order_by": "created", "order": "asc"}, {"order_by": "updated", "order": "desc"}),
        ("sort", "colour", None, None),
    ],
)
def test_a_sort_in_two_parameters(sort: str, order: str, best: Any, newest: Any) -> None:
    """One names the property, as short as the server likes, the other the direction."""
    operation = listing({sort: {"enum": ["created", "updated", "comments"]}, order: {"enum": ["asc", "desc"]}})
    found = guess.stable_sort(operation, "id")
    assert (found.value if found else None) == best
    assert guess.newest_first(operation, "updated_at") == newest


def test_a_sort_whose_values_are_not_listed_is_named() -> None:
    """There is one, so the reader has to fill it in."""
    assert guess.free_sort(listing({"sort_by": {"type": "string"}})) == "sort_by"
    assert guess.free_sort(listing({"sort": {"enum": ["red", "green"]}, "limit": {}})) is None


@pytest.mark.parametrize(
    ("parameters", "pagination"),
    [
        ({"limit": {}, "offset": {}}, {"style": "offset"}),
        ({"limit": {"maximum": 50}, "offset": {}}, {"style": "offset", "page_size": 50}),
        (
            {"maxResults": {"maximum": 500}, "startAt": {}},
            {"style": "offset", "query": {"maxResults": "$size", "startAt": "$offset"}},
        ),
        ({"per_page": {}, "page": {}}, {"style": "page_number", "query": {"per_page": "$size"}}),
        ({"page_size": {}, "page": {"minimum": 0}}, {"style": "page_number", "first": 0}),
        ({"limit": {}}, None),
        ({"page": {}}, None),
    ],
)
def test_pagination_by_the_names_of_parameters(parameters: dict[str, Any], pagination: Any) -> None:
    """An offset before a page number; without a page size, the end of a list could not be told."""
    assert guess.counted_pagination(listing(parameters)) == pagination


@pytest.mark.parametrize(
    ("parameters", "since"),
    [
        ({"since": {"type": "string"}, "updated_since": {"type": "string", "format": "date-time"}}, "updated_since"),
        ({"since": {"type": "string", "format": "date-time"}}, "since"),
        ({"updated_at[gte]": {"type": "string"}}, "updated_at[gte]"),
        ({"updatedAfter": {}}, "updatedAfter"),
        ({"since": {"type": "integer"}}, None),
        ({"created_since": {"type": "string"}, "until": {"type": "string"}}, None),
    ],
)
def test_the_parameter_that_selects_changes(parameters: dict[str, Any], since: str | None) -> None:
    """By its name and by what it can hold; one that says what it compares is preferred."""
    assert guess.changed_since(listing(parameters)) == since
