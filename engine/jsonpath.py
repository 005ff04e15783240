"""JSONPath expressions, compiled once into plain functions.

A path to a single place (``$.a.b``, ``$.a[-1]``, ``$['a b']``) becomes a few lookups in dicts and lists, which cost a
tenth of a microsecond, however it is spelled. Any other path is evaluated by jsonpath-ng, whose ``find`` costs two to
four.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from functools import cache
from typing import Any, Final

Getter = Callable[[Any], Any]

PARENT: Final = "$parent"
"""The key under which a child record holds its parent record, so that ``$parent.id`` reaches into it."""

KEY: Final = "$key"
"""The key under which a record made of an object's property holds the property's name."""

VALUE: Final = "$value"
"""The key under which a record made of a property or of a plain value holds that value."""

_BESIDE: Final = re.compile(r"\$(?:parent|key|value)\b")

_STEP = re.compile(r"""\.(\$parent\b|[A-Za-z_][A-Za-z0-9_]*)|\[(-?[0-9]{1,9})\]|\['([^'\\]+)'\]|\["([^"\\]+)"\]""")
_ESCAPE = re.compile(r"""\\[^'"\\]""")
_NAME = re.compile(r"""\.(?:[^\s.\[\]()*,:'"`|&$?]+ ?)+(?<! )""")
_UNQUOTED = (r"col (\d+): Unexpected character", r"at 1:(\d+) near token \w+ \((?:ID|WHERE|WHERENOT|BOOL)\)")
_ODATA = re.compile(r"\.(@odata\.\w+)")  # names of OData have a dot in them
_QUOTED = re.compile(r"""'[^']*'|"[^"]*\"""")
_COMPARES_WITH_NULL = re.compile(r"[=!]=\s*null\b")
_LENGTH_MAX = 1000  # characters

Steps = tuple[str | int, ...]
"""The names and indexes that lead to a single place."""


@dataclass(frozen=True)
class JsonPath:
    """A JSONPath and the function that reads it.

    ``get(record)`` returns the value at the path, or None if there is none. For a path that can match several places
    (``$.a[*].b``) it returns the list of matches, which is empty if the list that it goes through has none, and None if
    there is no such list. Which of both holds is a matter of what the path means, not of how it is spelled.

    ``key``: the name, if the path is a single name (``$.a``). ``is_single``: whether it matches at most one place.
    ``chooses``: whether it does so if each condition in it (``$.a[?(@.b == 1)].c``) holds for one item.
    """

    text: str
    get: Getter
    key: str | None = None
    is_single: bool = True
    chooses: bool = False

    def one(self, record: Any) -> Any:
        """What :attr:`get` returns. Of a path that chooses, its one match instead of a list, and None for no match.

        >>> path = compile_path("$.links[?(@.rel == 'next')].href")
        >>> path.one({"links": [{"rel": "self", "href": "/1"}, {"rel": "next", "href": "/2"}]})
        '/2'
        """
        found = self.get(record)
        if self.chooses and isinstance(found, list) and len(found) < 2:
            return found[0] if found else None
        return found

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
    if len(text) > _LENGTH_MAX:
        raise ValueError(f"a JSONPath has at most {_LENGTH_MAX} characters, this one has {len(text)}")
    beside = _BESIDE.match(text)
    if beside is not None:
        return _beside(beside[0], text)
    steps, get, is_single, chooses = _compiled(text, text)
    name = steps[0] if steps and len(steps) == 1 and isinstance(steps[0], str) else None
    return JsonPath(text, get, name, is_single, chooses)


def _beside(name: str, text: str) -> JsonPath:
    """A path into what a record holds beside its own properties."""
    steps, get, is_single, chooses = _compiled(f"${text[len(name) :]}", text)
    if steps is not None:
        return JsonPath(text, getter((name, *steps)))
    return JsonPath(text, lambda record: get(record.get(name)), is_single=is_single, chooses=chooses)


def leading_steps(text: str) -> tuple[Steps, bool]:
    """The names and indexes that a path starts with, and whether they are the whole path.

    >>> leading_steps("$.a[0].b")
    (('a', 0, 'b'), True)
    >>> leading_steps("$.a . team-name[ -1 ]")
    (('a', 'team-name', -1), True)
    >>> leading_steps("$.a[*].b")
    (('a',), False)
    """
    steps, plain = _plain_steps(text)
    if plain or _BESIDE.match(text):
        return steps, plain
    place = _place(_parsed(text, text))
    return (steps, False) if place is None else (place, True)


