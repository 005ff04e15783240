"""Two judges of structure agree: `validate`, and the jsonschema library on the generated schema."""

from __future__ import annotations

import copy
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import jsonschema
import yaml
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from engine.declare.problems import SpecError
from engine.spec.load import load
from tests.shop import STREAMS
from tools.json_schema import streams_schema

SCHEMA = jsonschema.Draft202012Validator(streams_schema())
BASE: Any = yaml.safe_load(STREAMS)
VALUES: st.SearchStrategy[Any] = st.sampled_from(
    [None, True, 0, 1, 7, -3, 2.5, "", "x", "offset", "single", "$.a", "30s", "GET /x", [], {}, ["$"]]
)
ODD_KEYS = st.sampled_from(["style", "page_size", "pathh", "type", "description", "table", "query", "version"])


def places(value: Any, path: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    """The path of every value in a document."""
    if isinstance(value, dict):
        for name, child in value.items():
            yield (*path, name)
            yield from places(child, (*path, name))
    elif isinstance(value, list):
        for index, child in enumerate(value):
            yield (*path, index)
            yield from places(child, (*path, index))


PLACES = list(places(BASE))


@settings(max_examples=400, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(place=st.sampled_from(PLACES), action=st.sampled_from(["set", "delete", "add"]), value=VALUES, odd=ODD_KEYS)
def test_what_the_schema_rejects_validate_rejects(
    tmp_path: Path, place: tuple[Any, ...], action: str, value: Any, odd: str
) -> None:
    """Any one change to a right document that the schema rejects is a mistake to validate.

    And what only validate rejects is a matter of meaning, never an unknown or missing key or a wrong kind of value.
    """
    document = copy.deepcopy(BASE)
    parent = document
    for step in place[:-1]:
        parent = parent[step]
    if action == "delete":
        del parent[place[-1]]
    elif action == "set":
        parent[place[-1]] = value
    elif isinstance(parent, dict):
        parent[odd] = value
    path = tmp_path / "streams.yaml"
    path.write_text(yaml.safe_dump(document, allow_unicode=True), "utf-8")
    try:
        load(path)
        problems = []
    except SpecError as error:
        problems = [problem.message for problem in error.problems]
    if not SCHEMA.is_valid(document):
        assert problems, list(SCHEMA.iter_errors(document))
    else:
        structural = [
            p for p in problems if p.startswith(("unknown key", "the key", "expected a mapping", "expected at"))
        ]
        assert not structural
