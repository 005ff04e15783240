"""What a server would find wrong with a request."""

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
    """What orders may be asked with."""
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
def test_what_it_knows_is_accepted(body: Shape, value: Any) -> None:
    """Known keys, listed values, numbers within bounds, nulls."""
    assert faults(body, value) == []


@pytest.mark.parametrize(
    ("value", "steps", "ignored", "words"),
    [
        ({"sorts": "ID_DESC"}, ("sorts",), True, 'has no key "sorts" here and ignores it'),
        ({"orders": {"ids": {}}}, ("orders", "ids"), False, 'refuses the key "ids" here; did you mean "id"?'),
        ({"orders": {"id": {"any": []}}}, ("orders", "id", "any"), True, 'did you mean "any_"?'),
        ({"sort": "ID_ASC"}, ("sort",), False, 'did you mean "ID_DESC"?'),
        ({"sort": 3}, ("sort",), False, "expected a string, as the server declares it, found a number"),
        ({"limit": 501}, ("limit",), False, "501 is more than the server takes here, 500"),
        ({"offset": -1}, ("offset",), False, "-1 is less than the server takes here, 0"),
        ({"limit": True}, ("limit",), False, "expected an integer, as the server declares it, found a boolean"),
        ({"orders": {"id": {"any_": ["a", 1]}}}, ("orders", "id", "any_", 1), False, "expected a string"),
    ],
)
def test_what_it_does_not_know_is_told_with_its_place(
    body: Shape, value: Any, steps: tuple[Any, ...], ignored: bool, words: str
) -> None:
    """A closed object refuses a key, an open one ignores it; and never is a text of the request repeated as a guess."""
    (fault,) = faults(body, value)
    assert (fault.steps, fault.ignored) == (steps, ignored)
    assert words in fault.message


def test_of_several_forms_the_nearest_is_explained() -> None:
    """A filter or a list of filters: a mistake within the filter is not told as "expected an array"."""
    one = {"type": "object", "additionalProperties": False, "properties": {"labels": {"type": "object"}}}
    shape = Shape.of({}, {"anyOf": [{"type": "array", "items": one}, one, {"type": "null"}]})
    (fault,) = faults(shape, {"lables": {}})
    assert 'did you mean "labels"?' in fault.message