def _plain_steps(text: str) -> tuple[Steps, bool]:
    """As :func:`leading_steps`, of the usual spellings only: these need no parser."""
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


def getter(steps: Steps) -> Getter:
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
            elif isinstance(value, list) and -len(value) <= step < len(value):
                value = value[step]
            else:
                return None
        return value

    return get


def _compiled(text: str, written: str) -> tuple[Steps | None, Getter, bool, bool]:
    """The steps of a path of names and indexes, the function that reads the path, whether it is single, or chooses.

    ``written``: the path in streams.yaml, of which ``text`` can be the end.
    """
    steps, plain = _plain_steps(text)
    if plain:
        return steps, getter(steps), True, False
    parsed = _parsed(text, written)
    place = _place(parsed)
    if place is not None:
        return place, getter(place), True, False
    is_single = _is_single(parsed)
    return None, _finder(parsed), is_single, not is_single and _is_single(parsed, but_for_conditions=True)


@cache
def _parser() -> Any:
    """The parser of jsonpath-ng, which takes ten milliseconds to make its tables; most specs need none."""
    from jsonpath_ng.ext.parser import ExtendedJsonPathParser

    return ExtendedJsonPathParser()


def _parsed(text: str, written: str) -> Any:
    """What jsonpath-ng makes of a path.

    Raises:
        ValueError: it cannot parse the path, or parses it as something else than what is written.
    """
    try:
        parsed = _parser().parse(re.sub(r"\.\$parent\b", "['$parent']", text))
    except Exception as error:  # jsonpath-ng raises bare Exception for its syntax errors
        shift = len(written) - len(text)
        reason = _reason(" ".join(str(error).split()), shift) + _right_spelling(text, str(error))
        raise ValueError(f'"{written}" is not a JSONPath: {reason}') from None
    odata = _ODATA.search(text)
    if odata:
        spelled = f"{text[: odata.start()]}['{odata[1]}']"
        raise ValueError(f'"{written}" is not a JSONPath: a dot ends a name; this name is written {spelled}')
    wrong = _unusable(parsed)
    if wrong:
        raise ValueError(f'"{written}" is not a JSONPath: {wrong}')
    escape = _ESCAPE.search(text)
    if escape and _place(parsed) is not None:
        raise ValueError(f'"{written}" is not a JSONPath: {escape[0]} is no escape; write the character itself')
    if _COMPARES_WITH_NULL.search(_QUOTED.sub("''", text)):
        _compare_with_null(parsed)
    return parsed


def _compare_with_null(parsed: Any) -> None:
    """Let conditions compare with null where jsonpath-ng reads the string ``"null"``."""
    from jsonpath_ng.ext.filter import Filter

    waiting = [parsed]
    while waiting:
        part = waiting.pop()
        if isinstance(part, Filter):
            for expression in part.expressions:
                expression.value = None if expression.value == "null" else expression.value
        elif hasattr(part, "left"):
            waiting += [part.left, part.right]


def _unusable(parsed: Any) -> str:
    """Why a parsed path cannot be what is meant; empty if it can. jsonpath-ng reads ``$.a|$.b`` as ``$.(a|$).b``."""
    from jsonpath_ng.ext.arithmetic import Operation
    from jsonpath_ng.ext.filter import Filter
    from jsonpath_ng.jsonpath import Intersect, Root

    waiting = [(parsed, True)]  # each part, and whether it is where a path starts
    while waiting:
        part, at_start = waiting.pop()
        if isinstance(part, Root) and not at_start:
            return '"$" can only start a path; several paths are a list, such as [$.a, $.b]'
        if isinstance(part, Intersect):
            return '"&" joins conditions only'
        if isinstance(part, Filter):
            waiting += [(expression.target, False) for expression in part.expressions]
        elif hasattr(part, "left"):
            waiting += [(part.left, at_start), (part.right, at_start and isinstance(part, Operation))]
    return ""


