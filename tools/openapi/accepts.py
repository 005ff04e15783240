"""Whether an operation accepts the values of a request.

A server rejects an unknown key in a closed object, but ignores it in an open one. Ignoring is worse: without the
filter, every row comes back.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Final

from engine.declare.problems import nearest, suggestion
from tools.openapi.shape import Json, Shape, is_free, with_article

_LISTED_MAX: Final = 12  # names in a message

_PYTHON_TYPES: Final[Mapping[str, tuple[type, ...]]] = {
    "string": (str,),
    "date-time": (str,),
    "date": (str,),
    "integer": (int,),
    "number": (int, float),
    "boolean": (bool,),
    "object": (dict,),
    "array": (list,),
}


@dataclass(frozen=True)
class Fault:
    """Something in a request that the server does not accept.

    Attributes:
        steps: The keys and indexes that lead to it.
        message: What is wrong.
        ignored: Whether the server silently ignores the value rather than reject the request.
    """

    steps: tuple[str | int, ...]
    message: str
    ignored: bool = False


def faults(shape: Shape, value: Any, steps: tuple[str | int, ...] = ()) -> list[Fault]:
    """What a server does not accept in a value; if the value fits none of several forms, the faults by the nearest."""
    if value is None or not shape.forms:
        return []  # documents that FastAPI wrote before OpenAPI 3.1 do not declare which values may be null
    best: list[Fault] | None = None
    for form in shape.forms:
        found = list(_faults(shape.root, form, value, steps))
        if not found:
            return []
        if best is None or _distance(found) < _distance(best):
            best = found
    return best or []


def _distance(found: list[Fault]) -> tuple[int, int]:
    """Sorts faults by how far the value is from the form: a fault deep inside means that the type itself fits."""
    return (-max(len(fault.steps) for fault in found), len(found))


def _faults(root: Json, form: Json, value: Any, steps: tuple[str | int, ...]) -> Iterator[Fault]:
    one = Shape(root, (form,))
    (kind,) = one.kinds
    if not _is(kind, value):
        yield Fault(steps, f"expected {one.words}, found {_type_of(value)}")
        return
    values = one.values
    if values is not None and value not in values:
        known = [str(known) for known in values]
        yield Fault(steps, f'the server does not accept "{value}" here; {hint(str(value), known)}')
    elif isinstance(value, Mapping):
        for name, inner in value.items():
            found = one.at(name)
            if found is not None:
                yield from faults(found, inner, (*steps, name))
            elif not is_free(form) and kind != "any":
                yield unknown_key(form, name, (*steps, name))
    elif isinstance(value, list) and one.items is not None:
        for index, inner in enumerate(value):
            yield from faults(one.items, inner, (*steps, index))
    elif isinstance(value, (int, float)) and not isinstance(value, bool):
        if "maximum" in form and value > form["maximum"]:
            yield Fault(steps, f"{value} exceeds the server's maximum, {form['maximum']:g}")
        if "minimum" in form and value < form["minimum"]:
            yield Fault(steps, f"{value} is below the server's minimum, {form['minimum']:g}")


def unknown_key(form: Json, name: str, steps: tuple[str | int, ...]) -> Fault:
    """The fault of a key that an object of a form does not have."""
    near = hint(name, form.get("properties", ()))
    if form.get("additionalProperties") is False:
        return Fault(steps, f'the server rejects the unknown key "{name}"; {near}')
    return Fault(steps, f'the server silently ignores the unknown key "{name}"; {near}', ignored=True)


def hint(name: str, known: Collection[str]) -> str:
    """The end of a message about an unknown name: the nearest known one, or all of them if they are few."""
    if len(known) > _LISTED_MAX and nearest(name, known) is None:
        return f"{len(known)} other names are known"
    return suggestion(name, known)


def _is(kind: str, value: Any) -> bool:
    if kind not in _PYTHON_TYPES:
        return True
    if isinstance(value, bool):
        return kind == "boolean"
    return isinstance(value, _PYTHON_TYPES[kind])


def _type_of(value: Any) -> str:
    """The JSON type of a value, and never the value: it could be a secret."""
    if isinstance(value, bool):
        return "a boolean"
    return with_article({str: "string", int: "number", float: "number", list: "array"}.get(type(value), "object"))
