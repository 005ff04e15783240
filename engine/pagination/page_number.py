"""Pagination style ``page_number``: numbered pages.

Numbered pages cannot overlap, so a row that is deleted during the read moves another row to a page that was already
read. If the responses contain a total, the read starts over until the total is the same on every page, and as many
different rows were read. That finds every change of the number of rows, but not a row that is deleted while another is
inserted.

Without a total, a paginator can resume at a page. Rows may have come and gone in front of it, so its position has the
keys of some rows of the page before (:class:`~engine.pagination.bookmark.Bookmark`), and reading goes on at a page that
has one of them.
"""

from __future__ import annotations

from collections.abc import Hashable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import ClassVar, Final

from engine.declare.blocks import key
from engine.declare.response import RESPONSE_PLACE, ResponsePlace
from engine.declare.values import Integer
from engine.failures import OrderMoved, ReadFailure
from engine.pagination.bookmark import Bookmark
from engine.pagination.counted import Counted
from engine.pagination.ends import count_at
from engine.pagination.paginator import IsLater, Paginator
from engine.pagination.unjoined import UnjoinedPaginator
from engine.requests import KeyedRecord, Page, Request

_MAX_ROUNDS: Final = 20
_MAX_EMPTY_PAGES: Final = 100
_BOOKMARK_KEYS: Final = 3  # spread over a page


@dataclass(frozen=True, kw_only=True)
class PageNumber(Counted):
    """Page numbers, `$page`, and a page size, `$size`. The list ends with an empty page, or where the response says so.

    They are sent as `page` and `page_size`, in the body of a POST request or the query of a GET request, unless the
    request writes them out: `query: {per_page: $size}`. In place of a number, a request can have `$offset`, for servers
    whose offsets must be multiples of the page size. The order must be stable: name a sort in the stream's body or
    query. Pages do not overlap, so rows inserted or deleted during the read can hide others. With `total`, the read
    starts over until it has as many rows as the server counts. If the server has another style, prefer that, unless
    its links or tokens are page numbers, too.
    """

    usual: ClassVar[Mapping[str, str]] = {"size": "page_size", "page": "page"}
    variables: ClassVar[tuple[str, ...]] = ("size", "page", "offset")

    page_size: int = key(Integer(1), "Number of rows per page.", default=100)
    first: int = key(Integer(0, 1), "The number of the first page.", default=1)
    pages: ResponsePlace | None = key(
        RESPONSE_PLACE, "Where the response has the number of pages in the list.", default=None
    )

    def paginate(self, request: Request, position: str | None = None, *, is_later: IsLater | None = None) -> Paginator:
        """Start with the first page or, without a total, resume at a position of an earlier paginator."""
        return _PageNumberPaginator(self, request, None if self.total else Bookmark.parse(position))

    def paginate_unjoined(self, request: Request) -> Paginator:
        """Read a list whose order moves: page after page until one is the last, whether or not rows are missing."""
        template = self.placed(request)

        def page_at(size: int, pages: int, rows: int) -> Request:
            return self.numbered(template, self.first + pages, size)

        def is_last(page: Page, size: int, pages: int, rows: int) -> bool:
            return self.is_last_of(page, pages) or self.is_short_and_last(page, rows, size)

        return UnjoinedPaginator(self.page_size, page_at, is_last)

    def sized(self, request: Request) -> Request:
        """The request with its page's size and number, unless it has these, or the offset in place of the number."""
        if not request.uses("offset"):
            return super().sized(request)
        return request if request.uses("size") else request.with_keys({self.usual["size"]: "$size"})

    def numbered(self, template: Request, number: int, size: int) -> Request:
        """The request of a page."""
        before = number - self.first
        values = {"size": size, "page": number, "offset": before * size}
        return self.page(template, values, is_first=before == 0)

    def is_last_of(self, page: Page, number: int) -> bool | None:
        """Whether a response says that it is the last page, the numbered one from 1 on; None if it says neither."""
        said, pages = self.is_last(page), count_at(self.pages, page)
        if pages is None or (page.records and pages < number):  # a number of pages that is wrong
            return said
        return number >= pages and said is not False

    @property
    def resumable(self) -> bool:
        """Without a total: with one, all rows must be read in one go to be counted."""
        return self.total is None


