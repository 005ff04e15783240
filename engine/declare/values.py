"""Value types: what a value in streams.yaml can be.

A value type reads a YAML node. It reports mistakes with their places instead of raising, so that all mistakes of a file
are found at once. Lists, mappings and blocks (:mod:`engine.declare.blocks`) are value types made of value types. All
others have ``words`` that describe what they accept: "an integer from 1 to 38".
"""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any, Final, Protocol

import yaml

from engine.declare.node import INVALID, PLACEHOLDER, Node
from engine.declare.problems import suggestion
from engine.declare.yaml import scalar_value


class ValueType(Protocol):
    """A type of values."""

    def read(self, node: Node) -> Any:
        """The value at a node; INVALID, and a reported mistake, if it has another type."""


@dataclass(frozen=True)
class Text:
    """A string, optionally of a given form.

    Args:
        pattern: The form, as a regular expression that the whole string matches.
        expected: The form in words, for messages: "a date, such as 2024-05-01".
        convert: Makes the value of the string. Raises ValueError with the reason if it cannot.
        noun: The form in a few words, for the reference page, if ``expected`` has more: "a method and a path".
        may_be_date: Whether it can be what YAML takes for a date.
        needs_all: Whether the string is empty (with ``convert``, None) if a setting in it is: `Token ${api_key}`.
    """

    pattern: str | None = None
    expected: str = "a string"
    convert: Callable[[str], Any] | None = None
    noun: str | None = None
    needs_all: bool = False
    may_be_date: bool = False

    def read(self, node: Node) -> Any:
        filled = node.filled()
        if filled is None:
            return INVALID
        if filled.type != "str" and not (self.may_be_date and filled.type == "timestamp"):
            return filled.problem(f"expected {self.expected}, found {filled.describe()}")
        text: str = filled.yaml.value
        if self.needs_all and "" in node.settings.values():
            return "" if self.convert is None else None
        if self.pattern is not None and not re.fullmatch(self.pattern, text):
            return node.problem(f"expected {self.expected}, found {filled.describe()}{_remedy(node)}")
        if self.convert is None:
            return text
        try:
            return self.convert(text)
        except ValueError as error:
            described = f"expected {self.expected}, found {filled.describe()}{_remedy(node)}"
            return node.problem(str(error) if filled is node else described)

    @property
    def words(self) -> str:
        return self.noun or self.expected


def _remedy(node: Node) -> str:
    """What to do about a value from settings: if their own patterns reject it, no connection runs into it."""
    names = [f"configuration.{name}" for name in node.settings]
    if not names:
        return ""
    return f"; give {' and '.join(names)} a pattern that lets nothing else through"


@dataclass(frozen=True)
class Integer:
    """An integer within bounds, both inclusive."""

    minimum: int
    maximum: int | None = None

    def read(self, node: Node) -> Any:
        filled = node.filled()
        if filled is None:
            return INVALID
        if not isinstance(filled.yaml, yaml.ScalarNode) or filled.type != "int":
            return filled.problem(f"expected {self.words}, found {filled.describe()}")
        number = scalar_value(filled.yaml)
        if number < self.minimum or (self.maximum is not None and number > self.maximum):
            found = str(number) if filled is node else filled.describe()
            return filled.problem(f"expected {self.words}, found {found}")
        return number

    @property
    def words(self) -> str:
        if self.maximum is None:
            return f"an integer of at least {self.minimum}"
        return f"an integer from {self.minimum} to {self.maximum}"


@dataclass(frozen=True)
class Boolean:
    """true or false."""

    words = "`true` or `false`"

    def read(self, node: Node) -> Any:
        if not isinstance(node.yaml, yaml.ScalarNode) or node.type != "bool":
            return node.problem(f"expected true or false, found {node.describe()}")
        return scalar_value(node.yaml)


@dataclass(frozen=True)
class Choice:
    """One of a few words.

    Args:
        noun: The noun for such a word, with its article: "a sync mode".
        choices: The words.
        about: The meaning of each word, for the reference page.
        renamed: Former words, with the current ones.
        other: What else is accepted.
    """

    noun: str
    choices: tuple[str, ...]
    about: Mapping[str, str] = field(default_factory=dict)
    renamed: Mapping[str, str] = field(default_factory=dict)
    other: Text | None = None

    def read(self, node: Node) -> Any:
        filled = node.filled()
        if filled is None:
            return INVALID
        if filled.type != "str":
            return node.problem(f"expected {self.noun} ({', '.join(self.choices)}), found {filled.describe()}")
        word = filled.yaml.value
        if word in self.choices:
            return word
        if self.other is not None and re.fullmatch(self.other.pattern or "", word):
            return self.other.read(node)
        if filled is not node:
            return node.problem(f"expected {self.noun} ({', '.join(self.choices)}), found {filled.describe()}")
        if word in self.renamed:
            return node.problem(f'"{word}" is now called {self.renamed[word]}')
        known = suggestion(word, self.choices)
        if self.other is not None and known.startswith("known"):
            known += f", or {self.other.expected}"
        return node.problem(f'"{word}" is not {self.noun}; {known}')

    @property
    def words(self) -> str:
        words = f"one of {', '.join(f'`{word}`' for word in self.choices)}"
        return words if self.other is None else f"{words}, or {self.other.words}"


@dataclass(frozen=True)
class Constant:
    """A fixed integer, such as the version of the dialect."""

    value: int

    def read(self, node: Node) -> Any:
        if node.type != "int" or node.yaml.value != str(self.value):
            return node.problem(f"expected {self.value}, found {node.describe()}")
        return self.value

    @property
    def words(self) -> str:
        return f"`{self.value}`"


