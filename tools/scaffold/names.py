"""The names and descriptions of an OpenAPI document in the form that streams.yaml needs."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable
from typing import Final

_DESCRIPTION_MAX: Final = 110  # characters


def path_of(property_name: str) -> str:
    """The JSONPath of a property: ``$.id``, or ``$['first name']`` if the name is not an identifier."""
    if re.fullmatch(r"[A-Za-z_]\w*", property_name, re.ASCII):
        return f"$.{property_name}"
    quote = "'" if "'" not in property_name else '"'
    return f"$[{quote}{property_name}{quote}]"


def has_path(property_name: str) -> bool:
    """Whether :func:`path_of` can name the property. JSONPath cannot escape a quote."""
    return "\\" not in property_name and not {"'", '"'} <= set(property_name)


def first_sentence(text: str) -> str:
    """The first sentence of a description, on one line and shortened to 110 characters."""
    words = " ".join(text.replace("${", "{").split())  # ${name} would be a placeholder of streams.yaml
    sentence = re.split(r"(?<!e\.g\.)(?<!i\.e\.)(?<=[.!?])\s", words, maxsplit=1)[0]
    if len(sentence) <= _DESCRIPTION_MAX:
        return sentence
    return f"{sentence[: _DESCRIPTION_MAX - 4].rsplit(' ', 1)[0]} ..."


def snake_case(text: str, taken: Collection[str] = ()) -> str:
    """A name that Fivetran does not rename. A number makes it different from the names that are taken."""
    snake = re.sub(r"(?<=[a-z0-9])(?=[A-Z])", "_", text)
    name = re.sub(r"[^a-z0-9]+", "_", snake.casefold()).strip("_")
    if not re.match("[a-z]", name):
        name = f"n_{name}".rstrip("_")
    number = 2
    unique = name
    while unique in taken:
        unique, number = f"{name}_{number}", number + 1
    return unique


def column_names(property_names: Iterable[str]) -> dict[str, str]:
    """A column name for each property; no two are the same."""
    names: dict[str, str] = {}
    for name in property_names:
        names[name] = snake_case(name, names.values())
    return names
