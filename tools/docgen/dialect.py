"""docs/dialect.md: every key of streams.yaml, from the declarations that read it.

Beside this module: the introduction, which is written by hand, and one example for each section. Tests validate all
their YAML.
"""

from __future__ import annotations

import inspect
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Final

import yaml

from engine.declare.blocks import Block, Key, Object, Union, keys_of, required_one_of
from engine.declare.values import (
    Boolean,
    Choice,
    Constant,
    Duration,
    Integer,
    JsonObject,
    MapOf,
    OneOrMore,
    Scalar,
    Size,
    Text,
    ValueType,
)
from engine.nouns import plural
from engine.spec.dialect import Spec
from tools.json_schema import default_of

_FOLDER: Final = Path(__file__).parent
_LONGEST_CHOICE: Final = 6
"""A choice of more words than this is listed below the table only."""


@dataclass(frozen=True)
class Section:
    """A section of the page: a block with its keys, or the styles that one of its keys chooses from."""

    title: str
    level: int
    about: type[Block] | Union

    @property
    def heading(self) -> str:
        """The title in Markdown. A title that is a key or a style is set as code."""
        return f"`{self.title}`" if self.title.islower() else self.title


def page() -> str:
    """The whole page, in Markdown."""
    return "\n".join([_text("introduction.md"), *_Page(sections(), examples()).sections_text()])


@cache
def examples() -> Mapping[str, str]:
    """The example of each section that is about a block, by the section's title: YAML from the top of a file."""
    found: dict[str, str] = yaml.safe_load(_text("examples.yaml"))
    return found


def sections() -> Sequence[Section]:
    """All sections, in the page's order: each block of the file, the blocks inside it, then the styles met there."""
    found = [Section("The file", 2, Spec)]
    unions: list[Union] = []

    def add(value_type: ValueType, name: str, level: int) -> None:
        match value_type:
            case OneOrMore(item=inner) | MapOf(value=inner):
                add(inner, name, level)
            case Object(block=block, is_inline=False) if all(section.about is not block for section in found):
                found.append(Section(name, level, block))
                for k in keys_of(block):
                    add(k.type, k.name, 3)
            case Union(noun=noun) if all(union.noun != noun for union in unions):
                unions.append(value_type)

    for k in keys_of(Spec):
        before = len(unions)
        add(k.type, k.name, 2)
        for union in unions[before:]:
            found.append(Section(plural(union.noun).capitalize(), 2, union))
            for style, block in union.blocks.items():
                add(Object(block), style, 3)
    return found


class _Page:
    def __init__(self, every: Sequence[Section], shown: Mapping[str, str]) -> None:
        self._sections = every
        self._examples = shown

    def sections_text(self) -> Iterator[str]:
        for section in self._sections:
            heading = f"{'#' * section.level} {section.heading}\n"
            if isinstance(section.about, Union):
                yield f"{heading}\n{''.join(self._styles(section.about))}"
            else:
                example = f"```yaml\n{self._examples[section.title]}```\n"
                yield f"{heading}\n{_description(section.about)}\n\n{example}\n{''.join(self._keys(section.about))}"

    def _styles(self, union: Union) -> Iterator[str]:
        first, *_ = union.blocks
        yield f"The key `style` chooses the {union.noun}, as in `{{style: {first}, ...}}`."
        if union.alone:
            yield f" A style with defaults for all its keys can be written as its name: {_listed(union.alone)}."
        yield "\n\n| Style | Meaning |\n| --- | --- |\n"
        for style, block in union.blocks.items():
            summary = re.split(r"(?<=\.)\s", _description(block), maxsplit=1)[0]
            yield f"| [`{style}`](#{style}) | {_cell(summary)} |\n"

    def _keys(self, block: type[Block]) -> Iterator[str]:
        if not keys_of(block):
            yield "No keys.\n"
            return
        yield "| Key | Value | Default | Meaning |\n| --- | --- | --- | --- |\n"
        for k in keys_of(block):
            cells = [f"`{k.name}`", self._value(k.type), _default(block, k), k.description]
            yield f"| {' | '.join(_cell(cell) for cell in cells)} |\n"
        for k in keys_of(block):
            if isinstance(k.type, Choice) and k.type.about:
                yield f"\nValues of `{k.name}`:\n\n"
                for word in k.type.choices:
                    yield f"- `{word}`: {k.type.about[word]}.\n"
                if k.type.other is not None:
                    yield f"- {k.type.other.words}.\n"

    def _value(self, value_type: ValueType) -> str:
        """What a value may be, in a few words, with a link to the section of a block."""
        match value_type:
            case Object(block=block, is_inline=True):
                others = (f"`{{{k.name}: ...}}`" for k in keys_of(block) if k.name != value_type.shorthand)
                return " or ".join([self._value(value_type.short.type), *others])
            case Object(block=block, shorthand=None):
                return self._link(block)
            case Object(block=block):
                return f"{self._value(value_type.short.type)}, or {self._link(block)}"
            case Union(words=words):
                return self._link(value_type, words)
            case OneOrMore(item=item):
                return f"{self._value(item)}, or a list of them"
            case MapOf(noun=noun, value=Object(block=block)):
                return f"a mapping of {self._link(block, plural(noun))}"
            case MapOf(noun=noun, value=value):
                return f"a mapping of {plural(noun)}, each {self._value(value)}"
            case Choice(noun=noun, choices=choices, other=other) if len(choices) > _LONGEST_CHOICE or other is not None:
                return f"{noun}, listed below"
            case Boolean() | Choice() | Constant() | Duration() | Integer() | JsonObject() | Scalar() | Size() | Text():
                return value_type.words
        raise TypeError(f"no words for {type(value_type).__name__}")

    def _link(self, about: type[Block] | Union, words: str | None = None) -> str:
        (section,) = (section for section in self._sections if _is_about(section, about))
        return f"[{words or section.heading}](#{section.title.lower().replace(' ', '-')})"


def _is_about(section: Section, about: type[Block] | Union) -> bool:
    if isinstance(section.about, Union) and isinstance(about, Union):
        return section.about.noun == about.noun  # the same styles, or some of them
    return section.about is about


def _text(name: str) -> str:
    return (_FOLDER / name).read_text("utf-8")


def _description(block: type[Block]) -> str:
    """The docstring of a block, each paragraph on one line."""
    paragraphs = inspect.cleandoc(block.__doc__ or "").split("\n\n")
    return "\n\n".join(" ".join(paragraph.split()) for paragraph in paragraphs)


def _default(block: type[Block], k: Key) -> str:
    if k.required:
        return "**required**"
    others = [name for name in required_one_of(block) if name != k.name]
    if k.name in required_one_of(block):
        return f"**required** without {_listed(others)}"
    default = default_of(k)
    if default is None:
        return ""
    return f"`{str(default).lower() if isinstance(default, bool) else default}`"


def _listed(words: Sequence[str]) -> str:
    return ", ".join(f"`{word}`" for word in words)


def _cell(text: str) -> str:
    return text.replace("|", "\\|")
