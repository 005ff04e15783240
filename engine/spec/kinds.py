"""How a key of streams.yaml is described: once, beside the code that uses it.

A block of the file (the api, a stream, a pagination style, ...) is a frozen dataclass whose fields are made with
:func:`key`. That one description checks the text, builds the object, and writes the JSON Schema for editors, so the
three cannot disagree. A kind says what one value may be; blocks, lists and named tables are kinds of kinds.

Values are read from positioned YAML nodes, and every mistake is collected with its place rather than raised.
"""

from __future__ import annotations

import dataclasses
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import timedelta
from functools import cache
from typing import Any, ClassVar, Final, Protocol

import yaml

from engine.spec.problems import Problem, nearest, suggestion
from engine.spec.yaml import scalar_type, scalar_value

Schema = dict[str, Any]

PLACEHOLDER: Final = re.compile(r"\$\{([^}]*)\}")


class _Invalid:
    """Stands for a value that was reported as wrong, so that the checks after it leave it alone."""

    def __repr__(self) -> str:
        return "INVALID"


INVALID: Final = _Invalid()


@dataclass
class Reader:
    """What is known while a file is read: the problems so far and the values that ``${name}`` stands for."""

    settings: Mapping[str, Any] | None = field(default=None, repr=False)  # secrets among them
    problems: list[Problem] = field(default_factory=list)
    used: list[tuple[str, str]] = field(default_factory=list)


@dataclass(frozen=True)
class Spot:
    """A node, the keypath that leads to it, and the key that it stands under."""

    reader: Reader
    node: yaml.Node
    path: str = ""
    key: yaml.Node | None = None

    def problem(self, message: str, *, at_key: bool = False) -> _Invalid:
        """Report a mistake here (or at the key that leads here) and answer with ``INVALID``."""
        mark = (self.key if at_key and self.key is not None else self.node).start_mark
        self.reader.problems.append(Problem(mark.line + 1, mark.column + 1, self.path, message))
        return INVALID

    def entries(self) -> Iterator[tuple[str, Spot]]:
        """The keys of a mapping, as written, and their values. Keys that are no words were reported before."""
        for key_node, value_node in self.node.value:
            if isinstance(key_node, yaml.ScalarNode):
                name = key_node.value
                path = f"{self.path}.{name}" if self.path else name
                yield name, Spot(self.reader, value_node, path, key_node)

    def at(self, name: str) -> Spot | None:
        """The value of a key of the mapping that stands here, if one does and has it."""
        return dict(self.entries()).get(name) if isinstance(self.node, yaml.MappingNode) else None

    def items(self) -> Iterator[Spot]:
        """The items of a list."""
        for index, node in enumerate(self.node.value):
            yield Spot(self.reader, node, f"{self.path}[{index}]")

    def described(self) -> str:
        """What stands here, in words for an error message, without the value of a long text."""
        kind = scalar_type(self.node)
        if kind in ("mapping", "list"):
            return f"a {kind}"
        if kind == "null":
            return "nothing"
        if kind == "timestamp":
            return f"the date {self.node.value} (in quotes it is text)"
        if kind == "str":
            text = self.node.value
            return f'"{text}"' if len(text) <= 60 else f"a text of {len(text)} characters"
        noun = {"int": "the number", "float": "the number", "bool": "the truth value"}[kind]
        return f"{noun} {self.node.value}"

    def filled(self) -> Spot | None:
        """The same spot with each ``${name}`` of its text replaced; None when a name is unknown (reported)."""
        node = self.node
        if not isinstance(node, yaml.ScalarNode) or not PLACEHOLDER.search(node.value):
            return self
        settings = self.reader.settings
        if settings is None:  # the configuration block itself is wrong and has said so
            return None
        names = PLACEHOLDER.findall(node.value)
        for name in names:
            if name not in settings:
                hint = suggestion(name, settings)
                self.problem(f"${{{name}}} is not declared under configuration; {hint}")
                return None
            if settings[name] is None:  # declared, but wrongly, which is reported there
                return None
            self.reader.used.append((self.path, name))
        if PLACEHOLDER.fullmatch(node.value) and isinstance(settings[names[0]], int):
            tag, text = "tag:yaml.org,2002:int", str(settings[names[0]])
        else:
            tag, text = "tag:yaml.org,2002:str", PLACEHOLDER.sub(lambda m: str(settings[m[1]]), node.value)
        filled = yaml.ScalarNode(tag, text, node.start_mark, node.end_mark)
        return dataclasses.replace(self, node=filled)


