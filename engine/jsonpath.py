"""JSONPath expressions, compiled once into plain functions.

A path to a single place (``$.a.b``, ``$.a[0]``, ``$['a b']``) becomes a few lookups in dicts and lists, which cost a
tenth of a microsecond. Any other path is evaluated by jsonpath-ng, whose ``find`` costs two to four.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Final

Getter = Callable[[Any], Any]

PARENT: Final = "$parent"
"""The key under which a child record holds its parent record, so that ``$parent.id`` reaches into it."""

_STEP = re.compile(r"""\.([A-Za-z_][A-Za-z0-9_]*)|\[(\d+)\]|\['([^'\\]+)'\]|\["([^"\\]+)"\]""")


@dataclass(frozen=True)
class JsonPath:
    """A JSONPath and the function that reads it.

    ``get(record)`` returns the value at the path, or None if there is none. For a path that can match several places
    (``$.a[*].b``) it returns the list of matches, or None if nothing matched.

    ``key``: the name, if the path is a single name (``$.a``).
    """

    text: str
    get: Getter
    key: str | None = None

    def __repr__(self) -> str:
        return f"JsonPath({self.text!r})"

    def __eq__(self, other: object) -> bool:
        return isinstance(other, JsonPath) and other.text == self.text

    def __hash__(self) -> int:
        return hash(self.text)


def compile_path(text: str) -> JsonPath:
    """Compile a JSONPath.

    Raises:
        ValueError: it does not start with ``$``, or jsonpath-ng cannot parse it; the message quotes the path.

    >>> record = {"state": {"type": "COMPLETED"}, "tags": ["a", "b"], "$parent": {"id": 7}}
    >>> [compile_path(path).get(record) for path in ("$.state.type", "$.tags[1]", "$.nope.type", "$parent.id")]
    ['COMPLETED', 'b', None, 7]
    >>> compile_path("$.tags[*]").get(record)
    ['a', 'b']
    """
    if not text.startswith("$"):
        raise ValueError(f'expected a JSONPath, which starts with "$"; did you mean "$.{text}"?')
    if re.match(r"\$parent\b", text):
        return _of_parent(text)
    steps, plain = leading_steps(text)
    if not plain:
        return JsonPath(text, _general(text))
    return JsonPath(text, getter(steps), steps[0] if len(steps) == 1 and isinstance(steps[0], str) else None)


def _of_parent(text: str) -> JsonPath:
    below = f"${text[len(PARENT) :]}"
    steps, plain = leading_steps(below)
    if plain:
        return JsonPath(text, getter((PARENT, *steps)))
    get = _general(below, written=text)
    return JsonPath(text, lambda record: get(record.get(PARENT)))


def leading_steps(text: str) -> tuple[tuple[str | int, ...], bool]:
    """The names and indexes that a path starts with, and whether they are the whole path.

    >>> leading_steps("$.a[0].b")
    (('a', 0, 'b'), True)
    >>> leading_steps("$.a[*].b")
    (('a',), False)
    """
    steps: list[str | int] = []
    at = 1
    while at < len(text):
        match = _STEP.match(text, at)
        if match is None:
            return tuple(steps), False
        name, index, single, double = match.groups()
        steps.append(int(index) if index is not None else name or single or double)
        at = match.end()
    return tuple(steps), True


def getter(steps: tuple[str | int, ...]) -> Getter:
    """A function that follows names and indexes, and returns None if the record has no such place."""
    if not steps:
        return lambda record: record
    if len(steps) == 1 and isinstance(steps[0], str):
        only = steps[0]
        return lambda record: record.get(only) if isinstance(record, dict) else None

    def get(record: Any) -> Any:
        value = record
        for step in steps:
            if isinstance(step, str):
                if not isinstance(value, dict):
                    return None
                value = value.get(step)
            elif isinstance(value, list) and step < len(value):
                value = value[step]
            else:
                return None
        return value

    return get


def _general(text: str, written: str | None = None) -> Getter:
    """A function that reads a path with jsonpath-ng. ``written``: the path in streams.yaml, if ``text`` is its end."""
    from jsonpath_ng.ext.parser import parse  # slow to import, and rarely needed

    try:
        parsed = parse(text)
    except Exception as error:  # jsonpath-ng raises bare Exception for its syntax errors
        shown = written or text
        reason = _reason(" ".join(str(error).split()), len(shown) - len(text))
        raise ValueError(f'"{shown}" is not a JSONPath: {reason}') from None

    def get(record: Any) -> Any:
        return [match.value for match in parsed.find(record)] or None

    return get


def _reason(message: str, shift: int) -> str:
    """What jsonpath-ng reports, in plain words; ``shift`` is added to its positions.

    >>> _reason("Parse error at 1:3 near token ] (])", 0)
    'unexpected "]" at character 4'
    """
    if message.startswith("Parse error near the end of string"):
        return "it ends too early"
    if message.startswith("Unexpected EOF in string literal"):
        return "a quote is not closed"
    unexpected = re.match(r"Parse error at 1:(\d+) near token (.+) \(.+\)$", message) or re.match(
        r"Error on line 1, col (\d+): Unexpected character: (.+)$", message
    )
    return f'unexpected "{unexpected[2]}" at character {int(unexpected[1]) + 1 + shift}' if unexpected else message
