"""Slices: several paginators read one long list at once. When one ends, the longest of the others is split in two.

No requests are sent to find out where to split. The rows that a paginator has left are estimated from the density of
its last page. So slices are split again wherever rows are dense, until no paginator has much more left than the others.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import datetime, timedelta
from typing import Final

from engine.pagination.keyset import KeysetPaginator
from engine.pagination.paginator import Paginator

_NARROWEST: Final = 1 / 4096  # of the whole list's time; bounds the requests that wrong estimates cost


class Slices:
    """The paginators of one list.

    Args:
        paginators: One, or those in which an earlier reading ended.
    """

    def __init__(self, paginators: Sequence[Paginator]) -> None:
        self._paginators = list(paginators)
        self._end: datetime | None = None
        self._total = self._least = 0
        self._narrowest = timedelta(0)

    def cut(self, end: datetime, total: int, least: int) -> None:
        """Split paginators from now on.

        Args:
            end: An instant after which the list has few rows.
            total: The number of rows in the list.
            least: The number of rows that every paginator must have left, on average, for another split.
        """
        self._end, self._total, self._least = end, total, least
        remaining = (paginator.remaining(end) for paginator in self._keysets())
        self._narrowest = max(remaining, default=timedelta(0)) * _NARROWEST

    def __iter__(self) -> Iterator[Paginator]:
        """The paginators. Take the next one when another can be read: it may be split off then."""
        yield from tuple(self._paginators)
        while (half := self._split()) is not None:
            self._paginators.append(half)
            yield half

    def _split(self) -> KeysetPaginator | None:
        paginators, end = self._keysets(), self._end
        active = [paginator for paginator in paginators if paginator.request is not None]
        rows_left = self._total - sum(paginator.rows_read for paginator in paginators)
        if end is None or rows_left < self._least * (len(active) + 1):
            return None
        wide = [paginator for paginator in active if paginator.remaining(end) > self._narrowest]
        if not wide:
            return None
        longest = max(wide, key=lambda paginator: paginator.density * paginator.remaining(end).total_seconds())
        return longest.split(end)

    def _keysets(self) -> list[KeysetPaginator]:
        return [paginator for paginator in self._paginators if isinstance(paginator, KeysetPaginator)]

    @property
    def position(self) -> str | None:
        """The positions of the active paginators, comma-separated; None if there are none or one cannot resume."""
        positions = [paginator.position for paginator in self._paginators if paginator.request is not None]
        return ",".join(at for at in positions if at is not None) if positions and None not in positions else None
