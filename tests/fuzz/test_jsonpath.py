"""JSONPaths of streams.yaml, and records of any shape."""

from __future__ import annotations

from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from engine.jsonpath import compile_path, leading_steps
from tests.fuzz.damage import damaged, tries

WHOLE = (
    "$", "$.a.b", "$.a[0].b", "$['a b']", "$.tags[*].label", "$..id", "$.a[-1]", "$.a[1:3]", "$parent.a.b[0]",
    "$parent.a[*]", "$.a[?(@.b == 1)]", "$.a[?@.b > 1].c", "$.a.`len`", "$.a.`split(-, 0, 1)`", "$.a.`sub(/x/, y)`",
    "$.a + $.b", "$.a[0,1]", "$['a','b']", "$.a.`parent`", "$.a.`sorted`", "$.team-name", "$.@type", "$.a[\\\\b]",
)  # fmt: skip
SCRAPS = (*"$.[]()*'\"`?@,:-+/\\|&~", "..", "where", " ", "é", "\n", "`keys`", "`path`", "`str()`", "=~", "9" * 20)
RECORDS = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(["a", "b", "id", "tags"]), inner),
    max_leaves=8,
)


@tries(100)
@given(damaged(WHOLE, SCRAPS), RECORDS)
def test_a_path_reads_any_record_or_is_refused(text: str, value: Any) -> None:
    """A refusal is one line of words. Reading returns a value or None."""
    try:
        path = compile_path(text)
    except ValueError as error:
        assert str(error)
        return
    steps, plain = leading_steps(text)
    for record in ({"a": value, "$parent": {"a": value}}, {"a": [value, value]}, {}):
        found = path.get(record)
        if plain and steps and path.key:
            assert found == record.get(path.key)


STEPS = st.lists(st.text(min_size=1, max_size=5).filter(lambda name: "\\" not in name) | st.integers(-3, 3), max_size=4)


@tries(50)
@given(STEPS)
def test_a_place_is_found_by_its_path(steps: list[str | int]) -> None:
    """Any name can be written in brackets, any index too."""
    text, record = "$", "found"
    for step in steps:
        text += f"[{step}]" if isinstance(step, int) else "['" + step.replace("'", "\\'") + "']"
    value: Any = record
    for step in reversed(steps):
        value = {step: value} if isinstance(step, str) else [value] * 4
    assert compile_path(text).get(value) == "found"
    assert leading_steps(text) == (tuple(steps), True)
