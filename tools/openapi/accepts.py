"""Whether an operation accepts what a request carries.

What a server does with a key that it does not know depends on where it stands: an object that is closed is refused, one
that is not is read as if the key were absent. The second is the worse: a filter that is ignored lets every row through.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Final

from engine.declare.problems import nearest, suggestion
from tools.openapi.shape import Json, Shape, is_free

_LISTED_MAX: Final = 12  # words in a message

_JSON_KINDS: Final[Mapping[str, tuple[type, ...]]] = {
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
        steps: Where in the values it stands.
        message: What is wrong.
        ignored: The server would pass over it in silence, rather than refuse the request.
    """

    steps: tuple[str | int, ...]
    message: str
    ignored: bool = False


def faults(shape: Shape, value: Any, steps: tuple[str | int, ...] = ()) -> list[Fault]:
    """What a server finds wrong with a value: nothing, or the faults by the form that it fits best."""
    if value is None or not shape.forms:
        return []  # which values may be null, documents made by FastAPI before OpenAPI 3.1 do not say
    best: list[Fault] | None = None
    for form in shape.forms:
        found = list(_faults(shape.root, form, value, steps))
        if not found:
            return []
        if best is None or _distance(found) < _distance(best):
            best = found
    return best or []


def _distance(found: list[Fault]) -> tuple[int, int]:
    """A form in which something deep is wrong was meant rather than one of another type altogether."""
    return (-max(len(fault.steps) for fault in found), len(found))


def _faults(root: Json, form: Json, value: Any, steps: tuple[str | int, ...]) -> Iterator[Fault]:
    one = Shape(root, (form,))
    (kind,) = one.kinds
    if not _is(kind, value):
        yield Fault(steps, f"expected {_named(kind)}, as the server declares it, found {_described(value)}")
        return
    values = one.values
    if values is not None and value not in values:
        known = [str(known) for known in values]
        yield Fault(steps, f'"{value}" is not a value that the server knows here; {hint(str(value), known)}')
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
            yield Fault(steps, f"{value} is more than the server takes here, {form['maximum']:g}")
        if "minimum" in form and value < form["minimum"]:
            yield Fault(steps, f"{value} is less than the server takes here, {form['minimum']:g}")


def unknown_key(form: Json, name: str, steps: tuple[str | int, ...]) -> Fault:
    """The fault of a key that an object of a form does not have."""
    near = hint(name, form.get("properties", ()))
    if form.get("additionalProperties") is False:
        return Fault(steps, f'the server refuses the key "{name}" here; {near}')
    return Fault(steps, f'the server has no key "{name}" here and ignores it, as if it were not sent; {near}', True)


def hint(word: str, known: Collection[str]) -> str:
    """What to say after a word that the server does not know. Long lists are not repeated."""
    if len(known) > _LISTED_MAX and nearest(word, known) is None:
        return f"it knows {len(known)} others"
    return suggestion(word, known)


def _is(kind: str, value: Any) -> bool:
    if kind not in _JSON_KINDS:
        return True
    if isinstance(value, bool):
        return kind == "boolean"
    return isinstance(value, _JSON_KINDS[kind])


def _named(kind: str) -> str:
    return f"{'an' if kind[0] in 'aio' else 'a'} {kind}"


def _described(value: Any) -> str:
    """The type of a value, and never the value: it could be a secret."""
    if isinstance(value, bool):
        return "a boolean"
    names = {str: "a string", int: "a number", float: "a number", list: "an array"}
    return names.get(type(value), "an object")
