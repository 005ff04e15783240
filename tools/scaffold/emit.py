"""Write parts of streams.yaml: lines of keys and values, with comments, as YAML text.

PyYAML writes every key and value, so quotes and escapes are always right, but it cannot write comments. So each line is
written on its own, and this module adds the comments and the indentation.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TypeAlias

import yaml

from engine.declare.blocks import Block, keys_of
from engine.declare.response import ResponsePlace
from engine.declare.types import Endpoint
from engine.jsonpath import JsonPath

Value: TypeAlias = (
    str | int | bool | Endpoint | JsonPath | ResponsePlace | Sequence["Value"] | Mapping[str, "Value"] | None
)
"""What stands after a key. Mappings and lists are written in flow style: ``{path: $.id, type: INT}``."""


@dataclass(frozen=True)
class Line:
    """A key and its value, and a comment at the end of the line."""

    key: str
    value: Value
    comment: str = ""


@dataclass(frozen=True)
class Comment:
    """A comment on a line of its own, and the lines that it offers, commented out."""

    text: str
    offer: Sequence[Line] = ()


@dataclass(frozen=True)
class Section:
    """A key, and below it parts that are indented."""

    key: str
    parts: Sequence[Line | Comment | Section]


def to_yaml(part: Line | Comment | Section, indent: str = "") -> str:
    """A part as YAML text, each line of which begins with an indent and ends with a line break.

    Raises:
        yaml.representer.RepresenterError: a value has another type than :data:`Value`.
    """
    return "".join(f"{indent}{line}\n" for line in _lines(part))


def without_defaults(block: Block) -> dict[str, Value]:
    """The keys of a block that do not have their default, with their values. The only mutable default is ``{}``."""
    values = {key: getattr(block, key.attribute) for key in keys_of(type(block))}
    return {key.name: value for key, value in values.items() if value not in (key.default, {})}


def _lines(part: Line | Comment | Section) -> Iterator[str]:
    if isinstance(part, Section):
        yield from _pair(part.key, None)
        for inner in part.parts:
            yield from (f"  {line}" for line in _lines(inner))
    elif isinstance(part, Comment):
        yield f"# {_one_line(part.text)}"
        for offered in part.offer:
            yield from (f"#   {line}" for line in _lines(offered))
    else:
        *before, last = _pair(part.key, part.value)
        yield from before
        yield f"{last} # {_one_line(part.comment)}" if part.comment else last


def _one_line(text: str) -> str:
    """A comment without the characters that would end it or that YAML forbids: parts may come from a document."""
    return "".join(character for character in " ".join(text.split()) if character.isprintable())


class _Pair(dict[str, Value]):
    """A mapping of one key, written without braces."""


class _Dumper(yaml.SafeDumper):
    """Quotes a scalar only if YAML needs quotes, and then with double quotes."""

    def choose_scalar_style(self) -> str:
        style = super().choose_scalar_style()
        return '"' if style == "'" else style

    def ignore_aliases(self, data: object) -> bool:
        return True


_Dumper.add_representer(_Pair, lambda dumper, pair: dumper.represent_mapping("tag:yaml.org,2002:map", pair, False))
_Dumper.add_representer(type(None), lambda dumper, _: dumper.represent_scalar("tag:yaml.org,2002:null", ""))
_Dumper.add_representer(Endpoint, lambda dumper, endpoint: dumper.represent_str(str(endpoint)))
_Dumper.add_representer(JsonPath, lambda dumper, path: dumper.represent_str(path.text))
_Dumper.add_representer(
    ResponsePlace, lambda dumper, place: dumper.represent_data(place.path or {"header": place.header})
)


def _pair(key: str, value: Value) -> list[str]:
    """A key and its value on one line, or on two (``? key``, ``: value``) if the key is very long."""
    text: str = yaml.dump(
        _Pair({key: value}),
        Dumper=_Dumper,
        default_flow_style=True,
        width=math.inf,
        allow_unicode=True,
        sort_keys=False,
    )
    return text.removesuffix("\n").split("\n")