class Kind(Protocol):
    """What a value may be."""

    def read(self, spot: Spot) -> Any:
        """The value at ``spot``, or INVALID after reporting what is wrong with it."""

    def schema(self, definitions: dict[str, Schema]) -> Schema:
        """The JSON Schema of the value; shared pieces are put into ``definitions`` and referred to."""


@dataclass(frozen=True)
class Text:
    """Text, optionally of a form. ``expected`` names the form in messages: "a snake_case name"."""

    pattern: str | None = None
    expected: str = "text"
    convert: Callable[[str], Any] | None = None  # raises ValueError with the reason

    def read(self, spot: Spot) -> Any:
        filled = spot.filled()
        if filled is None:
            return INVALID
        if scalar_type(filled.node) != "str":
            return filled.problem(f"expected {self.expected}, found {filled.described()}")
        text: str = filled.node.value
        if self.pattern is not None and not re.fullmatch(self.pattern, text):
            # Of a text that came from the configuration nothing is repeated: it could be a secret.
            found = filled.described() if filled is spot else f"something else in {spot.node.value}"
            return spot.problem(f"expected {self.expected}, found {found}")
        if self.convert is None:
            return text
        try:
            return self.convert(text)
        except ValueError as error:
            return spot.problem(str(error))

    def schema(self, definitions: dict[str, Schema]) -> Schema:
        if self.pattern is None:
            return {"type": "string"}
        return {"type": "string", "pattern": rf"^({self.pattern})$|\$\{{"}


BODY_PATH: Final = Text(r"[A-Za-z_]\w*(\.[A-Za-z_]\w*)*", "names with dots between, such as runs.id.any_")


@dataclass(frozen=True)
class Integer:
    """A whole number within bounds, both inclusive."""

    minimum: int
    maximum: int | None = None

    def read(self, spot: Spot) -> Any:
        filled = spot.filled()
        if filled is None:
            return INVALID
        if not isinstance(filled.node, yaml.ScalarNode) or scalar_type(filled.node) != "int":
            return filled.problem(f"expected {self._expected()}, found {filled.described()}")
        number = scalar_value(filled.node)
        if number < self.minimum or (self.maximum is not None and number > self.maximum):
            return filled.problem(f"expected {self._expected()}, found {number}")
        return number

    def _expected(self) -> str:
        if self.maximum is None:
            return f"a whole number of at least {self.minimum}"
        return f"a whole number from {self.minimum} to {self.maximum}"

    def schema(self, definitions: dict[str, Schema]) -> Schema:
        schema: Schema = {"type": ["integer", "string"], "minimum": self.minimum, "pattern": r"^\$\{[^}]*\}$"}
        if self.maximum is not None:
            schema["maximum"] = self.maximum
        return schema


@dataclass(frozen=True)
class Boolean:
    """true or false."""

    def read(self, spot: Spot) -> Any:
        if not isinstance(spot.node, yaml.ScalarNode) or scalar_type(spot.node) != "bool":
            return spot.problem(f"expected true or false, found {spot.described()}")
        return scalar_value(spot.node)

    def schema(self, definitions: dict[str, Schema]) -> Schema:
        return {"type": "boolean"}


@dataclass(frozen=True)
class Word:
    """One of a few words. ``noun`` says what the word is: "a sync mode"."""

    noun: str
    words: tuple[str, ...]
    about: Mapping[str, str] = field(default_factory=dict)

    def read(self, spot: Spot) -> Any:
        filled = spot.filled()
        if filled is None:
            return INVALID
        if scalar_type(filled.node) != "str":
            return spot.problem(f"expected {self.noun} ({', '.join(self.words)}), found {filled.described()}")
        if filled.node.value not in self.words:
            hint = suggestion(filled.node.value, self.words)
            return spot.problem(f'"{filled.node.value}" is not {self.noun}; {hint}')
        return filled.node.value

    def schema(self, definitions: dict[str, Schema]) -> Schema:
        words: Schema = {"enum": list(self.words)}
        if self.about:
            words["markdownEnumDescriptions"] = [self.about.get(word, "") for word in self.words]
        return {"if": {"type": "string", "pattern": r"^\$\{[^}]*\}$"}, "then": {}, "else": words}


@dataclass(frozen=True)
class Number:
    """A fixed whole number, such as the version of the dialect."""

    value: int

    def read(self, spot: Spot) -> Any:
        if scalar_type(spot.node) != "int" or spot.node.value != str(self.value):
            return spot.problem(f"expected {self.value}, found {spot.described()}")
        return self.value

    def schema(self, definitions: dict[str, Schema]) -> Schema:
        return {"const": self.value}


