"""JSONPath: the fast lookup returns what jsonpath-ng returns."""

from __future__ import annotations

from typing import Any

import pytest
from jsonpath_ng.ext.parser import ExtendedJsonPathParser

from engine.jsonpath import compile_path

PARSER = ExtendedJsonPathParser()
RECORD: Any = {
    "a": {"b": [10, {"c": None, "d d": "x"}], "e.f": 1},
    "n": None,
    "empty": "",
    "zero": 0,
    "off": False,
    "list": [[1, 2], [3]],
    "none": [],
    "bare": {},
    "$x": 5,
    "team-name": "blue",
    "labels": {"team-name": {"@type": "thing"}},
    "@type": "other",
    "it's": 1,
    "7": 7,
}


PLAIN = [
    "$",
    "$.a",
    "$.a.b[0]",
    "$.a.b[1].c",
    "$.a.b[1]['d d']",
    "$['a']['e.f']",
    '$["a"].b',
    "$.list[1][0]",
    "$.nope",
    "$.a.b[9]",
    "$.a.b.c",
    "$.n.x",
    "$.zero",
    "$.off",
    "$.empty",
    "$.n",
    "$.empty[0]",
    "$.a[0]",
    "$.list[-1]",
    "$.list[-2][-1]",
    "$.empty[-1]",
    "$.a . b[ 0 ]",
    "$.team-name",
    "$.labels.team-name.@type",
    "$.@type",
    "$.a.(b)",
    "$.a.`this`",
    "$['it\\'s']",
    "$.7",
]


def test_a_plain_path_is_what_jsonpath_ng_finds() -> None:
    """Falsy values are values; a missing one is None."""
    for text in PLAIN:
        matches = [match.value for match in PARSER.parse(text).find(RECORD)]
        assert compile_path(text).get(RECORD) == (matches[0] if matches else None), text


SEVERAL: list[tuple[str, Any]] = [
    ("$.list[*][0]", [1, 3]),
    ("$..c", [None]),
    ("$.nope[*]", None),
    ("$.a.b[?(@.c)]", [{"c": None, "d d": "x"}]),
    ("$.list[0,1]", [[1, 2], [3]]),
    ("$.list.*", [[1, 2], [3]]),
    ("$.list.*[0]", [1, 3]),
    ("$.labels.*", [{"@type": "thing"}]),
    ("$.labels.*.*", ["thing"]),
    ("$.list[-1:]", [[3]]),
    ("$['zero','off']", [0, False]),
    ("$.none[*].name", []),
    ("$.list[*].name", []),
    ("$.list[?(@ =~ 1)]", []),
    ("$.bare.*", []),
    ("$.empty.*", None),
    ("$.n[*]", None),
    ("$..nope", None),
    ("$.labels[*]", [{"@type": "thing"}]),
    ("$.labels[*][*]", ["thing"]),
    ("$.bare[*]", []),
    ("$.zero[*]", None),
    ("$.team-name[*]", None),
    ("$.labels[0:1]", None),
    ("$.a.b[*][0]", []),
    ("$..[0]", [10, [1, 2], 1, 3]),
    ("$.list.*[0] + 1", [2, 4]),
    ("$.a.(b|nope)", [[10, {"c": None, "d d": "x"}]]),
]


@pytest.mark.parametrize(
    ("condition", "names"),
    [
        ("@.end == null", ["open"]),
        ("@.end != null", ["done", "odd"]),
        ("@.end == 'null'", ["odd"]),
        ("@.end==null & @.name != 'x'", ["open"]),
        ("!@.end", ["none"]),
    ],
)
def test_a_condition_can_compare_with_null(condition: str, names: list[str]) -> None:
    """Which is not the string, and not the same as no value."""
    spans = [{"name": "open", "end": None}, {"name": "done", "end": 5}, {"name": "odd", "end": "null"}]
    record = {"spans": [*spans, {"name": "none"}]}
    assert compile_path(f"$.spans[?({condition})].name").get(record) == names


