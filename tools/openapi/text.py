"""The text of an OpenAPI document: in JSON or in YAML."""

from __future__ import annotations

import re
from typing import Any, Final

import msgspec
import yaml

_FAST_LOADER: Any = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
_SCALARS: Final = {
    "null": (r"~|null|Null|NULL|", "~nN"),
    "bool": (r"true|True|TRUE|false|False|FALSE", "tTfF"),
    "int": (r"[-+]?[0-9]+", "-+0123456789"),
    "float": (r"[-+]?(\.[0-9]+|[0-9]+(\.[0-9]*)?)([eE][-+]?[0-9]+)?", "-+.0123456789"),
}
"""What YAML 1.2, which OpenAPI demands, reads as more than a string, with the first characters: not `on`, no dates."""


_DEEPEST: Final = 500


class NotReadable(ValueError):
    """The text is no document in JSON or YAML; the message completes ``it is ...``."""


class _Loader(_FAST_LOADER):  # type: ignore[misc]
    yaml_implicit_resolvers: dict[str, Any] = {}  # noqa: RUF012  # PyYAML's own attribute


for _name, (_pattern, _first) in _SCALARS.items():
    _Loader.add_implicit_resolver(f"tag:yaml.org,2002:{_name}", re.compile(f"(?:{_pattern})$"), [*_first, ""])


def read_document(content: bytes | bytearray) -> Any:
    """The document. Its keys are strings: YAML alone would read the status 200 as a number.

    Raises:
        NotReadable: it is neither JSON nor a mapping in YAML.
    """
    try:
        return msgspec.json.decode(content)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        pass
    if _depth(content) > _DEEPEST:
        raise NotReadable("nested too deeply")
    try:
        document = yaml.load(bytes(content), _Loader)
        if isinstance(document, dict):
            return _with_text_keys(document)
    except (yaml.YAMLError, ValueError, RecursionError):
        pass
    raise NotReadable("neither JSON nor YAML")


def _depth(content: bytes | bytearray) -> int:
    """How deep brackets are nested, wherever they are. The parser in C recurses without a limit."""
    depth = deepest = 0
    for bracket in re.finditer(rb"[\[\]{}]", content):
        depth += 1 if bracket[0] in b"[{" else -1
        deepest = max(deepest, depth)
    return deepest


def _with_text_keys(value: Any) -> Any:
    if isinstance(value, dict):
        return {str(key): _with_text_keys(item) for key, item in value.items()}
    return [_with_text_keys(item) for item in value] if isinstance(value, list) else value
