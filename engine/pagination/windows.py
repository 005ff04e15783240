"""Windows: a list that is read from one instant to the next, for APIs that limit how much time a request may span.

The request has the bounds of each window as ``$from`` and ``$to``. Whatever style reads a window, the read can resume
at the window, and several parts of the time can be read at once. Positions have the form
``2024-05-01T10:00:00.000000Z`` or, of a part that ends before now, ``FROM..TO``; a position within the window follows
after a slash, quoted.

Whether the server takes bounds as inclusive is not known, so windows overlap by a second. The last one ends now, by the
server's clock as far as a response has shown it.
"""

from __future__ import annotations

from collections.abc import Callable, Hashable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final
from urllib.parse import quote, unquote

from engine.declare.blocks import key
from engine.declare.values import Boolean, Duration
from engine.instants import format_instant, parse_instant, shifted
from engine.pagination.paginator import Paginator
from engine.requests import KeyedRecord, Page, Request

Begin = Callable[[Request, str | None], Paginator]
"""Starts to read the list of a request, or resumes at a position in it."""

_OVERLAP: Final = timedelta(seconds=1)
_NARROWEST: Final = timedelta(seconds=4)
_CLOCK: Final = timedelta(minutes=1)  # how far behind the server's clock the last window may end


@dataclass(frozen=True, kw_only=True)
class Windows:
    """A list is read window by window: each request has the bounds of one, `$from` and `$to`.

    For APIs that limit the time between the two, or the number of results. It makes every pagination style resumable.
    """

    at_most: timedelta = key(Duration(positive=True), "The longest window that the server accepts: `31d`.")
    halve: bool = key(
        Boolean(),
        "Whether a window that the server rejects (400 or 422) is halved, because it has more results than the server "
        "returns.",
        default=False,
    )

    def parts(self, start: datetime, now: datetime, most: int) -> Sequence[str]:
        """The positions of at most so many parts, which can be read at once, in no more windows than one by one."""
        windows = max(1, -((self.overlap - (now - start)) // self._step))
        length = self._step * -(-windows // most)
        starts = [start + length * number for number in range(-(-self._step * windows // length))]
        ends = [f"..{format_instant(at + self.overlap)}" for at in starts[1:]]
        return [f"{format_instant(at)}{end}" for at, end in zip(starts, [*ends, ""], strict=True)]

    @property
    def overlap(self) -> timedelta:
        """How much of a window belongs to the one before, too."""
        return min(_OVERLAP, self.at_most / 10)

    @property
    def _step(self) -> timedelta:
        """From the start of a window to that of the next one."""
        return self.at_most - self.overlap

    def paginate(
        self, begin: Begin, request: Request, position: str | None, now: datetime, *, resumable: bool
    ) -> WindowsPaginator:
        """Start at the ``$from`` of the request, or resume at a position of an earlier paginator.

        Args:
            begin: Starts reading a window, or resumes at a position within it.
            request: The request of the list.
            position: The position.
            now: What time it is.
            resumable: Whether reading can be resumed within a window.
        """
        start: datetime = (request.values or {})["from"]
        return WindowsPaginator(self, begin, request, _Place.parse(position) or _Place(start), now, resumable)


@dataclass(frozen=True)
class _Place:
    """A place in a list: the start of a window, the end of the part that it belongs to, and a position within it."""

    start: datetime
    end: datetime | None = None
    inner: str | None = None

    @staticmethod
    def parse(position: str | None) -> _Place | None:
        """The place that a position stands for; None for a position of a style that has no windows."""
        bounds, _, inner = (position or "").partition("/")
        start, _, end = bounds.partition("..")
        try:
            return _Place(parse_instant(start), parse_instant(end) if end else None, unquote(inner) or None)
        except (ValueError, OverflowError):
            return None

    def __str__(self) -> str:
        end = f"..{format_instant(self.end)}" if self.end is not None else ""
        inner = f"/{quote(self.inner, safe='')}" if self.inner else ""
        return f"{format_instant(self.start)}{end}{inner}"


class WindowsPaginator:
    """One reading of a list, or of a part of its time."""

    one_record = False

    def __init__(
        self,
        windows: Windows,
        begin: Begin,
        request: Request,
        place: _Place,
        now: datetime,
        resumable: bool,
    ) -> None:
        self._windows = windows
        self._begin = begin
        self._template = request
        self._part_end = place.end
        self._now = now
        self._resumable = resumable
        self._seen: set[Hashable] = set()  # the keys of this window and of the one before
        self._keys: set[Hashable] = set()  # the keys of this window
        self._length = windows.at_most
        self.is_at_start = False
        """Whether no page of the window has been read yet."""
        self.request: Request | None = None
        self._open(place.start, place.inner)

    @property
    def position(self) -> str | None:
        """The start of the window and, if its style can resume, the position within it."""
        inner = self._inner.position if self._resumable else None
        return str(_Place(self._start, self._part_end, inner))

    def advance(self, page: Page) -> Sequence[KeyedRecord]:
        """Take in a page of the window."""
        if page.asked_at is not None:
            self._now = max(self._now, page.asked_at)
        is_empty = self.is_at_start and page.is_past_the_end
        self.is_at_start = False
        new = [] if is_empty else [keyed for keyed in self._inner.advance(page) if keyed[0] not in self._seen]
        self._keys.update(key for key, _ in page.records)
        self._seen.update(key for key, _ in new)
        self.request = None if is_empty else self._inner.request
        if self.request is None and self._end < self._limit:
            self._seen, self._length = self._keys, self._windows.at_most
            self._keys = set()
            self._open(shifted(self._end, -self._windows.overlap))
        return new

    def shrink(self) -> bool:
        """Let the style request fewer rows."""
        shrunk = self._inner.shrink()
        self.request = self._inner.request
        return shrunk

    def narrow(self) -> bool:
        """Read the first half of the window instead; False if that is not declared, or it is too short."""
        if not self._windows.halve or self._end - self._start < _NARROWEST:
            return False
        self._length = (self._end - self._start) / 2
        self._open(self._start)
        return True

    @property
    def _limit(self) -> datetime:
        """The end of the last window."""
        return self._part_end or shifted(self._now, -_CLOCK)

    def _open(self, start: datetime, inner: str | None = None) -> None:
        self._start = start
        self._end = min(shifted(start, self._length), self._part_end or max(self._now, start))
        window = self._template.bind({"from": start, "to": self._end})
        self._inner = self._begin(window, inner)
        self.request, self.is_at_start = self._inner.request, inner is None
