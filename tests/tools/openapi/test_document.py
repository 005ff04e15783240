"""Endpoints of streams.yaml find their operations in OpenAPI documents, however these write their paths."""

from __future__ import annotations

from typing import Any

import pytest

from engine.declare.types import Endpoint
from tests.tools.openapi.documents import shop
from tools.openapi.document import NoOperation, NotOpenApi, OpenApi, Operation
from tools.openapi.lists import lists

ORDERS = Endpoint("POST", "/orders/filter")
PLACE = "/api/accounts/{account}/places/{place}"


@pytest.mark.parametrize(
    ("prefix", "base_url"),
    [
        ("", "http://shop.test"),
        ("", "http://shop.test/api"),
        ("/api", "http://shop.test/api"),
        ("/api", "http://shop.test/api/"),
        ("/accounts/{account}", "http://shop.test/api/accounts/7a"),
        ("/api/accounts/{account}/places/{place}", "https://shop.test/api/accounts/7a/places/9b"),
    ],
)
def test_paths_from_the_root_or_below_the_base_url(prefix: str, base_url: str) -> None:
    """The document's paths may start below the base URL or at the root, or have parameters that the URL fills."""
    found = OpenApi(shop(prefix=prefix), base_url).find(ORDERS)
    assert isinstance(found, Operation)
    assert found.endpoint == ORDERS
    assert found.takes(["limit", "offset"])


def test_a_path_is_not_cut_if_it_only_looks_like_the_base_url() -> None:
    """/api/orders below http://host/api is /orders only if all paths of the document begin with /api."""
    document = shop()
    document["paths"]["/api/keys"] = document["paths"]["/orders/filter"]
    found = OpenApi(document, "http://shop.test/api").find(Endpoint("POST", "/api/keys"))
    assert isinstance(found, Operation)


@pytest.mark.parametrize("path", ["/shops/{id}/staff", "/shops/berlin/staff", "/shops/{shop}/staff"])
def test_names_of_path_parameters_do_not_matter(path: str) -> None:
    """Nor does it matter if the endpoint has a value in their place."""
    assert isinstance(OpenApi(shop(), "http://shop.test").find(Endpoint("GET", path)), Operation)


def test_a_missing_operation() -> None:
    """The result has the path's other methods, or the nearest path, for the message."""
    api = OpenApi(shop(), "http://shop.test")
    assert api.find(Endpoint("GET", "/orders/filter")) == NoOperation(("POST",), None)
    assert api.find(Endpoint("POST", "/order/filter")) == NoOperation((), "/orders/filter")
    # /orders/{order} has only GET, so a misspelled POST does not mean it.
    assert api.find(Endpoint("POST", "/orders/filtre")) == NoOperation((), "/orders/filter")
    assert api.find(Endpoint("POST", "/shops//staff")) == NoOperation((), "/shops/{shop}/staff")


@pytest.mark.parametrize(
    ("document", "words"),
    [
        ([], "expected an OpenAPI document, found a list"),
        ({"detail": "Not Found"}, "version 3, found an object with the keys detail"),
        ({"swagger": "2.0", "paths": {}}, "version 3, found version 2.0"),
        ({}, "found an object with the keys (none)"),
    ],
)
def test_a_document_of_another_kind_is_an_error(document: Any, words: str) -> None:
    """The message says what was found: an older version, or an unrelated JSON document."""
    with pytest.raises(NotOpenApi) as caught:
        OpenApi(document, "http://shop.test")
    assert words in str(caught.value)


def test_lists_in_envelopes_are_found(tmp_path: Any) -> None:
    """A list is found at the top or at one of the api's records paths, but not inside a single record."""
    from tests.shop import connection

    spec = connection(tmp_path, "http://shop.test/api").spec
    found = lists(OpenApi(shop(), "http://shop.test/api"), spec)
    assert [(str(one.endpoint), one.records, one.paged) for one in found] == [
        ("POST /orders/filter", "$", True),
        ("POST /shops/filter", "$.results", True),
        ("GET /shops/{shop}/staff", "$", False),
    ]


ABOVE = {"/api/accounts/{account}/staff/filter": "post", "/api/accounts/{account}": "get"}


def test_an_endpoint_above_the_base_url_is_found_if_paths_begin_at_the_root() -> None:
    """Such a document covers the whole server. Names of path parameters do not matter."""
    document = shop(prefix=PLACE)
    for path, method in ABOVE.items():
        document["paths"][path] = {method: document["paths"][f"{PLACE}/orders/filter"]["post"]}
    api = OpenApi(document, "https://shop.test/api/accounts/7a/places/9b")
    for endpoint in (Endpoint("POST", "../../staff/filter"), Endpoint("GET", "../..")):
        found = api.find(endpoint)
        assert isinstance(found, Operation)
        assert found.endpoint == endpoint
    assert api.find(Endpoint("GET", "../../staff/filter")) == NoOperation(("POST",), None)
    assert isinstance(api.find(ORDERS), Operation)


@pytest.mark.parametrize(
    "path",
    [
        "../filter",
        "../../orders/filter",
        "../../../orders/filter",
        "../../../../../orders/filter",
        "../../../../../../x",
    ],
)
def test_an_endpoint_that_the_document_does_not_cover_is_outside(path: str) -> None:
    """The server may have it, so it is not missing. A path of the same name below the base URL is another."""
    outside = NoOperation((), None, outside=True)
    for prefix in ("", "/accounts/{account}/places/{place}", PLACE):
        api = OpenApi(shop(prefix=prefix), "https://shop.test/api/accounts/7a/places/9b")
        assert api.find(Endpoint("POST", path)) == outside
