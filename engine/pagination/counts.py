"""A total number of rows, as servers write it."""

from __future__ import annotations

import re
from typing import Any


def as_count(value: Any) -> int | None:
    """The number of rows that a value stands for: an integer, also as text or with zero decimals; None if it is none.

    >>> [as_count(value) for value in (25, "25", 25.0, "25.0", "1,250", 2.5, "many", True, None)]
    [25, 25, 25, 25, 1250, None, None, None, None]
    """
    if isinstance(value, bool):
        return None
    text = re.sub(r"(?<=\d),(?=\d{3}\b)", "", str(value).strip())
    match = re.fullmatch(r"([0-9]{1,18})(?:\.0*)?", text, re.ASCII)
    return int(match[1]) if match else None
