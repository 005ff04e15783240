"""Blocks: frozen dataclasses whose fields are keys of streams.yaml."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cache
from typing import Any, ClassVar, Protocol

import yaml

from engine.declare.node import INVALID, Node
from engine.declare.problems import nearest, suggestion
from engine.declare.values import Choice, ValueType


@dataclass(frozen=True)
class Key:
    """One key of a block, and the attribute that holds its value."""

    name: str
    attribute: str
    type: ValueType
    description: str
    required: bool
    default: Any
    default_text: str | None


def key(
    type: ValueType,  # noqa: A002
    description: str,
    *,
    default: Any = dataclasses.MISSING,
    default_text: str | None = None,
    name: str | None = None,
    secret: bool = False,
) -> Any:
    """A dataclass field that is a key of a block.

    Args:
        type: The type of its value.
        description: For editors and for the reference page.
        default: The value when the key is absent; a key without a default is required.
        default_text: The default in YAML, if it differs from the value.
        name: The key's name, if the attribute has another.
        secret: Keep the value out of the object's repr, and so out of tracebacks and crash reports.
    """
    metadata = {"key": (name, type, description, default_text)}
    if default == {}:  # dataclasses require a factory for mutable defaults
        return field(default_factory=dict, metadata=metadata, repr=not secret)
    return field(default=default, metadata=metadata, repr=not secret)


class Block(Protocol):
    """A dataclass of keys. Its docstring describes it in the schema and on the reference page.

    A ClassVar ``required_one_of`` lists keys, at least one of which must be given, or ``exactly_one_of``.
    """

    __dataclass_fields__: ClassVar[dict[str, Any]]
    __doc__: str | None


@cache
def keys_of(block: type[Block]) -> Sequence[Key]:
    """The keys of a block, in the order in which they are declared."""
    found = []
    for item in dataclasses.fields(block):
        if "key" not in item.metadata:
            continue  # set by the code, not by the file
        name, type_, description, default_text = item.metadata["key"]
        required = item.default is dataclasses.MISSING and item.default_factory is dataclasses.MISSING
        found.append(Key(name or item.name, item.name, type_, description, required, item.default, default_text))
    return found


def required_one_of(block: type[Block]) -> tuple[str, ...]:
    """The keys of a block, at least one of which must be given; empty if none has to."""
    return getattr(block, "required_one_of", ()) or exactly_one_of(block)


def exactly_one_of(block: type[Block]) -> tuple[str, ...]:
    """The keys of a block, one of which must be given, and only one; empty if there are none."""
    return getattr(block, "exactly_one_of", ())


@dataclass(frozen=True)
class Object:
    """A block. With ``shorthand``, a value that is not a mapping is read as that one key: ``id: $.id``.

    ``is_inline``: the reference page shows its keys where it is used, rather than in a section of its own.
    """

    block: type[Block]
    shorthand: str | None = None
    is_inline: bool = False

    def read(self, node: Node) -> Any:
        """Read a mapping of keys, or the shorthand. Mistakes are reported; INVALID takes their place."""
        if isinstance(node.yaml, yaml.MappingNode):
            return read_block(self.block, node)
        if self.shorthand is None:
            return node.problem(f"expected a mapping of keys, found {node.describe()}")
        value = self.short.type.read(node)
        return INVALID if value is INVALID else self.block(**{self.short.attribute: value})

    @property
    def short(self) -> Key:
        """The key that the shorthand stands for."""
        (only,) = (k for k in keys_of(self.block) if k.name == self.shorthand)
        return only


def read_block(block: type[Block], node: Node, *, besides: tuple[str, ...] = ()) -> Any:
    """Read a mapping as a block.

    Unknown and missing keys and wrong values are reported; INVALID takes the place of a value that is wrong or missing.

    Args:
        block: The dataclass.
        node: The mapping.
        besides: Keys to skip, because the caller reads them.
    """
    keys = {k.name: k for k in keys_of(block)}
    renamed = node.context.renamed.get(block.__name__, {})
    values: dict[str, Any] = {}
    meant: set[str | None] = set()
    for name, child in node.entries:
        if name in besides:
            continue
        if name in keys:
            values[keys[name].attribute] = keys[name].type.read(child)
        elif name in renamed:
            child.problem(f"this key is now called {renamed[name]}", at_key=True)
            now = keys.get(renamed[name])
            if now is not None:
                values[now.attribute] = now.type.read(child)
        elif node.yaml.start_mark.line == child.yaml.end_mark.line and child.type == "null":
            child.problem("unknown key; in { } a comma ends a string: put the text before it in quotes", at_key=True)
        else:
            meant.add(nearest(name, keys))
            child.problem(f"unknown key; {suggestion(name, dict.fromkeys([*besides, *keys]))}", at_key=True)
    for k in keys.values():
        if k.required and k.attribute not in values:
            values[k.attribute] = INVALID
            if k.name not in meant:
                node.problem(f'the key "{k.name}" is missing', at_key=True)
    either = required_one_of(block)
    if either and not {keys[name].attribute for name in either} & values.keys() and not meant & {*either}:
        node.problem(f'the key "{either[0]}" is missing', at_key=True)
    given = [name for name in exactly_one_of(block) if node.get(name) is not None]
    for name in given[1:]:
        node.at(name).problem(f'give either "{given[0]}" or "{name}"', at_key=True)
    return block(**values)


@dataclass(frozen=True)
class Union:
    """A block chosen by its ``style`` key: ``{style: offset, page_size: 50}``, or just ``offset`` for its defaults.

    Args:
        noun: The noun for a style, such as "pagination style".
        blocks: The block of each style. The set is closed.
        renamed: Former names of styles, with the current ones.
    """

    noun: str
    blocks: Mapping[str, type[Block]]
    renamed: Mapping[str, str] = field(default_factory=dict)

    def read(self, node: Node) -> Any:
        """Read a mapping with a style, or a style alone. Mistakes are reported; INVALID takes their place."""
        if isinstance(node.yaml, yaml.MappingNode):
            style = node.get("style")
            if style is None:
                return node.problem(f'the key "style" is missing; known: {", ".join(self.blocks)}', at_key=True)
            word = self._style.read(style)
            return INVALID if word is INVALID else read_block(self.blocks[word], node, besides=("style",))
        word = self._style.read(node)
        if word is INVALID:
            return INVALID
        block = self.blocks[word]
        missing = _required(block)
        if missing:
            return node.problem(f'{word} needs the key "{missing[0]}": {{style: {word}, {missing[0]}: ...}}')
        return block()

    def style_of(self, value: object) -> str:
        """The style of an object."""
        return next(word for word, block in self.blocks.items() if type(value) is block)

    @property
    def alone(self) -> tuple[str, ...]:
        """The styles that can be written as just their name, because they require no key."""
        return tuple(word for word, block in self.blocks.items() if not _required(block))

    @property
    def _style(self) -> Choice:
        return Choice(self.words, tuple(self.blocks), {}, self.renamed)

    @property
    def words(self) -> str:
        """The noun with its article: "a pagination style"."""
        return f"{'an' if self.noun[0] in 'aeiou' else 'a'} {self.noun}"


def _required(block: type[Block]) -> Sequence[str]:
    """The keys without which a block says nothing."""
    return [*(k.name for k in keys_of(block) if k.required), *required_one_of(block)]
