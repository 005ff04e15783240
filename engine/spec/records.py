"""Which records a response has: where they are in it, and which of them become rows."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar, Final

from engine.declare.blocks import key
from engine.declare.types import JSON_PATH
from engine.declare.values import Boolean, OneOrMore, Scalar
from engine.jsonpath import KEY, VALUE, JsonPath, compile_path

_FIRST = "Of several paths, the first that leads to one is used; a response of any other shape is a failure, never an "


@dataclass(frozen=True, kw_only=True)
class Records:
    """Where the records are in a response. A JSONPath alone is that of a list of objects, the usual case.

    With `map` and `values`, fields reach the value of a property or item as `$value`, and the name of a property as
    `$key`. If the value is an object, `$.name` reaches into it as usual.
    """

    required_one_of: ClassVar = ("list", "map", "values")

    list: tuple[JsonPath, ...] = key(
        OneOrMore(JSON_PATH),
        f"JSONPath of a list of objects. {_FIRST}empty page. A response without content (204), or with null in place "
        "of the list, has no records. With `{style: single, one: true}`, the path of the one record.",
        default=(),
    )
    map: tuple[JsonPath, ...] = key(
        OneOrMore(JSON_PATH),
        "JSONPath of an object whose properties are the records: `{EUR: 1.07, GBP: 1.26}` is two of them.",
        default=(),
    )
    values: tuple[JsonPath, ...] = key(
        OneOrMore(JSON_PATH), 'JSONPath of a list of plain values, such as `["red", "blue"]`.', default=()
    )

    absent_if_empty: bool = key(
        Boolean(),
        "Whether the server leaves them out of a response if there are none, as in `{}`. A response that has other "
        "records instead is a failure.",
        default=False,
    )

    @property
    def paths(self) -> tuple[JsonPath, ...]:
        """The paths, whatever is at them."""
        return self.list or self.map or self.values

    def at(self, found: Any) -> Sequence[Any] | None:
        """The records that are found at a path; None if something else is there. Items of a list can be anything."""
        if self.map:
            return [_entry(value, {KEY: name}) for name, value in found.items()] if isinstance(found, dict) else None
        if not isinstance(found, list):
            return None
        return [_entry(value, {}) for value in found] if self.values else found

    @property
    def noun(self) -> str:
        """What is at a path, for messages."""
        return "object" if self.map else "list" if self.values else "list of records"


WHOLE: Final = Records(list=(compile_path("$"),))
"""The whole response is the list."""


def _entry(value: Any, beside: Mapping[str, Any]) -> dict[str, Any]:
    """A record of a value that has no record of its own."""
    return {**(value if isinstance(value, dict) else {}), **beside, VALUE: value}


@dataclass(frozen=True, kw_only=True)
class Condition:
    """A condition that a record must fulfill to count, such as to become a row. A missing value counts as null.

    If the path leads to several values, one that matches `is` is enough, and none may match `not`.
    """

    required_one_of: ClassVar = ("is", "not")

    path: JsonPath = key(JSON_PATH, "JSONPath of the value.")
    is_: tuple[Any, ...] = key(OneOrMore(Scalar()), "The value must be this, or one of these.", default=(), name="is")
    not_: tuple[Any, ...] = key(
        OneOrMore(Scalar()), "The value must not be this, nor any of these.", default=(), name="not"
    )

    def holds(self, record: Any) -> bool:
        """Whether a record fulfills the condition."""
        return fits(values_at(self.path, record), self.is_, self.not_)


def values_at(path: JsonPath, document: Any) -> Sequence[Any]:
    """The one value at a path or, if it can lead to several, all of them."""
    found = path.get(document)
    return found if isinstance(found, list) and not path.is_single else [found]


def fits(found: Sequence[Any], is_: Sequence[Any], not_: Sequence[Any]) -> bool:
    """Whether one of these values is wanted, if any is, and none is unwanted. No value at all counts as null."""
    values = found or [None]
    wanted = not is_ or any(_equal(value, one) for value in values for one in is_)
    return wanted and not any(_equal(value, one) for value in values for one in not_)


def _equal(one: Any, other: Any) -> bool:
    """Whether two JSON values are equal. Unlike in Python, true is no number."""
    return isinstance(one, bool) == isinstance(other, bool) and bool(one == other)
