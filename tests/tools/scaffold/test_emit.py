"""What emit writes, PyYAML reads back: a document's names and descriptions cannot break or change the YAML."""

from __future__ import annotations

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from engine.declare.types import Endpoint
from engine.jsonpath import compile_path
from engine.pagination.offset import Offset
from engine.pagination.page_number import PageNumber
from tests.pagination.sent import in_response
from tools.scaffold.emit import Comment, Line, Section, Value, to_yaml, without_defaults


@given(key=st.text(min_size=1), text=st.text(), comment=st.text())
def test_any_string_comes_back(key: str, text: str, comment: str) -> None:
    """Quotes, line breaks, indicators, and words such as `no` survive as strings, and a comment stays a comment."""
    line = Line(key, {"text": text, key: [text, key]}, comment)
    part = Section(text, [Comment(comment, [line]), line, Section("fields", [Line(key, text)])])
    assert yaml.safe_load(to_yaml(part, "  ")) == {text: {key: line.value} | {"fields": {key: text}}}


def test_a_section_has_one_line_for_each_key() -> None:
    """Flow style below the first level, double quotes only if YAML needs them, and reasons at the end of the line."""
    part = Section(
        "orders",
        [
            Line("endpoint", Endpoint("GET", "/shops/$(parent.id)/orders")),
            Line("primary_key", ["shop_id", "name"], "no id"),
            Comment("Offered:", [Line("sync_mode", "incremental")]),
            Section("fields", [Line("on", {"path": compile_path("$.on"), "description": "a: b, c"})]),
        ],
    )
    assert to_yaml(part, "  ") == (
        "  orders:\n"
        "    endpoint: GET /shops/$(parent.id)/orders\n"
        "    primary_key: [shop_id, name] # no id\n"
        "    # Offered:\n"
        "    #   sync_mode: incremental\n"
        "    fields:\n"
        '      "on": {path: $.on, description: "a: b, c"}\n'
    )


def test_a_comment_cannot_become_yaml() -> None:
    """A name from the document may contain line breaks, after which a key would begin."""
    text = to_yaml(Line("a", 1, "one\nb: 2\x85c: 3\u2028d: 4\x1b"), "")
    assert text == "a: 1 # one b: 2 c: 3 d: 4\n"


def test_a_block_comes_back_without_its_defaults() -> None:
    """Keys have the names of streams.yaml, and a mapping that is empty by default is left out."""
    style = PageNumber(page_size=30, query={"per_page": "$size"}, total=in_response("$.meta.total"))
    assert to_yaml(Line("pagination", without_defaults(style))) == (
        "pagination: {page_size: 30, query: {per_page: $size}, total: $.meta.total}\n"
    )
    assert without_defaults(Offset(page_size=100)) == {}


def test_a_value_of_another_type_is_refused() -> None:
    """Rather than written as a Python object that no one else can read."""
    value: Value = object()  # type: ignore[assignment]
    with pytest.raises(yaml.representer.RepresenterError):
        to_yaml(Line("a", value))
