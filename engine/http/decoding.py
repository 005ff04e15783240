"""The bytes of an answer -> JSON values that every destination can hold."""

from __future__ import annotations

import json
import re
from typing import Any

_ESCAPED_SURROGATE = re.compile(rb"\\u[dD][89a-fA-F]")
_LONE_SURROGATE = re.compile("[\ud800-\udfff]")


class NotJson(ValueError):
    """The bytes are not one whole JSON document in UTF-8 (or UTF-16 or -32, which JSON's own rules detect)."""


def decode(content: bytes) -> tuple[Any, int]:
    """Decode a JSON document.

    JSON text can spell half of a surrogate pair, which is no character: no destination can store it, and the SDK would
    fail the whole checkpoint over it. Such halves become U+FFFD.

    Returns:
        The document, and the number of texts in which a lone surrogate was replaced.

    Raises:
        NotJson: the bytes are cut, or are something else.
    """
    try:
        document = json.loads(content)
    except (ValueError, RecursionError):
        raise NotJson from None
    if _ESCAPED_SURROGATE.search(content) is None:
        return document, 0
    return _repaired(document)


def _repaired(value: Any) -> tuple[Any, int]:
    if isinstance(value, str):
        text, found = _LONE_SURROGATE.subn("\ufffd", value)
        return text, min(found, 1)
    if isinstance(value, list):
        items = [_repaired(item) for item in value]
        return [item for item, _ in items], sum(found for _, found in items)
    if isinstance(value, dict):
        pairs = [(_repaired(name), _repaired(item)) for name, item in value.items()]
        return {name: item for (name, _), (item, _) in pairs}, sum(a + b for (_, a), (_, b) in pairs)
    return value, 0
