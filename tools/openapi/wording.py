"""Names and texts of an OpenAPI document, as streams.yaml can hold them."""

from __future__ import annotations

import json
import re
from collections.abc import Collection, Iterable
from typing import Final

from engine.declare.types import Endpoint

_DESCRIPTION_MAX: Final = 110  # characters
_PLAIN: Final = re.compile(r"[A-Za-z][\w ()/.'-]*[\w.)]")
_YAML_WORDS: Final = frozenset({"null", "true", "false", "yes", "no", "on", "off", "y", "n"})


def path_of(source: str) -> str:
    """The JSONPath of a property, as YAML."""
    if re.fullmatch(r"[A-Za-z_]\w*", source, re.ASCII):
        return f"$.{source}"
    quote = "'" if "'" not in source else '"'
    return json.dumps(f"$[{quote}{source}{quote}]", ensure_ascii=not source.isprintable())


def has_path(source: str) -> bool:
    """Whether a JSONPath can name the property: it has no way to escape a quote."""
    return "\\" not in source and not {"'", '"'} <= set(source)


def shortened(text: str) -> str:
    """The first sentence on one line, and not too much of it."""
    words = " ".join(text.replace("${", "{").split())
    sentence = re.split(r"(?<!e\.g\.)(?<!i\.e\.)(?<=[.!?])\s", words, maxsplit=1)[0]
    if len(sentence) <= _DESCRIPTION_MAX:
        return sentence
    return f"{sentence[: _DESCRIPTION_MAX - 4].rsplit(' ', 1)[0]} ..."


def quoted(text: str) -> str:
    """The text as a YAML scalar that is text to every reader, also between braces."""
    if _PLAIN.fullmatch(text) and text.casefold() not in _YAML_WORDS:
        return text
    return json.dumps(text, ensure_ascii=not text.isprintable())


def noun(endpoint: Endpoint) -> str:
    """What one record is: the last word of the path that is a plural, as a singular."""
    segments = [part for part in endpoint.path.split("/") if part.strip(".") and "{" not in part]
    plurals = [part for part in segments if part.endswith("s")]
    words = (plurals or segments or ["record"])[-1].replace("_", " ").replace("-", " ")
    return f"{words[:-3]}y" if words.endswith("ies") else words.removesuffix("s")


def snake_case(text: str, taken: Collection[str]) -> str:
    """A name that Fivetran takes as it is, and that is not taken."""
    snake = re.sub(r"(?<=[a-z0-9])(?=[A-Z])", "_", text)
    name = re.sub(r"[^a-z0-9]+", "_", snake.casefold()).strip("_")
    if not re.match("[a-z]", name):
        name = f"n_{name}".rstrip("_")
    number = 2
    unique = name
    while unique in taken:
        unique, number = f"{name}_{number}", number + 1
    return unique


def column_names(columns: Iterable[str]) -> list[str]:
    """A name for each, all different."""
    names: list[str] = []
    for source in columns:
        names.append(snake_case(source, names))
    return names
