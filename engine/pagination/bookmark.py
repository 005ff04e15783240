"""Bookmarks: a place in a list by its number of rows or pages, and by keys of rows that were read there.

Rows that come and go shift all rows after them, so a number alone does not lead back to a place. A page that contains
a row that was read does: in a stable order, whatever existed before that row has been read, too.
"""

from __future__ import annotations

import json
from collections.abc import Hashable, Iterable, Iterator
from dataclasses import dataclass
from typing import Final
from urllib.parse import quote, unquote

_MAX_STEPS: Final = 20  # in each direction; after those, the list is read from its start


@dataclass(frozen=True)
class Bookmark:
    """A place in a list.

    Args:
        number: The rows or pages before it.
        keys: The keys of some rows that were read before it, as text.
    """

    number: int
    keys: tuple[str, ...]

    @staticmethod
    def at(number: int, keys: Iterable[Hashable]) -> Bookmark:
        """The bookmark of a place."""
        return Bookmark(number, tuple(map(_text, keys)))

    @staticmethod
    def parse(text: str | None) -> Bookmark | None:
        """The bookmark that a position stands for; None if it is not one."""
        number, _, keys = (text or "").partition("@")
        try:
            return Bookmark(int(number), tuple(map(str, json.loads(unquote(keys)))))
        except (TypeError, ValueError):
            return None

    def __str__(self) -> str:
        """The position: ``1200@`` and the keys, which contain no comma and no dot there."""
        keys = json.dumps(self.keys, separators=(",", ":"))
        return f"{self.number}@{quote(keys, safe='').replace('.', '%2E')}"

    def is_in(self, keys: Iterable[Hashable]) -> bool:
        """Whether one of the rows is on a page with these keys."""
        return not set(self.keys).isdisjoint(map(_text, keys))

    def nearby(self, step: int, first: int) -> Iterator[int]:
        """Numbers at which to look for the rows: the bookmark's, before and after it in turn, and the first.

        A search costs no more than to read half of what lies before the bookmark.
        """
        yield self.number
        reach = min(_MAX_STEPS, (self.number - first) // (4 * step))
        for distance in range(step, step * reach + 1, step):
            yield self.number - distance
            yield self.number + distance
        yield first


def _text(key: Hashable) -> str:
    """A key as text, which is the same after it was stored."""
    return json.dumps(key, default=str, separators=(",", ":"))
