"""The faults that a server would find in a request."""

from __future__ import annotations

from typing import Any

import pytest

from engine.declare.types import Endpoint
from tests.tools.openapi.documents import shop
from tools.openapi.accepts import faults
from tools.openapi.document import OpenApi, Operation
from tools.openapi.shape import Shape


@pytest.fixture(params=["3.0.3", "3.1.0"])
def body(request: pytest.FixtureRequest) -> Shape:
    """The body of the request for orders."""
    found = OpenApi(shop(request.param), "http://shop.test").find(Endpoint("POST", "/orders/filter"))
    assert isinstance(found, Operation) and found.body is not None
    return found.body


@pytest.mark.parametrize(
    "value",
    [
        {},
        {"sort": "ID_DESC", "limit": 500, "offset": 0},
        {"orders": {"id": {"any_": ["a", "b"]}}},
        {"orders": None},
    ],
)
def test_known_keys_and_values_are_accepted(body: Shape, value: Any) -> None:
    """Known keys, listed values, numbers within bounds and nulls have no faults."""
    assert faults(body, value) == []


@pytest.mark.parametrize(
    ("value", "steps", "ignored", "words"),
    [
        ({"sorts": "ID_DESC"}, ("sorts",), True, 'silently ignores the unknown key "sorts"'),
        ({"orders": {"ids": {}}}, ("orders", "ids"), False, 'rejects the unknown key "ids"; did you mean "id"?'),
        ({"orders": {"id": {"any": []}}}, ("orders", "id", "any"), True, 'did you mean "any_"?'),
        ({"sort": "ID_ASC"}, ("sort",), False, 'did you mean "ID_DESC"?'),
        ({"sort": 3}, ("sort",), False, "expected a string, found a number"),
        ({"limit": 501}, ("limit",), False, "501 exceeds the server's maximum, 500"),
        ({"offset": -1}, ("offset",), False, "-1 is below the server's minimum, 0"),
        ({"limit": True}, ("limit",), False, "expected an integer, found a boolean"),
        ({"orders": {"id": {"any_": ["a", 1]}}}, ("orders", "id", "any_", 1), False, "expected a string"),
    ],
)
def test_unknown_keys_and_values_are_faults(
    body: Shape, value: Any, steps: tuple[Any, ...], ignored: bool, words: str
) -> None:
    """A closed object rejects an unknown key and an open one ignores it, which is worse: so the fault says which."""
    (fault,) = faults(body, value)
    assert (fault.steps, fault.ignored) == (steps, ignored)
    assert words in fault.message


def test_the_faults_are_those_of_the_nearest_form() -> None:
    """Where a filter or a list of filters is allowed, a mistake inside a filter must not read "expected a list"."""
    one = {"type": "object", "additionalProperties": False, "properties": {"labels": {"type": "object"}}}
    shape = Shape.of({}, {"anyOf": [{"type": "array", "items": one}, one, {"type": "null"}]})
    (fault,) = faults(shape, {"lables": {}})
    assert 'did you mean "labels"?' in fault.message
