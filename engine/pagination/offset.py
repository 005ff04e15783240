"""Pagination style ``offset``: a limit, and the number of rows to skip.

The set of rows can change between two requests. If a row that was read is deleted, all rows after it move forward, and
the next page silently starts too late. So each page starts with the last row of the page before it: if that row is
still there, no row was skipped. Otherwise, the paginator steps back until a page starts with a row that it has read.
The order must be stable, which a sort in the stream's body ensures.

A short page does not confirm the end, because servers and proxies cut pages. A page with nothing but the last row does,
and so does a short page whose response says that it is the last.

If two rows are too large for one response, each page is a single row, which cannot overlap with another. Then the row
in front of it is read again, after it: if that one was read before, no row was skipped.

A paginator can resume at an offset. Rows may have come and gone in front of it, so its position has the keys of some
rows that were read (:class:`~engine.pagination.bookmark.Bookmark`), and reading goes on at a page that has one of them.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Hashable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import ClassVar

from engine.declare.blocks import key
from engine.declare.values import Integer
from engine.failures import OrderMoved, ReadFailure
from engine.pagination.bookmark import Bookmark
from engine.pagination.counted import Counted
from engine.pagination.paginator import CountingPaginator, IsLater
from engine.pagination.unjoined import UnjoinedPaginator
from engine.requests import KeyedRecord, Page, Request

_WINDOW_PAGES = 10  # pages whose keys are kept, which bounds the memory
_MAX_REPEATS = 3
_MAX_STEPS_BACK = 20
_BOOKMARK_KEYS = 3  # one per page: should the last rows be gone, those of the page before are there


@dataclass(frozen=True, kw_only=True)
class Offset(Counted):
    """A number of rows to skip, `$offset`, and a page size, `$size`.

    They are sent as `offset` and `limit`, in the body of a POST request or the query of a GET request, unless the
    request writes them out: `query: {skip: $offset}`. Pages overlap by one row, so that rows inserted or deleted during
    the read cannot hide others; a server that accepts only multiples of the page size needs `page_number` with
    `$offset`. The order must be stable: name a sort in the stream's body or query. With `total`,
    `more` or `end`, the last page is not requested a second time to confirm that it is the last, unless it is full.
    """

    resumable: ClassVar[bool] = True
    usual: ClassVar[Mapping[str, str]] = {"size": "limit", "offset": "offset"}
    variables: ClassVar[tuple[str, ...]] = ("size", "offset")

    page_size: int = key(
        Integer(1), "Number of rows per page. Pages overlap by one row, so at least 2 are requested.", default=100
    )

    def paginate(
        self, request: Request, position: str | None = None, *, is_later: IsLater | None = None
    ) -> CountingPaginator:
        """Start at the first row, or resume at a position of an earlier paginator."""
        return _OffsetPaginator(self, request, Bookmark.parse(position))

    def paginate_unjoined(self, request: Request) -> CountingPaginator:
        """Read a list whose order moves: page after page until one is the last, whether or not they join."""
        template = self.placed(request)

        def page_at(size: int, pages: int, rows: int) -> Request:
            return self.page(template, {"size": size, "offset": rows}, is_first=rows == 0)

        def is_last(page: Page, size: int, pages: int, rows: int) -> bool:
            return self.is_short_and_last(page, rows, size)

        return UnjoinedPaginator(self.page_size, page_at, is_last)


class _OffsetPaginator:
    one_record = False

    def __init__(self, style: Offset, request: Request, bookmark: Bookmark | None) -> None:
        self._style = style
        self._template = style.placed(request)
        self._size = max(2, style.page_size)
        self._window: deque[Sequence[Hashable]] = deque()  # the keys of the last pages
        self._seen: set[Hashable] = set()  # the same keys
        self._previous: Sequence[Hashable] = ()
        self._first_page: Sequence[Hashable] = ()
        self._largest_page = 0
        self._after_only_row = False  # the first page held one row, so the next must be empty
        self._first: int | None = None  # the offset of the first page that was taken
        self._farthest = 0  # the end of the farthest page so far
        self._repeats = 0  # of the same page; a row inserted before a short page looks like one
        self._steps_back = 0  # since the farthest page
        self._bookmark = bookmark  # of the last row read
        self._unchecked: Page | None = None  # of one row, until the row in front of it is read again
        self._search: Iterator[int] = iter(())
        self._searching = bookmark is not None
        if bookmark is not None:
            self._search = bookmark.nearby(max(1, style.page_size - 1), 0)
        self.request: Request | None = self._at(next(self._search, 0))

    @property
    def position(self) -> str | None:
        return str(self._bookmark) if self._bookmark else None

    @property
    def length(self) -> int:
        return self._farthest - (self._first or 0)

    def _at(self, offset: int) -> Request:
        self._offset = offset
        return self._style.page(self._template, {"size": self._size, "offset": offset}, is_first=offset == 0)

    def shrink(self) -> bool:
        """Halve the pages."""
        if self._size == 1:
            return False
        self._size //= 2
        self.request = self._at(self._offset)
        return True

    def advance(self, page: Page) -> Sequence[KeyedRecord]:
        keys = [k for k, _ in page.records]
        if self._searching:
            return self._resume(page, keys)
        if self._size == 1:
            return self._advance_one_row(page, keys)
        if not keys and (self._offset == 0 or self._after_only_row):
            self.request = None
            return ()
        if self._offset > 0 and (not keys or self._after_only_row or keys[0] not in self._seen):
            self._step_back()
            return ()
        if self._offset > 0 and len(keys) == 1 and keys[0] == self._previous[-1]:
            self.request = None
            return ()
        return self._take(page, keys)

    def _advance_one_row(self, page: Page, keys: Sequence[Hashable]) -> Sequence[KeyedRecord]:
        """Take in a page of one row, once the row in front of it shows that none is missing between them."""
        if self._offset > 0 and self._unchecked is None:
            self._unchecked = page
            self.request = self._at(self._offset - 1)
            return ()
        following, self._unchecked = self._unchecked or page, None
        if following is not page:
            if not keys or keys[0] not in self._seen:
                self._step_back()
                return ()
            self._offset += 1
        if not following.records:
            self.request = None
            return ()
        return self._take(following, [k for k, _ in following.records])

    def _resume(self, page: Page, keys: Sequence[Hashable]) -> Sequence[KeyedRecord]:
        """Look for a page with a row of the bookmark. At offset 0, the list is read from its start instead."""
        assert self._bookmark is not None
        if self._offset > 0 and not self._bookmark.is_in(keys):
            self.request = self._at(next(self._search))
            return ()
        self._searching = False
        return self._take(page, keys) if keys else self.advance(page)

    def _take(self, page: Page, keys: Sequence[Hashable]) -> Sequence[KeyedRecord]:
        """Take in a page that joins the rows read."""
        self._check_progress(keys)
        new = [keyed for keyed in page.records if keyed[0] not in self._seen]
        self._first = self._offset if self._first is None else self._first
        if self._offset + len(keys) > self._farthest:
            self._farthest = self._offset + len(keys)
            self._steps_back = 0
        full = min(self._size, self._largest_page or self._size)
        is_last = self._style.is_short_and_last(page, self._offset + len(keys), full)
        self._previous = keys
        self._first_page = self._first_page or keys
        self._largest_page = max(self._largest_page, len(keys))
        self._remember(keys)
        last_rows = [page_keys[-1] for page_keys in self._window]
        self._bookmark = Bookmark.at(self._offset + len(keys) - 1, last_rows[-_BOOKMARK_KEYS:])
        self._after_only_row = self._offset == 0 and len(keys) == 1
        overlap = 0 if self._size == 1 or self._after_only_row else 1
        self.request = None if is_last else self._at(self._offset + len(keys) - overlap)
        return new

    def _check_progress(self, keys: Sequence[Hashable]) -> None:
        self._repeats = self._repeats + 1 if keys == self._previous else 0
        if self._repeats < _MAX_REPEATS:
            return
        same = f"offset {self._offset} returned the same {len(keys)} rows as the offset before it"
        if keys == self._first_page:
            raise ReadFailure(
                f"{same}: the server ignores $offset. Declare another pagination, or `pagination: single` for one "
                "request"
            )
        raise OrderMoved(f"{same}, {_MAX_REPEATS} times: rows move within the list faster than it can be read")

    def _remember(self, keys: Sequence[Hashable]) -> None:
        self._window.append(keys)
        self._seen.update(keys)
        if len(self._window) > _WINDOW_PAGES:
            self._seen.difference_update(self._window.popleft())

    def _step_back(self) -> None:
        """Go back, because rows before this offset are gone: twice as far each time, until a page joins the rows read.

        The page at offset 0 always does.
        """
        self._steps_back += 1
        if self._steps_back > _MAX_STEPS_BACK:
            message = f"{_MAX_STEPS_BACK} pages did not start with a row that was read before"
            if self._largest_page == 1 < self._size:
                raise ReadFailure(f"{message}: the server returns one row at a time, so pages cannot overlap")
            raise OrderMoved(
                f"{message}: the list changes faster than it can be read, or its order is not stable. Name a stable "
                "sort in the request"
            )
        self._after_only_row = False
        self._previous = (object(),)
        half_pages = 2 ** (self._steps_back - 1)
        self.request = self._at(max(0, self._offset - max(1, self._size // 2) * half_pages))
