"""Whatever is written into a streams.yaml, `load` returns a spec or raises SpecError."""

from __future__ import annotations

import copy
from collections.abc import Iterator
from contextlib import suppress
from datetime import date
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from engine.declare.problems import SpecError
from engine.spec.load import load
from tests.effort import cases
from tests.reading import model
from tests.spec.test_agreement import places
from tests.specs import dumped, parsed

PROJECT = Path(__file__).resolve().parents[2]
FILES: dict[str, Any] = {
    "shipped": parsed((PROJECT / "streams.yaml").read_text("utf-8")),
    "desk": parsed((PROJECT / "examples" / "desk" / "streams.yaml").read_text("utf-8")),
    "model": parsed(model.STREAMS),
}
PLACES = [(name, place) for name, file in FILES.items() for place in places(file)]
VALUES: tuple[Any, ...] = (
    *(None, True, 0, 1, -1, 2**70, 2.5, float("nan"), float("inf"), date(2024, 2, 29), b"x"),
    *("", "x", "(", "a{99999999999999999999}", "*", "<<", "\0", "\n", "all", "id", "runs", "streams", "integer"),
    *("$", "$.a", "$.a[*]", "$..", "$parent.id", "$since", "$since-99999999999d"),
    *("30s", "0s", "99999999999999999999d", "0KB", "1.5h", "incremental", "full_refresh", "soft_delete", "DECIMAL"),
    *("GET /x", "POST ..", "GET /{a}/{b", "POST /{}", "GET /x/../y", "PUT /x", "offset", "keyset", "token", "single"),
    *("${", "${api_url}", "${batch_size}", "${nothing}", "${api_url}${api_key}", "runs.id"),
    *([], {}, [None], [[]], [{}], ["id", "id"], {"style": None}, {"style": ["offset"]}, {"style": "keyset"}),
    *({"every": []}, {"changes": None}, {"stream": "runs"}, {"endpoint": "GET /x"}, {1: 2}, {None: {True: None}}),
)
KEYS = (
    *("<<", "", "style", "type", "table", "parent", "endpoint", "count", "deleted", "body", "query", "pagination"),
    *("incremental", "changes", "open", "lookup", "related", "reconcile", "records", "references", "precision"),
    *("required", "default", "pattern", "optional", "fallback", "stop_at", "batch", "values", "one", "overlap"),
)


@st.composite
def mutations(draw: st.DrawFn) -> Any:
    """A file with a few of its values replaced, removed, moved to other places, or put under other keys."""
    name = draw(st.sampled_from(["shipped", "desk", "model", "model", "model"]))  # the shipped file takes longest
    inside = st.sampled_from([place for file, place in PLACES if file == name])
    changed = copy.deepcopy(FILES[name])
    for _ in range(draw(st.integers(1, 3))):
        *above, last = draw(inside)
        action = draw(st.sampled_from(["replace", "remove", "move", "add"]))
        value = draw(st.sampled_from(VALUES))
        with suppress(IndexError, KeyError, TypeError):  # an earlier change removed the place
            parent = _at(changed, above)
            if action == "remove":
                del parent[last]
            elif action == "move":
                parent[last] = copy.deepcopy(_at(changed, draw(inside)))
            elif action == "replace":
                parent[last] = value
            elif isinstance(parent, dict):
                parent[draw(st.sampled_from(KEYS))] = value
    return changed


def _at(value: Any, place: Any) -> Any:
    for step in place:
        value = value[step]
    return value


def problems(path: Path, text: str) -> Iterator[tuple[int, int]]:
    """The places of all mistakes that `load` reports; fails on any other exception."""
    path.write_text(text, "utf-8")
    try:
        load(path)
    except SpecError as error:
        assert error.problems
        for problem in error.problems:
            assert "INVALID" not in problem.message
            yield problem.line, problem.column


def assert_in_file(text: str, line: int, column: int) -> None:
    lines = text.split("\n")
    assert 1 <= line <= len(lines)
    assert 1 <= column <= len(lines[line - 1]) + 1


@settings(max_examples=cases(250), suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow])
@given(changed=mutations())
def test_a_changed_file_loads_or_raises_spec_error(tmp_path: Path, changed: Any) -> None:
    """No combination of wrong values crashes a rule or a conversion, and each mistake has a place in the file."""
    text = dumped(changed)
    for line, column in problems(tmp_path / "streams.yaml", text):
        assert_in_file(text, line, column)


TEXT = model.STREAMS
SCRAPS = (
    "{",
    "}",
    "[",
    "]",
    ":",
    "- ",
    "? ",
    "#",
    "&a ",
    "*a",
    "<<: ",
    "!!int ",
    "!!seq ",
    "'",
    '"',
    "|\n",
    "\n",
    "\t",
    ",",
)


@settings(max_examples=cases(300), suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(cuts=st.lists(st.tuples(st.integers(0, len(TEXT)), st.integers(0, 30), st.sampled_from(SCRAPS)), max_size=3))
@example(cuts=[(len(TEXT), 0, "  ? ")])  # a key without a value at the end of the file
def test_a_damaged_text_loads_or_raises_spec_error(tmp_path: Path, cuts: list[tuple[int, int, str]]) -> None:
    """The same holds for text that is no longer the YAML that was meant."""
    text = TEXT
    for at, length, scrap in cuts:
        text = text[:at] + scrap + text[at + length :]
    for line, column in problems(tmp_path / "streams.yaml", text):
        assert_in_file(text, line, column)


@pytest.mark.parametrize("name", FILES)
def test_the_unchanged_files_are_right(tmp_path: Path, name: str) -> None:
    """The mutations start from files without mistakes."""
    assert not [*problems(tmp_path / "streams.yaml", dumped(FILES[name]))]


def test_aliases_that_repeat_too_much_are_a_mistake(tmp_path: Path) -> None:
    """Ten lines of nested aliases stand for a billion values; they are reported, not read."""
    lines = ["a0: &a0 [x, x]", *(f"a{n}: &a{n} [{', '.join([f'*a{n - 1}'] * 8)}]" for n in range(1, 10))]
    assert [*problems(tmp_path / "streams.yaml", "\n".join(lines))]


def test_control_characters_do_not_reach_the_terminal(tmp_path: Path) -> None:
    """A mistake is one line, whatever the file holds."""
    path = tmp_path / "streams.yaml"
    path.write_text('"a\\nb\\e[31m": 1\nversion: "1\\n2"\n', "utf-8")
    with pytest.raises(SpecError) as caught:
        load(path)
    assert len(str(caught.value).split("\n")) == len(caught.value.problems)
    assert "\x1b" not in str(caught.value)
    assert r"a\nb\x1b[31m" in str(caught.value)
