"""JSONPath: the fast lookup returns what jsonpath-ng returns."""

from __future__ import annotations

from typing import Any

import pytest
from jsonpath_ng.ext.parser import parse

from engine.jsonpath import compile_path

RECORD: Any = {
    "a": {"b": [10, {"c": None, "d d": "x"}], "e.f": 1},
    "n": None,
    "empty": "",
    "zero": 0,
    "off": False,
    "list": [[1, 2], [3]],
    "$x": 5,
}


@pytest.mark.parametrize(
    "text",
    ["$", "$.a", "$.a.b[0]", "$.a.b[1].c", "$.a.b[1]['d d']", "$['a']['e.f']", '$["a"].b', "$.list[1][0]", "$.nope",
     "$.a.b[9]", "$.a.b.c", "$.n.x", "$.zero", "$.off", "$.empty", "$.n", "$.empty[0]", "$.a[0]"],
)  # fmt: skip
def test_a_plain_path_is_what_jsonpath_ng_finds(text: str) -> None:
    """Falsy values are values; a missing one is None."""
    matches = [match.value for match in parse(text).find(RECORD)]
    assert compile_path(text).get(RECORD) == (matches[0] if matches else None)


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("$.list[*][0]", [1, 3]),
        ("$..c", [None]),
        ("$.nope[*]", None),
        ("$.a.b[?(@.c)]", [{"c": None, "d d": "x"}]),
        ("$.list[-1]", [[3]]),
    ],
)
def test_a_path_with_several_matches_returns_a_list(text: str, value: Any) -> None:
    """Of all matches, or None if there are none."""
    assert compile_path(text).get(RECORD) == value


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("$.", "it ends too early"),
        ("$.a[", "it ends too early"),
        ("$[?(@.x", "it ends too early"),
        ("$.a..", "it ends too early"),
        ("$parent.a[*", "it ends too early"),
        ("$.a['b]", "a quote is not closed"),
        ("$.a b", 'unexpected "b" at character 5'),
        ("$.a[1:b]", 'unexpected "b" at character 7'),
        ("$.a#", 'unexpected "#" at character 4'),
        ("$parent.a[*]]", 'unexpected "]" at character 13'),
    ],
)
def test_an_invalid_path_is_an_error(text: str, reason: str) -> None:
    """The message quotes the path as it is written and says what is wrong with it."""
    with pytest.raises(ValueError) as caught:
        compile_path(text)
    assert str(caught.value) == f'"{text}" is not a JSONPath: {reason}'
