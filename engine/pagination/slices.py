"""A long list read by several walks at once: one that ends gives way to half of what the longest has left.

Nothing is asked for to find out where to cut. How many rows a walk has left is judged by how densely they lay on its
last page, so wherever they crowd, slices are cut again and again until no walk is much longer than the others.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import datetime, timedelta
from typing import Final

from engine.pagination.keyset import KeysetPaginator
from engine.pagination.paginator import Paginator

_NARROWEST: Final = 1 / 4096  # of the whole list's time: what bounds the requests that a wrong guess costs


class Slices:
    """The walks over one list, the slices that it is cut into among them.

    Args:
        walks: One, or those that an earlier reading was left with.
    """

    def __init__(self, paginators: Sequence[Paginator]) -> None:
        self._paginators = list(paginators)
        self._until: datetime | None = None
        self._total = self._least = 0
        self._narrowest = timedelta(0)

    def cut(self, until: datetime, total: int, least: int) -> None:
        """Cut from now on.

        Args:
            until: The list has few rows after this instant.
            total: How many rows it has.
            least: With fewer left for each of the walks, no walk is cut any more.
        """
        self._until, self._total, self._least = until, total, least
        self._narrowest = (
            max((paginator.left(until) for paginator in self._keysets()), default=timedelta(0)) * _NARROWEST
        )

    def __iter__(self) -> Iterator[Paginator]:
        """The walks. Take another one when there is room for it: where walks are cut, it is a new slice."""
        yield from tuple(self._paginators)
        while (half := self._half()) is not None:
            self._paginators.append(half)
            yield half

    def _half(self) -> KeysetPaginator | None:
        paginators, until = self._keysets(), self._until
        under_way = [paginator for paginator in paginators if paginator.request is not None]
        if until is None or self._total - sum(paginator.taken for paginator in paginators) < self._least * (
            len(under_way) + 1
        ):
            return None
        wide = [paginator for paginator in under_way if paginator.left(until) > self._narrowest]
        if not wide:
            return None
        return max(wide, key=lambda paginator: paginator.density * paginator.left(until).total_seconds()).halve(until)

    def _keysets(self) -> list[KeysetPaginator]:
        return [paginator for paginator in self._paginators if isinstance(paginator, KeysetPaginator)]

    @property
    def position(self) -> str | None:
        """Where each of the walks that are not at their end stands; None when one of them could not go on there."""
        positions = [paginator.position for paginator in self._paginators if paginator.request is not None]
        return ",".join(at for at in positions if at is not None) if positions and None not in positions else None
