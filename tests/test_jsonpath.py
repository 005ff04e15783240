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


@pytest.mark.parametrize("text", ["$.", "$.a[", "$.a b", "$[?(@.x", "$.a..", "$.a[1:b]"])
def test_an_invalid_path_is_an_error(text: str) -> None:
    """The message is jsonpath-ng's reason, on one line."""
    with pytest.raises(ValueError, match=r"^not a JSONPath: [^\n]+$"):
        compile_path(text)
