"""The JSON Schemas of OpenAPI documents, flattened to the forms that a value can take.

OpenAPI 3.0 writes a value that may be null as ``nullable: true``, 3.1 as ``anyOf`` with the type null or as a list of
types; FastAPI wraps a ``$ref`` that has a description in ``allOf``. A :class:`Shape` hides these differences: it is the
list of forms, other than null, that a value can take.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final
from urllib.parse import unquote

Json = Mapping[str, Any]

_DEPTH_MAX: Final = 20  # references that lead to references; more is a circle
_BESIDES: Final = ("$ref", "allOf", "anyOf", "oneOf", "nullable")
_TIMES: Final = ("date-time", "date")


@dataclass(frozen=True)
class Shape:
    """The forms that a value can take, other than null.

    Attributes:
        root: The document, in which references are looked up.
        forms: Flat schemas; the value fits one of them. A form without a type allows any value.
    """

    root: Json
    forms: Sequence[Json]

    @classmethod
    def of(cls, root: Json, schema: Any) -> Shape:
        """The shape that a schema of a document declares."""
        return cls(root, tuple(_forms(root, schema, 0)))

    @property
    def kinds(self) -> frozenset[str]:
        """What the value can be: string, date-time, date, integer, number, boolean, object, array; or any."""
        return frozenset(_kind(form) for form in self.forms) or frozenset({"any"})

    @property
    def words(self) -> str:
        """The kinds in a message: ``an integer or a string``."""
        return " or ".join(with_article(kind) for kind in sorted(self.kinds))

    @property
    def anything(self) -> Shape:
        """The shape of any value, in the same document."""
        return Shape(self.root, ({},))

    @property
    def description(self) -> str:
        """The first description that the document has for the value, or an empty string."""
        return next((str(form["description"]) for form in self.forms if form.get("description")), "")

    @property
    def values(self) -> Sequence[Any] | None:
        """All values, if the document lists them."""
        listed: list[Any] = []
        for form in self.forms:
            if "const" in form:
                listed.append(form["const"])
            elif "enum" in form:
                listed.extend(value for value in form["enum"] if value is not None)
            else:
                return None
        return listed or None

    @property
    def items(self) -> Shape | None:
        """The items, if the value can be a list."""
        lists = [form for form in self.forms if _kind(form) == "array"]
        if not lists:
            return None
        forms = [found for form in lists for found in Shape.of(self.root, form.get("items", {})).forms]
        return Shape(self.root, tuple(forms))

    @property
    def properties(self) -> Mapping[str, Shape]:
        """The properties that the document names, if the value can be an object."""
        found: dict[str, list[Json]] = {}
        for form in self.forms:
            for name, schema in form.get("properties", {}).items():
                found.setdefault(name, []).extend(_forms(self.root, schema, 0))
        return {name: Shape(self.root, tuple(forms)) for name, forms in found.items()}

    @property
    def values_of_properties(self) -> Shape | None:
        """What any property of the value is, if the value can be an object."""
        if not self.kinds & {"object", "any"}:
            return None
        named = [form for shape in self.properties.values() for form in shape.forms]
        others = self.at("")
        return Shape(self.root, (*named, *(others.forms if others else ())))

    @property
    def required(self) -> Sequence[str]:
        """The properties that every form requires."""
        first, *others = (list(form.get("required", ())) for form in self.forms or ({},))
        return [name for name in first if all(name in other for other in others)]

    def at(self, name: str) -> Shape | None:
        """A property by its name; None if no form has it."""
        forms: list[Json] = []
        for form in self.forms:
            if name in form.get("properties", {}):
                forms.extend(_forms(self.root, form["properties"][name], 0))
            elif isinstance(form.get("additionalProperties"), Mapping):
                forms.extend(_forms(self.root, form["additionalProperties"], 0))
            elif is_free(form) or _kind(form) == "any":
                forms.append({})
        return Shape(self.root, tuple(forms)) if forms else None

    def follow(self, steps: Sequence[str | int]) -> Shape | Absent:
        """The shape at the end of a path of names and indexes, or where the path breaks off."""
        shape = self
        for number, step in enumerate(steps):
            if shape.kinds == {"any"}:
                return shape
            found = shape.items if isinstance(step, int) else shape.at(step)
            if found is None:
                return Absent(tuple(steps[: number + 1]), shape)
            shape = found
        return shape


@dataclass(frozen=True)
class Absent:
    """A path breaks off: ``within`` does not have its last step."""

    steps: Sequence[str | int]
    within: Shape


def with_article(kind: str) -> str:
    """A kind in a message: ``an integer``, ``a list``."""
    word = {"array": "list", "any": "any value"}.get(kind, kind)
    return f"{'an' if word[0] in 'io' else 'a'} {word}" if kind != "any" else word


def is_free(form: Json) -> bool:
    """Whether an object of this form can have properties that the document does not name."""
    if _kind(form) != "object":
        return False
    additional = form.get("additionalProperties")
    return additional is True or additional == {} or ("properties" not in form and additional is not False)


def resolved(root: Json, value: Any) -> Json:
    """The object, or the one that it references; an empty object if the reference leads nowhere."""
    for _ in range(_DEPTH_MAX):
        if not isinstance(value, Mapping):
            return {}
        if "$ref" not in value:
            return value
        value = _lookup(root, value["$ref"])
    return {}


def _lookup(root: Json, reference: Any) -> Any:
    """The target of a reference within the document (a JSON pointer, RFC 6901); None if it leads nowhere."""
    if not isinstance(reference, str) or not reference.startswith("#"):
        return None
    found: Any = root
    for step in unquote(reference).lstrip("#").split("/")[1:]:
        if isinstance(found, list):
            found = found[int(step)] if step.isdecimal() and int(step) < len(found) else None
        else:
            found = found.get(step.replace("~1", "/").replace("~0", "~")) if isinstance(found, Mapping) else None
    return found


def _forms(root: Json, schema: Any, depth: int) -> Iterator[Json]:
    """The flat schemas, other than null, that a schema allows."""
    if schema is False:
        return
    if not isinstance(schema, Mapping) or depth > _DEPTH_MAX:
        yield {}
        return
    parts: list[list[Json]] = []
    if "$ref" in schema:
        parts.append(list(_forms(root, _lookup(root, schema["$ref"]), depth + 1)))
    for part in schema.get("allOf", ()):
        parts.append(list(_forms(root, part, depth + 1)))
    choices = [*schema.get("anyOf", ()), *schema.get("oneOf", ())]
    if choices:
        parts.append([form for choice in choices for form in _forms(root, choice, depth + 1)])
    # Last, so that a description beside a reference wins over that of the target.
    parts.append([{name: value for name, value in schema.items() if name not in _BESIDES}])
    merged: list[Json] = [{}]
    for alternatives in parts:
        merged = [_both(one, other) for one in merged for other in alternatives]
    for form in merged:
        yield from _one_type_each(form)


def _both(one: Json, other: Json) -> Json:
    """One schema that requires what both do of the same value."""
    both = {**one, **other}
    if "properties" in one and "properties" in other:
        both["properties"] = {**one["properties"], **other["properties"]}
    if "required" in one and "required" in other:
        both["required"] = [*one["required"], *other["required"]]
    return both


def _one_type_each(form: Json) -> Iterator[Json]:
    kinds = form.get("type")
    if isinstance(kinds, Sequence) and not isinstance(kinds, str):
        for kind in kinds:
            yield from _one_type_each({**form, "type": kind})
    elif kinds != "null" and ("const" not in form or form["const"] is not None):
        yield form


def _kind(form: Json) -> str:
    kind = form.get("type")
    if kind == "string":
        return form["format"] if form.get("format") in _TIMES else "string"
    if isinstance(kind, str):
        return kind
    if "properties" in form or "additionalProperties" in form:
        return "object"
    if "items" in form:
        return "array"
    values = [form["const"]] if "const" in form else form.get("enum")
    if isinstance(values, list) and values and all(isinstance(value, str) for value in values):
        return "string"
    return "any"