DURATION: Final = (
    r"(?:[0-9]{1,9}ms|[0-9]{1,8}s|[0-9]{1,8}m|[0-9]{1,6}h|[0-9]{1,5}d)"  # at most 273 years, which a date can go back
)
_UNITS = {"ms": "milliseconds", "s": "seconds", "m": "minutes", "h": "hours", "d": "days"}


def duration(text: str) -> timedelta:
    """Parse a duration, which must match DURATION.

    >>> duration("90s")
    datetime.timedelta(seconds=90)
    """
    unit = text.lstrip("0123456789")
    return timedelta(**{_UNITS[unit]: int(text.removesuffix(unit))})


def duration_text(span: timedelta) -> str:
    """A duration as the file writes it, in its largest whole unit.

    >>> duration_text(timedelta(minutes=120))
    '2h'
    """
    unit = next(unit for unit in reversed(_UNITS) if span % duration(f"1{unit}") == timedelta(0))
    return f"{span // duration(f'1{unit}')}{unit}"


@dataclass(frozen=True)
class Duration:
    """A duration, such as ``30s``; read as a :class:`datetime.timedelta`. With ``positive``, 0 is a mistake."""

    positive: bool = False

    words = "a duration"
    pattern = DURATION
    expected = "a duration such as 500ms, 30s, 5m, 24h or 7d"

    def read(self, node: Node) -> Any:
        filled = node.filled()
        if filled is None:
            return INVALID
        if not isinstance(filled.yaml, yaml.ScalarNode) or not re.fullmatch(DURATION, filled.yaml.value):
            return node.problem(f"expected {self.expected}, found {filled.describe()}")
        span = duration(filled.yaml.value)
        if self.positive and not span:
            return node.problem(f"expected a duration longer than 0, found {node.describe()}")
        return span


SIZE: Final = r"[1-9][0-9]{0,8}(?:KB|MB|GB)"


@dataclass(frozen=True)
class Size:
    """A number of bytes, such as ``64MB``; 1 KB is 1,024 bytes."""

    words = "a size"
    pattern = SIZE
    expected = "a size such as 500KB or 64MB"

    def read(self, node: Node) -> Any:
        if not isinstance(node.yaml, yaml.ScalarNode) or not re.fullmatch(SIZE, node.yaml.value):
            return node.problem(f"expected {self.expected}, found {node.describe()}")
        return int(node.yaml.value[:-2]) * 1024 ** (1 + "KMG".index(node.yaml.value[-2]))


JsonValue = None | bool | int | float | str | Sequence["JsonValue"] | Mapping[str, "JsonValue"]


@dataclass(frozen=True)
class Json:
    """Data to send: any YAML that is also JSON, with ``${name}`` replaced in its strings.

    With ``has_variables``, a ``$`` in a setting is no variable: it is written ``$$``.
    """

    has_variables: bool = False

    words = "any JSON value"

    def read(self, node: Node) -> Any:
        if isinstance(node.yaml, yaml.MappingNode):
            return {name: self.read(child) for name, child in node.entries}
        if isinstance(node.yaml, yaml.SequenceNode):
            return [self.read(item) for item in node.items()]
        if node.type == "timestamp":
            return node.problem("YAML reads this as a date, which JSON does not have; put it in quotes")
        filled = node.filled()
        if filled is None:
            return INVALID
        assert isinstance(filled.yaml, yaml.ScalarNode)
        value = scalar_value(filled.yaml)
        if self.has_variables and filled is not node and isinstance(value, str):
            value = PLACEHOLDER.sub(lambda name: str(node.settings[name[1]]).replace("$", "$$"), node.yaml.value)
        if isinstance(value, float) and not math.isfinite(value):
            return node.problem(f"JSON has no number {node.yaml.value}")
        return value


@dataclass(frozen=True)
class Scalar:
    """:class:`Json` that is no mapping and no list."""

    words = "a string, a number, a boolean or null"

    def read(self, node: Node) -> Any:
        if not isinstance(node.yaml, yaml.ScalarNode):
            return node.problem(f"expected {self.words}, found {node.describe()}")
        return Json().read(node)


@dataclass(frozen=True)
class JsonObject:
    """:class:`Json` that is a mapping."""

    has_variables: bool = False

    words = "a mapping"

    def read(self, node: Node) -> Any:
        if not isinstance(node.yaml, yaml.MappingNode):
            return node.problem(f"expected a mapping, found {node.describe()}")
        return Json(self.has_variables).read(node)


@dataclass(frozen=True)
class OneOrMore:
    """A value, or a list of at least one; always read as a tuple."""

    item: ValueType

    def read(self, node: Node) -> Any:
        if not isinstance(node.yaml, yaml.SequenceNode):
            value = self.item.read(node)
            return INVALID if value is INVALID else (value,)
        if not node.yaml.value:
            return node.problem("expected at least one item, found an empty list")
        return tuple(self.item.read(item) for item in node.items())


@dataclass(frozen=True)
class MapOf:
    """A mapping of names to values, such as the streams; read as a dict in the file's order."""

    noun: str
    value: ValueType
    name_pattern: str | None = None
    name_expected: str = "a name"
    may_be_empty: bool = False

    def read(self, node: Node) -> Any:
        if not isinstance(node.yaml, yaml.MappingNode):
            return node.problem(f"expected a mapping of {self.noun}s, found {node.describe()}")
        if not node.yaml.value and not self.may_be_empty:
            return node.problem(f"expected at least one {self.noun}")
        values: dict[str, Any] = {}
        for name, child in node.entries:
            if self.name_pattern and not re.fullmatch(self.name_pattern, name):
                child.problem(f"a {self.noun} must be named with {self.name_expected}", at_key=True)
            values[name] = self.value.read(child)
        return values
