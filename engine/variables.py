"""Variables: where values go in the requests that streams.yaml writes out.

A string ``$since`` in a query or body stands for a value of any type. ``$(since)`` puts the value into a longer string
or a path, and ``$$`` stands for one ``$``. A key whose variable has no value is left out, and an item of a list as a
whole if none of its variables has one.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import lru_cache
from typing import Any, Final
from urllib.parse import quote

from engine.declare.values import DURATION, duration
from engine.instants import format_instant, shifted
from engine.jsonpath import JsonPath, compile_path

Spelling = Callable[[datetime], Any]
"""How instants are sent: as what JSON value."""

INSTANTS: Final = ("since", "from", "to", "now")
"""The variables that stand for an instant, from which a duration can be subtracted: ``$since-7d``."""

RECORDS: Final = ("parent", "related", "partition")
"""The variables that stand for a record, or for a list of them; a path leads to the value: ``$parent.owner.id``."""

VARIABLES: Final = (*INSTANTS, *RECORDS, "key", "keys", "open", "size", "offset", "page", "token")
"""The names of all variables."""

_WHOLE: Final = re.compile(r"\$([A-Za-z].*)", re.DOTALL)
_PIECE: Final = re.compile(r"\$\$|\$\(([^()]*)\)")
_NAME: Final = re.compile(r"(\+?)([A-Za-z]\w*)(.*)", re.DOTALL)
_EARLIER: Final = re.compile(rf"-(?:({DURATION})|(\d{{1,18}}))")


class VariableError(ValueError):
    """A string that looks like a variable is none. ``unknown``: whether there is no variable of that name."""

    def __init__(self, message: str, *, unknown: bool = False) -> None:
        super().__init__(message)
        self.unknown = unknown


@dataclass(frozen=True)
class Variable:
    """One variable.

    Attributes:
        name: One of :data:`VARIABLES`.
        path: For a record, the path to the value.
        earlier: For an instant, how long before it; for a number, how much less.
        keeps_slashes: In a path, whether a slash in the value separates segments (``$(+parent.name)``, as in RFC 6570).
    """

    name: str
    path: JsonPath | None = None
    earlier: timedelta | int = timedelta(0)
    keeps_slashes: bool = False

    def value(self, values: Mapping[str, Any]) -> Any:
        """Its value; None if it has none. For several records, the list of their values."""
        value = values.get(self.name)
        if self.path is not None:
            if isinstance(value, (list, tuple)):
                return [self.path.get(record) for record in value]
            return self.path.get(value)
        if isinstance(self.earlier, timedelta):
            return shifted(value, -self.earlier) if isinstance(value, datetime) else value
        return value - self.earlier if isinstance(value, int) else value


@dataclass(frozen=True)
class Mixed:
    """A string with variables in it."""

    pieces: tuple[str | Variable, ...]


@lru_cache(maxsize=4096)
def parse(text: str) -> str | Variable | Mixed:
    """A string of streams.yaml: a literal without variables, one variable, or a mix of both.

    Raises:
        VariableError: a part of it looks like a variable and is none.

    >>> parse("$since"), parse("$5"), parse("$$since")
    (Variable(name='since', path=None, earlier=datetime.timedelta(0), keeps_slashes=False), '$5', '$since')
    """
    whole = _WHOLE.fullmatch(text)
    if whole is not None:
        return _variable(whole[1], text)
    pieces: list[str | Variable] = []
    at = 0
    for match in _PIECE.finditer(text):
        pieces.append(text[at : match.start()])
        pieces.append("$" if match[1] is None else _variable(match[1], text))
        at = match.end()
    pieces.append(text[at:])
    if all(isinstance(piece, str) for piece in pieces):
        return "".join(str(piece) for piece in pieces)
    return Mixed(tuple(piece for piece in pieces if piece != ""))


def _variable(expression: str, text: str) -> Variable:
    match = _NAME.fullmatch(expression)
    if match is None or match[2] not in VARIABLES:
        name = match[2] if match is not None else f"({expression})"
        raise VariableError(f"${name} stands for no value", unknown=True)
    plus, name, rest = match.groups()
    if name in RECORDS:
        if not rest.startswith((".", "[")):
            raise VariableError(f"${name} is a record: add the path to a value, such as ${name}.id")
        try:
            return Variable(name, compile_path(f"${rest}"), keeps_slashes=bool(plus))
        except ValueError as error:
            raise VariableError(f"the path after ${name} is wrong: {error}") from None
    earlier = _EARLIER.fullmatch(rest)
    if earlier is not None and name in INSTANTS:
        return Variable(name, None, duration(earlier[1]) if earlier[1] else int(earlier[2]), bool(plus))
    if not rest:
        return Variable(name, keeps_slashes=bool(plus))
    if rest.startswith("-") and name in INSTANTS:
        raise VariableError(f"expected a duration after ${name}-, such as 30s, 5m, 24h or 7d")
    raise VariableError(f'"{text}" is no variable; inside a longer string, write $({name})')


def variables_in(template: Any) -> Iterator[Variable]:
    """The variables in a string, a list or a mapping, and in what these hold."""
    for text in strings_in(template):
        if "$" not in text:
            continue
        found = parse(text)
        if isinstance(found, Variable):
            yield found
        elif isinstance(found, Mixed):
            yield from (piece for piece in found.pieces if isinstance(piece, Variable))


def strings_in(template: Any) -> Iterator[str]:
    """The strings in a string, a list or a mapping, and in what these hold."""
    if isinstance(template, str):
        yield template
    elif isinstance(template, Mapping):
        for inner in template.values():
            yield from strings_in(inner)
    elif isinstance(template, list):
        for inner in template:
            yield from strings_in(inner)


def fill(template: Any, values: Mapping[str, Any], spell: Spelling = format_instant) -> Any:
    """A query or body with values in place of its variables; None in place of a variable without one.

    Keys whose variable has no value are left out, and items of lists none of whose variables has one, and with them
    what is empty then.

    >>> fill({"filter": {"after": "$from", "before": "$to"}, "sort": "id"}, {})
    {'sort': 'id'}
    >>> fill({"filters": [{"name": "state", "value": "open"}, {"name": "id", "operator": ">", "value": "$token"}]}, {})
    {'filters': [{'name': 'state', 'value': 'open'}]}
    >>> fill({"ids": "$keys", "text": "$(keys)", "price": "$$5"}, {"keys": ["a", "b"]})
    {'ids': ['a', 'b'], 'text': 'a,b', 'price': '$5'}
    """
    if isinstance(template, Mapping):
        return {name: value for name, inner in template.items() for value in _filled(inner, values, spell)}
    if isinstance(template, list):
        items = (inner for inner in template if not _has_no_value(inner, values))
        return [value for inner in items for value in _filled(inner, values, spell)]
    if isinstance(template, str) and "$" in template:
        found = parse(template)
        if isinstance(found, Mixed):
            return _text(found, values, spell)
        return _spelled(found.value(values), spell) if isinstance(found, Variable) else found
    return template


def _has_no_value(item: Any, values: Mapping[str, Any]) -> bool:
    """Whether an item of a list has variables, and none of them has a value: what it would say, it cannot."""
    found = [*variables_in(item)]
    return bool(found) and all(variable.value(values) is None for variable in found)


def _filled(template: Any, values: Mapping[str, Any], spell: Spelling) -> Sequence[Any]:
    """The value in a list, which is empty if it is left out."""
    value = fill(template, values, spell)
    is_left_out = (value is None or (isinstance(value, (dict, list)) and not value)) and value != template
    return () if is_left_out else (value,)


def _spelled(value: Any, spell: Spelling) -> Any:
    return spell(value) if isinstance(value, datetime) else value


def _text(mixed: Mixed, values: Mapping[str, Any], spell: Spelling) -> str | None:
    parts = []
    for piece in mixed.pieces:
        value = piece if isinstance(piece, str) else _spelled(piece.value(values), spell)
        if value is None:
            return None
        parts.append(",".join(map(_plain, value)) if isinstance(value, list) else _plain(value))
    return "".join(parts)


def _plain(value: Any) -> str:
    return str(value).lower() if isinstance(value, bool) else str(value)


def fill_path(path: str, values: Mapping[str, Any], spell: Spelling = format_instant) -> str:
    """An endpoint's path with values in place of its variables, quoted so that each stays in its segment.

    >>> fill_path("/repos/$(+parent.name)/tags/$(parent.tag)", {"parent": {"name": "a/b", "tag": "x/y"}})
    '/repos/a/b/tags/x%2Fy'
    """
    found = parse(path)
    if not isinstance(found, Mixed):
        return path
    return "".join(
        piece
        if isinstance(piece, str)
        else quote(_plain(_spelled(piece.value(values), spell)), safe="/" if piece.keeps_slashes else "")
        for piece in found.pieces
    )