DURATION: Final = r"\d+(?:ms|s|m|h|d)"
_UNITS = {"ms": "milliseconds", "s": "seconds", "m": "minutes", "h": "hours", "d": "days"}


def duration(text: str) -> timedelta:
    """A length of time from its text, which DURATION must match."""
    unit = text.lstrip("0123456789")
    return timedelta(**{_UNITS[unit]: int(text.removesuffix(unit))})


@dataclass(frozen=True)
class Duration:
    """A length of time, such as ``30s``; read as a :class:`datetime.timedelta`."""

    def read(self, spot: Spot) -> Any:
        if not isinstance(spot.node, yaml.ScalarNode) or not re.fullmatch(DURATION, spot.node.value):
            return spot.problem(f"expected a duration such as 500ms, 30s, 5m, 24h or 7d, found {spot.described()}")
        return duration(spot.node.value)

    def schema(self, definitions: dict[str, Schema]) -> Schema:
        return {"type": "string", "pattern": f"^{DURATION}$"}


SIZE: Final = r"\d+(?:KB|MB|GB)"


@dataclass(frozen=True)
class Size:
    """A number of bytes, such as ``64MB``; 1 KB is 1,024 bytes."""

    def read(self, spot: Spot) -> Any:
        if not isinstance(spot.node, yaml.ScalarNode) or not re.fullmatch(SIZE, spot.node.value):
            return spot.problem(f"expected a size such as 500KB or 64MB, found {spot.described()}")
        return int(spot.node.value[:-2]) * 1024 ** (1 + "KMG".index(spot.node.value[-2]))

    def schema(self, definitions: dict[str, Schema]) -> Schema:
        return {"type": "string", "pattern": f"^{SIZE}$"}


@dataclass(frozen=True)
class Json:
    """Data that is sent as it is: any YAML that is also JSON, with ``${name}`` replaced in its texts."""

    def read(self, spot: Spot) -> Any:
        node = spot.node
        if isinstance(node, yaml.MappingNode):
            return _all_valid({name: self.read(child) for name, child in spot.entries()})
        if isinstance(node, yaml.SequenceNode):
            return _all_valid([self.read(item) for item in spot.items()])
        if scalar_type(node) == "timestamp":
            return spot.problem("this is a date to YAML and JSON has none; put it in quotes")
        filled = spot.filled()
        if filled is None:
            return INVALID
        assert isinstance(filled.node, yaml.ScalarNode)
        return scalar_value(filled.node)

    def schema(self, definitions: dict[str, Schema]) -> Schema:
        return {}


@dataclass(frozen=True)
class JsonObject:
    """:class:`Json` that is a mapping at its top."""

    def read(self, spot: Spot) -> Any:
        if not isinstance(spot.node, yaml.MappingNode):
            return spot.problem(f"expected a mapping, found {spot.described()}")
        return Json().read(spot)

    def schema(self, definitions: dict[str, Schema]) -> Schema:
        return {"type": "object"}


@dataclass(frozen=True)
class OneOrMore:
    """A value, or a list of at least one; read as a tuple."""

    kind: Kind

    def read(self, spot: Spot) -> Any:
        if not isinstance(spot.node, yaml.SequenceNode):
            value = self.kind.read(spot)
            return INVALID if value is INVALID else (value,)
        if not spot.node.value:
            return spot.problem("expected at least one item, found an empty list")
        items = _all_valid([self.kind.read(item) for item in spot.items()])
        return items if items is INVALID else tuple(items)

    def schema(self, definitions: dict[str, Schema]) -> Schema:
        item = self.kind.schema(definitions)
        return {
            "if": {"type": "array"},
            "then": {"type": "array", "items": item, "minItems": 1},
            "else": item,
        }