def test_a_path_with_several_matches_returns_a_list() -> None:
    """Of all matches: an empty one if what the path goes through has none, and None if that is not there."""
    for text, value in SEVERAL:
        assert compile_path(text).get(RECORD) == value, text


@pytest.mark.parametrize(
    ("text", "value"),
    [("$.list.`len`", 2), ("$.list[0][0] + 1", 2), ("$.team-name.`split(u, 0, -1)`", "bl"), ("$.nope.`len`", None)],
)
def test_a_function_of_one_place_returns_one_value(text: str, value: Any) -> None:
    """A length, a sum or a part of a string is no list."""
    assert compile_path(text).get(RECORD) == value


@pytest.mark.parametrize("text", ["$.zero.`sub(/a/, b)`", "$.zero - $.a", "$.a.b.`sorted`"])
def test_a_function_that_does_not_apply_finds_nothing(text: str) -> None:
    """Whatever a record holds, reading a path raises nothing."""
    assert compile_path(text).get(RECORD) is None


def test_a_path_of_the_parent_names_one_place_too() -> None:
    """Its spelling does not decide either."""
    record = {"$parent": {"labels": {"team-name": "blue"}, "tags": ["a", "b"]}}
    assert compile_path("$parent.labels.team-name").get(record) == "blue"
    assert compile_path("$parent.tags[-1]").get(record) == "b"
    assert compile_path("$parent.tags[*]").get(record) == ["a", "b"]


def test_a_record_of_an_entry_has_its_name_and_its_value() -> None:
    """They are not taken for properties of these names."""
    record = {"$key": "EUR", "$value": {"rate": 2, "tags": ["a", "b"]}, "key": 1, "value": 2}
    paths = ("$key", "$value.rate", "$value.tags[*]", "$value.tags[-1]", "$.key")
    assert [compile_path(path).get(record) for path in paths] == ["EUR", 2, ["a", "b"], "b", 1]
    assert [compile_path(path).is_single for path in paths] == [True, True, False, True, True]


def test_a_path_has_an_end() -> None:
    """No path is so deep that reading it fails."""
    with pytest.raises(ValueError, match="at most 1000 characters"):
        compile_path("$" + ".a " * 500)
    assert compile_path("$" + ".a " * 333).get({}) is None


INVALID = [
    ("$.", "it ends too early"),
    ("$.a[", "it ends too early"),
    ("$[?(@.x", "it ends too early"),
    ("$.@odata.nextLink", "a dot ends a name; this name is written $['@odata.nextLink']"),
    ("$.a..", "it ends too early"),
    ("$parent.a[*", "it ends too early"),
    ("$.a['b]", "a quote is not closed"),
    ("$.a b", "unexpected \"b\" at character 5; this name is written $['a b']"),
    ("$.a.größe", "unexpected \"ö\" at character 7; this name is written $.a['größe']"),
    ("$.a[*].where", "unexpected \"where\" at character 8; this name is written $.a[*]['where']"),
    ("$.tags[(@.length-1)]", 'unexpected "(" at character 8'),
    ("$['gr\\u00f6sse']", "\\u is no escape; write the character itself"),
    ("$.a[1:b]", 'unexpected "b" at character 7'),
    ("$.a#", "unexpected \"#\" at character 4; this name is written $['a#']"),
    ("$parent.a[*]]", 'unexpected "]" at character 13'),
    *(
        (text, '"$" can only start a path; several paths are a list, such as [$.a, $.b]')
        for text in ("$.a|$.b", "$.a.$.b", "$.(a|$.b)", "$.a where $.b", "$.a[?$.b==2]", "$parent.a|$.b")
    ),
    ("$.a&$.b", '"&" joins conditions only'),
    ("$.a.(b&c)", '"&" joins conditions only'),
]


def test_an_invalid_path_is_an_error() -> None:
    """The message quotes the path as it is written and says what is wrong with it."""
    for text, reason in INVALID:
        with pytest.raises(ValueError) as caught:
            compile_path(text)
        assert str(caught.value) == f'"{text}" is not a JSONPath: {reason}'
