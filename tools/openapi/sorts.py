"""Sorts as APIs name them, and which of them an offset can trust."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final

UPDATED: Final = ("updated", "updated_at", "updatedAt", "modified", "modified_at", "last_modified", "last_updated")
"""Names of properties that move whenever a row changes."""
_CREATED: Final = ("created", "created_at", "createdAt", "inserted_at")
_NAMES: Final = ("name", "key", "slug", "title")
_SORT: Final = re.compile(r"(?P<by>\w+?)[_:. ](?P<order>asc|desc)(ending)?", re.I)


@dataclass(frozen=True)
class Sort:
    """A value that sorts: by what, and whether it rises."""

    value: str
    by: str
    rises: bool


def sorts(values: Sequence[Any]) -> list[Sort]:
    """The values as sorts, such as NAME_ASC, name:asc, or -name beside name; none where they are anything else."""
    texts = [value for value in values if isinstance(value, str)]
    if any(text.startswith("-") for text in texts):
        return [Sort(text, text.lstrip("-").casefold(), not text.startswith("-")) for text in texts]
    matches = [_SORT.fullmatch(text) for text in texts]
    found = [Sort(m[0], m["by"].casefold(), m["order"].casefold() == "asc") for m in matches if m is not None]
    return found if len(found) == len(values) else []


def best_sort(values: Sequence[Any], key: str) -> tuple[str, str] | None:
    """The sort that moves rows least while they are read, and why; None where the values are no sorts."""
    found = sorts(values)
    if not found:
        return None
    best = min(found, key=lambda one: (_stability(one.by, key)[0], not one.rises))
    return best.value, _stability(best.by, key)[1]


def _stability(by: str, key: str) -> tuple[int, str]:
    if by == key.casefold():
        return 0, "by the key: the order is total and never changes"
    if by in {name.casefold() for name in _CREATED}:
        return 1, "never changes for a row; rows of the same instant may still change places"
    if by in _NAMES:
        return 2, "changes only when a row is renamed"
    if by in {name.casefold() for name in UPDATED}:
        return 4, "the only sort there is: rows move while they are read, and the overlap of pages guards against gaps"
    return 3, "the steadiest sort there is; make sure that it does not change for a row"
