"""docs/dialect.md: every key is there with its words, and all YAML on the page validates."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from engine.declare.blocks import Union, keys_of
from engine.declare.values import DURATION, SIZE
from engine.spec.load import load
from tests.readme import PROJECT, blocks
from tests.specs import dumped, parsed
from tools.docgen.dialect import Section, examples, page, sections

PAGE = page()
SECTIONS = sections()
BLOCKS = [section for section in SECTIONS if not isinstance(section.about, Union)]
INTRODUCTION = blocks("yaml", PAGE.partition("\n## The file\n")[0])
TEXTS = dict(re.findall(r"^##+ `?(.*?)`?\n((?:(?!^##).*\n)*)", PAGE, re.MULTILINE))

HEAD = """
version: 1
name: Shop
configuration:
  api_key: {description: The key., secret: true}
  user: {description: The user.}
  password: {description: The password., secret: true}
api: {base_url: https://shop.example/api, pagination: offset}
"""
BASE = f"""{HEAD}
streams:
  customers:
    description: One row per customer.
    endpoint: GET /customers
    primary_key: id
    sync_mode: full_refresh
    fields: {{id: $.id}}
  orders:
    description: One row per order.
    endpoint: GET /orders
    primary_key: id
    cursor_field: updated_at
    sync_mode: incremental
    fields: {{id: $.id, updated_at: {{path: $.updated_at, type: UTC_DATETIME}}}}
"""


def merged(base: Any, over: Any) -> Any:
    """``base`` with the keys of ``over``, block by block; any other value of ``over`` replaces that of ``base``."""
    if not isinstance(base, dict) or not isinstance(over, dict):
        return over
    return {**base, **{name: merged(base.get(name), value) for name, value in over.items()}}


def validate(folder: Path, text: str) -> None:
    """Read a streams.yaml; raises SpecError with every mistake."""
    path = folder / "streams.yaml"
    path.write_text(text, "utf-8")
    load(path)


def entries(value: Any) -> Iterator[tuple[str, Any]]:
    """Every key of a file with its value, at any depth."""
    if isinstance(value, dict):
        for name, inner in value.items():
            yield name, inner
            yield from entries(inner)
    elif isinstance(value, list):
        for inner in value:
            yield from entries(inner)


def test_every_block_has_an_example() -> None:
    """No block without one, and no example without a block."""
    assert list(examples()) == [section.title for section in BLOCKS]


@pytest.mark.parametrize("section", BLOCKS, ids=lambda section: section.title)
def test_an_example_shows_its_block_and_validates(tmp_path: Path, section: Section) -> None:
    """A reader can paste it. It has the block's key or, for a style, its name."""
    example = parsed(examples()[section.title])
    validate(tmp_path, dumped(merged(parsed(BASE), example)))
    shown = {name for name, _ in entries(example)} | {value for _, value in entries(example) if isinstance(value, str)}
    assert section.title in shown or section.title == "The file"


def test_the_first_example_is_a_whole_file(tmp_path: Path) -> None:
    """It validates without the rest of another file."""
    validate(tmp_path, examples()["The file"])


@pytest.mark.parametrize("text", [text for text in INTRODUCTION if text.startswith("streams:")])
def test_a_complete_stream_validates(tmp_path: Path, text: str) -> None:
    """The introduction shows whole streams: they need nothing but the api."""
    validate(tmp_path, HEAD + text)


def test_a_section_has_every_key() -> None:
    """In the order in which they are declared."""
    for section in BLOCKS:
        assert not isinstance(section.about, Union)
        keys = [k.name for k in keys_of(section.about)]
        assert re.findall(r"^\| `(\w+)` \|", TEXTS[section.title], re.MULTILINE) == keys, section.title


def test_titles_are_unique_and_every_link_leads_to_one() -> None:
    """GitHub would number the second of two equal headings."""
    titles = re.findall(r"^##+ `?(.*?)`?$", PAGE, re.MULTILINE)
    anchors = [title.lower().replace(" ", "-") for title in titles]
    assert len(set(anchors)) == len(anchors)
    linked = set(re.findall(r"\]\(#([^)]*)\)", PAGE))
    assert linked <= {*anchors}
    assert {section.title.lower().replace(" ", "-") for section in SECTIONS[1:]} <= linked


@pytest.mark.parametrize(
    ("section", "key", "value", "default"),
    [
        ("api", "lookback", "a duration", "`5m`"),
        ("api", "base_url", "an http:// or https:// URL", "**required**"),
        ("api", "records", "a JSONPath, or a list of them, or [`records`](#records)", "`$`"),
        ("api", "pagination", "[a pagination style](#pagination-styles)", "**required**"),
        ("api", "timeout", "[`timeout`](#timeout)", ""),
        ("limits", "body", "a size", "`64MB`"),
        ("retry", "attempts", "an integer from 1 to 20", "`6`"),
        ("streams", "deleted", "one of `keep`, `soft_delete`", "`keep`"),
        ("streams", "enabled", "`true` or `false`", "`true`"),
        ("streams", "endpoint", "a method and a path", "**required** without `parent`"),
        ("streams", "parent", "a stream name, or [`parent`](#parent)", "**required** without `endpoint`"),
        ("streams", "primary_key", "a column name, or a list of them", "**required**"),
        ("streams", "fields", "a mapping of [columns](#fields)", "**required**"),
        ("fields", "type", "a column type, listed below", "`STRING`"),
    ],
)
def test_a_key_has_its_value_and_its_default(section: str, key: str, value: str, default: str) -> None:
    """As the file would write them."""
    assert f"| `{key}` | {value} | {default} |" in TEXTS[section]


def test_the_words_of_a_choice_are_explained() -> None:
    """Each below the table of its block."""
    for line in ("- `keep`: ", "- `full_refresh`: ", "- `soft_delete`: "):
        assert f"\n{line}" in TEXTS["streams"]
    assert "\n- `DECIMAL`: " in TEXTS["fields"]


def test_values_are_short() -> None:
    """A cell that does not fit one line is not read."""
    cells = re.findall(r"^\| `\w+` \| (.*?) \|", PAGE, re.MULTILINE)
    visible = [re.sub(r"\[(.*?)\]\(.*?\)", r"\1", cell) for cell in cells]
    assert max(map(len, visible)) <= 75, max(visible, key=len)


def test_the_introduction_is_true() -> None:
    """The schema exists, and the durations and sizes are valid."""
    schema = re.search(r"\$schema=(\S+)", INTRODUCTION[0])
    assert schema is not None
    assert (PROJECT / schema[1]).exists()
    spans_and_sizes = re.findall(r"`(\d+\w+)`", PAGE.partition("\n## The file\n")[0])
    assert len(spans_and_sizes) >= 8
    assert all(re.fullmatch(f"{DURATION}|{SIZE}", word) for word in spans_and_sizes)