@dataclass(frozen=True)
class Table:
    """Names and their values, such as the streams; read as a dict in the file's order."""

    noun: str
    kind: Kind
    name_pattern: str | None = None
    name_expected: str = "a name"
    may_be_empty: bool = False

    def read(self, spot: Spot) -> Any:
        if not isinstance(spot.node, yaml.MappingNode):
            return spot.problem(f"expected a mapping of {self.noun}s, found {spot.described()}")
        if not spot.node.value and not self.may_be_empty:
            return spot.problem(f"expected at least one {self.noun}")
        values: dict[str, Any] = {}
        for name, child in spot.entries():
            if self.name_pattern and not re.fullmatch(self.name_pattern, name):
                child.problem(f"a {self.noun} must be named with {self.name_expected}", at_key=True)
            values[name] = self.kind.read(child)
        return values  # with its invalid entries: the checks of the whole can still look at the others

    def schema(self, definitions: dict[str, Schema]) -> Schema:
        schema: Schema = {"type": "object", "additionalProperties": self.kind.schema(definitions)}
        if self.name_pattern:
            schema["propertyNames"] = {"pattern": f"^{self.name_pattern}$"}
        if not self.may_be_empty:
            schema["minProperties"] = 1
        return schema


def _all_valid(values: Any) -> Any:
    inner = values.values() if isinstance(values, dict) else values
    return INVALID if any(value is INVALID for value in inner) else values


# --- blocks: dataclasses whose fields are keys ------------------------------------------------------------------------


@dataclass(frozen=True)
class Key:
    """One key of a block, and the attribute that holds its value."""

    name: str
    attribute: str
    kind: Kind
    description: str
    required: bool
    default: Any
    default_text: str | None


def key(
    kind: Kind,
    description: str,
    *,
    default: Any = dataclasses.MISSING,
    default_text: str | None = None,
    name: str | None = None,
    secret: bool = False,
) -> Any:
    """A dataclass field that is a key of a block of streams.yaml.

    Args:
        kind: What its value may be.
        description: For editors and for the reference page.
        default: The value when the key is absent; a key without one is required.
        default_text: The default as the file would have it, where the value itself does not tell.
        name: The key's name where it is no Python name.
        secret: Keep the value out of the object's repr, hence out of traces and crash reports.
    """
    metadata = {"key": (name, kind, description, default_text)}
    if default == {}:  # dataclasses want a fresh one for each object
        return field(default_factory=dict, metadata=metadata, repr=not secret)
    return field(default=default, metadata=metadata, repr=not secret)


class Block(Protocol):
    """A dataclass of keys. It may have a static method ``check(values, spots)`` for what no single key can tell."""

    __dataclass_fields__: ClassVar[dict[str, Any]]
    __doc__: str | None


@cache
def keys_of(block: type[Block]) -> Sequence[Key]:
    """The keys of a block, in the order in which they are declared."""
    found = []
    for item in dataclasses.fields(block):
        if "key" not in item.metadata:
            continue  # filled by the code, not by the file
        name, kind, description, default_text = item.metadata["key"]
        required = item.default is dataclasses.MISSING and item.default_factory is dataclasses.MISSING
        found.append(Key(name or item.name, item.name, kind, description, required, item.default, default_text))
    return found


@dataclass(frozen=True)
class Record:
    """A block. With ``shorthand`` a value that is no mapping is taken for that one key: ``id: $.id``."""

    block: type[Block]
    shorthand: str | None = None

    def read(self, spot: Spot) -> Any:
        if not isinstance(spot.node, yaml.MappingNode):
            if self.shorthand is None:
                return spot.problem(f"expected a mapping of keys, found {spot.described()}")
            (only,) = (k for k in keys_of(self.block) if k.name == self.shorthand)
            value = only.kind.read(spot)
            return INVALID if value is INVALID else self.block(**{self.shorthand: value})
        return read_block(self.block, spot)

    def schema(self, definitions: dict[str, Schema]) -> Schema:
        name = self.block.__name__
        if name not in definitions:
            definitions[name] = {}  # a block may contain itself
            definitions[name] = block_schema(self.block, definitions)
        reference: Schema = {"$ref": f"#/$defs/{name}"}
        if self.shorthand is None:
            return reference
        (only,) = (k for k in keys_of(self.block) if k.name == self.shorthand)
        return {"if": {"type": "object"}, "then": reference, "else": only.kind.schema(definitions)}