class _PageNumberPaginator:
    one_record = False

    def __init__(self, style: PageNumber, request: Request, bookmark: Bookmark | None) -> None:
        self._style = style
        self._template = style.placed(request)
        self._size = style.page_size
        self._seen: set[Hashable] = set()  # in all rounds
        self._first_page: Sequence[Hashable] = ()
        self._rounds = 0
        self._start_over()
        self._bookmark = bookmark  # of the last page that was read
        self._search: Iterator[int] = iter(())
        if bookmark is not None:
            self._search = bookmark.nearby(1, style.first)
            self._go_to(next(self._search))
        self._searching = bookmark is not None

    @property
    def position(self) -> str | None:
        return str(self._bookmark) if self._bookmark else None

    def _start_over(self) -> None:
        self._rounds += 1
        if self._rounds > _MAX_ROUNDS:
            raise OrderMoved(
                f"{_MAX_ROUNDS} reads of all pages never had as many rows as the server counts: the list changes "
                "faster than it can be read, or its order is not stable"
            )
        self._this_round: set[Hashable] = set()
        self._total: int | None = None
        self._empty_pages = 0
        self._go_to(self._style.first)

    def _go_to(self, number: int) -> None:
        self._number = number
        self.request: Request | None = self._style.numbered(self._template, number, self._size)

    def shrink(self) -> bool:
        """Divide the pages, so that the rows before this one fill whole pages, too."""
        if self._size == 1:
            return False
        parts = next(n for n in range(2, self._size + 1) if self._size % n == 0)
        self._size //= parts
        first = self._style.first
        # A bookmark counts pages of the declared size.
        number = first if self._searching else first + (self._number - first) * parts
        self._searching = False
        self._go_to(number)
        return True

    def advance(self, page: Page) -> Sequence[KeyedRecord]:
        total = self._total_in(page)
        keys = [k for k, _ in page.records]
        if not self._is_found(keys):
            self._go_to(next(self._search))
            return ()
        is_repeated = bool(keys) and self._this_round.issuperset(keys)
        changed = self._number > self._style.first and total != self._total
        if is_repeated and not changed:
            self._check_progress(keys)
        self._total = total
        self._first_page = self._first_page or keys
        self._this_round.update(keys)
        new = [keyed for keyed in page.records if keyed[0] not in self._seen]
        self._seen.update(keys)
        is_last = self._is_last(page)
        if changed or ((is_last or is_repeated) and total is not None and len(self._this_round) != total):
            self._start_over()
        elif is_last or (total is not None and len(self._this_round) == total):
            self.request = None
        else:
            if total is None and keys:
                self._bookmark = Bookmark.at(self._number, keys[:: max(1, len(keys) // _BOOKMARK_KEYS)])
            self._go_to(self._number + 1)
        return new

    def _total_in(self, page: Page) -> int | None:
        """The total number of rows; None if none is declared. A rejected page has that of the page before it."""
        if page.is_past_the_end:
            return self._total
        total, place = count_at(self._style.total, page), self._style.total
        if place is not None and total is None:
            raise ReadFailure(f"the response has no total number of rows {place.where}")
        return total

    def _is_last(self, page: Page) -> bool:
        """Whether a page is the last. An empty one is, unless the response says that there are others."""
        said = self._style.is_last_of(page, self._number - self._style.first + 1)
        self._empty_pages = 0 if page.records else self._empty_pages + 1
        if said is False and self._empty_pages > _MAX_EMPTY_PAGES:
            raise ReadFailure(f"{self._empty_pages} pages in a row are empty, though there are more of them")
        return not page.records if said is None else said

    def _is_found(self, keys: Sequence[Hashable]) -> bool:
        """Whether a page continues the read: it has a row of the bookmark, if the read has just resumed."""
        if self._searching and self._bookmark is not None:
            self._searching = self._number != self._style.first and not self._bookmark.is_in(keys)
        return not self._searching

    def _check_progress(self, keys: Sequence[Hashable]) -> None:
        """A page of rows that were all read before is a failure. With a total, they can have moved there."""
        message = f"page {self._number} has only rows of earlier pages"
        if keys == self._first_page:
            raise ReadFailure(f"{message}: the server ignores $page")
        if self._style.total is None:
            raise OrderMoved(f"{message}: rows move within the list, or its order is not stable")