def _place(parsed: Any) -> Steps | None:
    """The steps to the single place that a parsed path names; None if it has more than names and indexes."""
    from jsonpath_ng.jsonpath import Child, Fields, Index, Root

    if isinstance(parsed, Root):
        return ()
    if isinstance(parsed, Child):
        left, right = _place(parsed.left), None if isinstance(parsed.right, Root) else _place(parsed.right)
        return None if left is None or right is None else (*left, *right)
    if isinstance(parsed, Fields) and len(parsed.fields) == 1 and parsed.fields[0] != "*":
        return (str(parsed.fields[0]),)
    if isinstance(parsed, Index) and len(parsed.indices) == 1:
        return (int(parsed.indices[0]),)
    return None


def _is_single(parsed: Any, *, but_for_conditions: bool = False) -> bool:
    """Whether a parsed path has at most one match, whatever the record: a place, or a function of single places."""
    from jsonpath_ng.ext.arithmetic import Operation
    from jsonpath_ng.ext.filter import Filter
    from jsonpath_ng.ext.iterable import Len, Path
    from jsonpath_ng.jsonpath import Child, Fields, Index, JSONPath, Parent, Root, This

    if isinstance(parsed, (Child, Operation)):
        return all(_is_single(one, but_for_conditions=but_for_conditions) for one in (parsed.left, parsed.right))
    if isinstance(parsed, Filter):
        return but_for_conditions
    if isinstance(parsed, (Fields, Index)):
        return _place(parsed) is not None
    return isinstance(parsed, (Root, This, Parent, Len, Path)) or not isinstance(parsed, JSONPath)


def _with_items(parsed: Any) -> Any:
    """A parsed path in which ``.*`` and ``[*]`` match the values of objects and the items of lists (RFC 9535).

    In jsonpath-ng, one matches the former only, the other also a value that is no list, and indexes fail on such.
    """
    from jsonpath_ng.jsonpath import Fields, Index, Slice, Union

    for side in ("left", "right"):
        if hasattr(parsed, side):
            setattr(parsed, side, _with_items(getattr(parsed, side)))
    if _is_all(parsed):
        return Union(Fields("*"), _ItemsOf(Slice()))
    return _ItemsOf(parsed) if isinstance(parsed, (Slice, Index)) else parsed


def _is_all(parsed: Any) -> bool:
    """Whether a part of a parsed path is ``.*`` or ``[*]``."""
    from jsonpath_ng.jsonpath import Fields, Slice

    return (isinstance(parsed, Fields) and parsed.fields == ("*",)) or parsed == Slice()


class _ItemsOf:
    """A part of a parsed path that matches in lists only."""

    def __init__(self, part: Any) -> None:
        self._part = part

    def find(self, datum: Any) -> Any:
        return self._part.find(datum) if isinstance(datum.value, list) else []


def _finder(parsed: Any) -> Getter:
    """A function that reads a path with jsonpath-ng. A value that the path's functions do not apply to is none."""
    is_single, container, finds = _is_single(parsed), _container(parsed), _with_items(parsed).find

    def get(record: Any) -> Any:
        try:
            values = [match.value for match in finds(record)]
        except (TypeError, ValueError, AttributeError, LookupError, ArithmeticError, RuntimeError):
            return None
        if values:
            return values[0] if is_single else values
        return [] if container is not None and container(record) else None

    return get


def _container(parsed: Any) -> Callable[[Any], bool] | None:
    """Whether a record has the list or object that a path with several matches goes through; None for other paths."""
    from jsonpath_ng.ext.filter import Filter
    from jsonpath_ng.jsonpath import Child, Slice

    while isinstance(parsed, Child) and _place(parsed.left) is None:
        parsed = parsed.left
    is_all = isinstance(parsed, Child) and _is_all(parsed.right)
    if not isinstance(parsed, Child) or not (is_all or isinstance(parsed.right, (Slice, Filter))):
        return None
    get, types = getter(_place(parsed.left) or ()), (dict, list) if is_all else (list,)
    return lambda record: isinstance(get(record), types)


def _right_spelling(text: str, message: str) -> str:
    """How a name is written that jsonpath-ng cannot read without quotes; empty if that is not what is wrong.

    >>> _right_spelling("$.größe", "Error on line 1, col 4: Unexpected character: ö")
    "; this name is written $['größe']"
    """
    at = next((int(col) for pattern in _UNQUOTED for col in re.findall(pattern, message)), None)
    name = at is not None and next((name for name in _NAME.finditer(text) if name.start() < at < name.end()), None)
    return f"; this name is written {text[: name.start()]}['{name[0][1:]}']" if name else ""


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