def read_block(block: type[Block], spot: Spot, *, besides: tuple[str, ...] = ()) -> Any:
    """Read a mapping as a block: unknown and missing keys, each value, then what the block itself checks."""
    keys = {k.name: k for k in keys_of(block)}
    values: dict[str, Any] = {}
    spots: dict[str, Spot] = {"": spot}
    complete = True
    meant: set[str | None] = set()
    for name, child in spot.entries():
        if name in besides:
            continue
        if name not in keys:
            if spot.node.start_mark.line == child.node.end_mark.line and scalar_type(child.node) == "null":
                hint = "in { } a comma ends a text: put the text before it in quotes"
            else:
                meant.add(nearest(name, keys))
                hint = suggestion(name, [*besides, *keys])
            child.problem(f"unknown key; {hint}", at_key=True)
            continue
        values[name] = keys[name].kind.read(child)
        spots[name] = child
    for name in keys:
        if keys[name].required and name not in spots:
            complete = False
        if keys[name].required and name not in spots and name not in meant:
            spot.problem(f'the key "{name}" is missing', at_key=True)
    either = getattr(block, "either", ())
    if either and not spots.keys() & {*either} and not meant & {*either}:
        spot.problem(f'the key "{either[0]}" is missing', at_key=True)
    check: Callable[[dict[str, Any], dict[str, Spot]], None] | None = getattr(block, "check", None)
    valid = {name: value for name, value in values.items() if value is not INVALID}
    if check is not None:
        check(valid, spots)
    if not complete or len(valid) < len(values):
        return INVALID
    return block(**{keys[name].attribute: value for name, value in values.items()})


def _written(value: Any) -> Any:
    """A default as the file would have it; None for one that it could not have."""
    if isinstance(value, timedelta):
        units = (unit for unit in reversed(_UNITS) if value % duration(f"1{unit}") == timedelta(0))
        unit = next(units)
        return f"{value // duration(f'1{unit}')}{unit}"
    return value if isinstance(value, (str, int)) else None


def block_schema(block: type[Block], definitions: dict[str, Schema], besides: Schema | None = None) -> Schema:
    """The JSON Schema of a block, closed: no key that is not described."""
    properties: Schema = dict(besides or {})
    for k in keys_of(block):
        described: Schema = {"description": k.description, **k.kind.schema(definitions)}
        if not k.required and (default := k.default_text or _written(k.default)) not in (None, ""):
            described["default"] = default
        properties[k.name] = described
    schema: Schema = {"type": "object", "additionalProperties": False, "properties": properties}
    if block.__doc__:
        schema["description"] = " ".join(block.__doc__.split())
    required = [k.name for k in keys_of(block) if k.required]
    if required:
        schema["required"] = required
    if hasattr(block, "either"):
        schema["anyOf"] = [{"required": [name]} for name in block.either]
    return schema


@dataclass(frozen=True)
class Styles:
    """A block chosen by its ``style`` key: ``{style: offset, page_size: 50}``, or just ``offset`` for its defaults.

    A component registers under its YAML word with :meth:`register`; the word is the only place that names it.
    """

    noun: str
    blocks: dict[str, type[Block]] = field(default_factory=dict)

    def register(self, word: str) -> Callable[[type[Any]], type[Any]]:
        """Class decorator: makes a block the style that ``word`` names."""

        def enter(block: type[Any]) -> type[Any]:
            assert word not in self.blocks, word
            self.blocks[word] = block
            return block

        return enter

    def read(self, spot: Spot) -> Any:
        if isinstance(spot.node, yaml.MappingNode):
            style = next((child for name, child in spot.entries() if name == "style"), None)
            if style is None:
                return spot.problem(f'the key "style" is missing; known: {", ".join(self.blocks)}', at_key=True)
            word = self._word().read(style)
            return INVALID if word is INVALID else read_block(self.blocks[word], spot, besides=("style",))
        word = self._word().read(spot)
        if word is INVALID:
            return INVALID
        block = self.blocks[word]
        missing = [k.name for k in keys_of(block) if k.required]
        if missing:
            return spot.problem(f'{word} needs the key "{missing[0]}": {{style: {word}, {missing[0]}: ...}}')
        return block()

    def _word(self) -> Word:
        return Word(f"{'an' if self.noun[0] in 'aeiou' else 'a'} {self.noun}", tuple(self.blocks))

    def schema(self, definitions: dict[str, Schema]) -> Schema:
        alone = [w for w, b in self.blocks.items() if not any(k.required for k in keys_of(b))]
        branches: list[Schema] = []
        for word, block in self.blocks.items():
            name = f"{self.noun.title().replace(' ', '')}_{word}"
            definitions[name] = block_schema(block, definitions, {"style": {"const": word}})
            branches.append(
                {
                    "if": {"properties": {"style": {"const": word}}, "required": ["style"]},
                    "then": {"$ref": f"#/$defs/{name}"},
                }
            )
        return {
            "if": {"type": "object"},
            "then": {
                "required": ["style"],
                "properties": {"style": {"enum": list(self.blocks)}},
                "allOf": branches,
            },
            "else": {"enum": alone},
        }
