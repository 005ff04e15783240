"""Which partitions of an API a connection reads, such as workspaces: the value of ``api.partitions.selected``.

The value is a comma-separated list of names and keys, or ``all``. A minus in front of an item leaves it out. Items
apply from left to right. A list that starts with a minus starts from all.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final, NamedTuple

from engine.failures import Failure

_ALL: Final = "all"
_NAMED_MAX: Final = 20  # names in a message


@dataclass(frozen=True)
class Partition:
    """One part of an API.

    ``key``: what the state calls it. ``names``: what people call it; the first is the one in the log. ``base_url``:
    what the paths of its streams are appended to. ``columns``: the values of its columns, the same in each of its rows.
    """

    key: str
    names: tuple[str, ...] = ()
    base_url: str = ""
    columns: Mapping[str, Any] = field(default_factory=dict)

    @property
    def name(self) -> str:
        """What the log calls it."""
        return self.names[0] if self.names else self.key

    @property
    def called(self) -> frozenset[str]:
        """Everything by which it can be selected."""
        return frozenset((*self.names, self.key))


class Item(NamedTuple):
    """An item of a selection."""

    name: str
    is_excluded: bool


Selection = tuple[Item, ...]
"""Which partitions are read, before it is known which there are."""


def parse_selection(text: str) -> Selection:
    """A selection in one string.

    >>> parse_selection("all, -sandbox")
    (Item(name='all', is_excluded=False), Item(name='sandbox', is_excluded=True))
    """
    items = [item.strip() for item in text.split(",")]
    found = tuple(Item(item.removeprefix("-").strip(), item.startswith("-")) for item in items if item)
    if any(not item.name for item in found):
        raise ValueError("a minus stands in front of a name")
    return found


def choose(
    found: Sequence[Partition], selection: Selection | None, noun: str, setting: str, gone: Collection[str] = ()
) -> list[Partition]:
    """The partitions that a selection names.

    Args:
        found: Those that there are.
        selection: What is selected; None for all.
        noun: What they are, in the plural.
        setting: The setting that has the selection, for messages.
        gone: The names and keys of those that there were.

    Raises:
        Failure: an item names none, or several, or no partition is left. The message repeats no item: it could be a
            misplaced secret.
    """
    if selection is None:
        return [*found]
    keys = {one.key for one in found}
    chosen = set(keys) if selection[0].is_excluded else set()
    problems = []
    for number, (name, is_excluded) in enumerate(selection, start=1):
        named = keys if name == _ALL else {one.key for one in found if name in one.called}
        if not named and name not in gone and name != _ALL:
            problems.append(f"item {number} is none of the {noun}")
        elif len(named) > 1 and name != _ALL:
            problems.append(f"item {number} is the name of {len(named)} {noun}: select by key")
        chosen = chosen - named if is_excluded else chosen | named
    if not chosen and not problems:
        problems.append(f"none of the {noun} is left")
    if problems:
        raise Failure(f"{setting}: {'; '.join(problems)}. There are: {_listed(found)}.")
    return [one for one in found if one.key in chosen]


def _listed(partitions: Sequence[Partition]) -> str:
    named = [f"{one.name} ({one.key})" if one.names else one.key for one in partitions[:_NAMED_MAX]]
    left = len(partitions) - len(named)
    return (", ".join(named) + (f", and {left:,} more" if left else "")) or "none"
