"""Pages of a list whose order moves, so that no two of them need to join.

One reading proves nothing: a row can move from a page not yet read to one that was read. Whoever reads such a list
reads it until two readings agree.
"""

from __future__ import annotations

from collections.abc import Callable, Hashable, Sequence

from engine.failures import ReadFailure
from engine.requests import KeyedRecord, Page, Request

_MAX_REPEATS = 3


class UnjoinedPaginator:
    """Reads page after page until one is empty, or the response says that it is the last.

    Args:
        size: The number of rows per page.
        page_at: The request of a page, by its size and by the number of pages and of rows before it.
        is_last: Whether the response says that a page is the last, by its size and by the number of pages and of rows
            up to its end.
    """

    position = None
    one_record = False

    def __init__(
        self, size: int, page_at: Callable[[int, int, int], Request], is_last: Callable[[Page, int, int, int], bool]
    ) -> None:
        self._size = size
        self._page_at = page_at
        self._is_last = is_last
        self._start_over()

    def _start_over(self) -> None:
        self._pages = self._rows = self._repeats = 0
        self._previous: Sequence[Hashable] = ()
        self.request: Request | None = self._page_at(self._size, 0, 0)

    @property
    def length(self) -> int:
        """The number of rows that the list has, as far as it was read."""
        return self._rows

    def shrink(self) -> bool:
        """Start over with pages of half the size: whoever reads such a list drops the rows that come twice."""
        if self._size == 1:
            return False
        self._size //= 2
        self._start_over()
        return True

    def advance(self, page: Page) -> Sequence[KeyedRecord]:
        """Take in a page; returns its records.

        Raises:
            ReadFailure: page after page is the same.
        """
        keys = [key for key, _ in page.records]
        self._repeats = self._repeats + 1 if keys and keys == self._previous else 0
        if self._repeats == _MAX_REPEATS:
            raise ReadFailure(f"{_MAX_REPEATS} pages in a row hold the same {len(keys)} rows")
        self._previous = keys
        self._pages += 1
        self._rows += len(keys)
        at_end = not keys or self._is_last(page, self._size, self._pages, self._rows)
        self.request = None if at_end else self._page_at(self._size, self._pages, self._rows)
        return page.records
