"""The generated JSON Schema and `validate` agree, and an editor that uses the schema shows words, not patterns."""

from __future__ import annotations

import copy
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import jsonschema
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from engine.declare.problems import SpecError
from engine.spec.load import load
from tests.effort import cases
from tests.shop import STREAMS
from tests.specs import dumped, edited, parsed, shipped
from tools.json_schema import configuration_schema, streams_schema

SCHEMA = jsonschema.Draft202012Validator(streams_schema())
BASE: Any = parsed(STREAMS)
VALUES: st.SearchStrategy[Any] = st.sampled_from(
    [None, True, 0, 1, 7, -3, 2.5, "", "x", "offset", "single", "$.a", "30s", "GET /x", [], {}, ["$"]]
)
ODD_KEYS = st.sampled_from(["style", "page_size", "pathh", "type", "description", "table", "query", "version"])


def places(value: Any, path: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    """The path of every value in a file."""
    if isinstance(value, dict):
        for name, child in value.items():
            yield (*path, name)
            yield from places(child, (*path, name))
    elif isinstance(value, list):
        for index, child in enumerate(value):
            yield (*path, index)
            yield from places(child, (*path, index))


PLACES = list(places(BASE))


@settings(max_examples=cases(400), suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(place=st.sampled_from(PLACES), action=st.sampled_from(["set", "delete", "add"]), value=VALUES, odd=ODD_KEYS)
def test_the_schema_and_validate_agree_on_structure(
    tmp_path: Path, place: tuple[Any, ...], action: str, value: Any, odd: str
) -> None:
    """An editor and `validate` never contradict each other.

    After any one change to a valid file, `validate` rejects whatever the schema rejects. What only `validate` rejects
    is a matter of meaning, never an unknown key, a missing key or a value of the wrong type.
    """
    file = copy.deepcopy(BASE)
    parent = file
    for step in place[:-1]:
        parent = parent[step]
    if action == "delete":
        del parent[place[-1]]
    elif action == "set":
        parent[place[-1]] = value
    elif isinstance(parent, dict):
        parent[odd] = value
    path = tmp_path / "streams.yaml"
    path.write_text(dumped(file), "utf-8")
    try:
        load(path)
        problems = []
    except SpecError as error:
        problems = [problem.message for problem in error.problems]
    if not SCHEMA.is_valid(file):
        assert problems, list(SCHEMA.iter_errors(file))
    else:
        structural = [
            p for p in problems if p.startswith(("unknown key", "the key", "expected a mapping", "expected at"))
        ]
        assert not structural


def patterns(schema: Any) -> Iterator[dict[str, Any]]:
    """Every part of a schema that reports a string of the wrong form. An ``if`` reports nothing."""
    if isinstance(schema, dict):
        if isinstance(schema.get("pattern"), str):
            yield schema
        for name, inner in schema.items():
            if name != "if":
                yield from patterns(inner)
    elif isinstance(schema, list):
        for inner in schema:
            yield from patterns(inner)


def test_every_pattern_has_words() -> None:
    """An editor says "expected a duration such as 500ms", not "String does not match the pattern of ..."."""
    settings_schema = configuration_schema(shipped().configuration, "")
    found = [*patterns(streams_schema()), *patterns(settings_schema)]
    assert len(found) > 50
    for schema in found:
        assert re.match("expected |a .* must be named with ", schema["patternErrorMessage"])


def test_the_words_of_a_pattern_are_those_of_validate(tmp_path: Path) -> None:
    """A mistake reads the same in the editor and in the terminal."""
    definitions = streams_schema()["$defs"]
    for place, value, words in (
        ("api.timeout.connect", "2 s", definitions["Timeout"]["properties"]["connect"]),
        ("streams.shops.endpoint", "PUT /shops", definitions["Stream"]["properties"]["endpoint"]),
        ("api.retry.attempts", "4", definitions["Retry"]["properties"]["attempts"]),
    ):
        path = tmp_path / "streams.yaml"
        path.write_text(edited(STREAMS, replace={place: value}), "utf-8")
        with pytest.raises(SpecError, match=re.escape(words["patternErrorMessage"])):
            load(path)


def test_code_in_a_description_is_shown_as_code() -> None:
    """An editor shows the backticks of a plain `description` as they are."""
    properties = streams_schema()["$defs"]["Stream"]["properties"]
    assert properties["endpoint"]["markdownDescription"] == properties["endpoint"]["description"]
    assert "markdownDescription" not in properties["primary_key"]
