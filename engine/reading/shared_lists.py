"""A parent's list, changes or a change feed, which several streams of a sync read: requested once, and kept on disk."""

from __future__ import annotations

import pickle
import tempfile
import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Final, Generic, TypeVar

from engine.failures import Failure
from engine.instants import shifted
from engine.reading.batch import Batch, DeletedRow
from engine.reading.window import CLOCK_RESOLUTION
from engine.state import Interval, KeyValue

_IN_MEMORY: Final = 2 * 2**20  # bytes; longer lists go to a temporary file
_EARLIER: Final = timedelta(minutes=5)  # how far apart passes of one sync can begin and still share a feed
_MAX_BYTES: Final = 2**30  # a longer list is requested by each stream that reads it

Item = TypeVar("Item", bound="Batch | DeletedRow")


class SharedLists:
    """The lists of a sync, for readers in several threads.

    Args:
        readers: By the name of a stream, how many streams read its list.
        feeds: By the name of a stream, what its change feed requests. Streams for which it is the same share it.
    """

    def __init__(self, readers: Mapping[str, int], feeds: Mapping[str, Any] = {}) -> None:
        self._readers = dict(readers)
        self._feeds = feeds
        self._lists: dict[str, SharedReading[Batch]] = {}
        self._changes: list[tuple[Any, datetime, SharedReading[Batch]]] = []
        self._lock = threading.Lock()

    def read(self, stream: str, batches: Callable[[], Iterator[Batch]]) -> Iterator[Batch]:
        """The batches of a stream's whole list: those that another reader requested, then further ones."""
        with self._lock:
            left = self._readers.get(stream, 0)
            self._readers[stream] = left - 1
            shared = self._lists.pop(stream, None)
            if left > 1:
                shared = self._lists[stream] = shared or SharedReading(batches())
        return shared.read() if shared is not None and shared.join() else batches()

    def changes(self, stream: str, since: datetime, batches: Callable[[datetime], Iterator[Batch]]) -> Iterator[Batch]:
        """The batches of a stream's change feed: those that another stream requested, then further ones.

        Theirs will do if they begin no later. If they begin much earlier, because that stream has failed since, they
        have many changes that this one knows.

        Args:
            stream: The name of the stream.
            since: From when on changes are wanted.
            batches: Requests them from an instant on.
        """
        feed = self._feeds.get(stream)
        if feed is None or [*self._feeds.values()].count(feed) == 1:
            return batches(since)
        with self._lock:
            for other, began, reading in self._changes:
                if other == feed and began <= since <= shifted(began, _EARLIER) and reading.join():
                    return reading.read()
            began = shifted(since, -CLOCK_RESOLUTION)
            own = SharedReading(batches(began))
            own.join()
            self._changes.append((feed, began, own))
        return own.read()

    def forget(self) -> None:
        """Drop what was read, so that it is requested again."""
        with self._lock:
            self._lists.clear()
            self._changes.clear()


class SharedReading(Generic[Item]):
    """What is read once and taken by several readers. Whichever of them is ahead requests the next batch."""

    def __init__(self, batches: Iterator[Item]) -> None:
        self._batches = batches
        self._file = tempfile.SpooledTemporaryFile(_IN_MEMORY)  # noqa: SIM115
        self._starts: list[int] = []  # of each batch in the file
        self._failure: BaseException | None = None
        self._has_ended = self._is_too_long = False
        self._lock = threading.Lock()
        self._size = self._readers = 0

    def join(self) -> bool:
        """Add a reader; returns whether it can read from the start."""
        with self._lock:
            self._readers += 1
            return self._failure is None and not self._is_too_long

    def read(self) -> Iterator[Item]:
        """The batches, from the first on."""
        at = 0
        while (batch := self._batch(at)) is not None:
            yield batch
            at += 1

    def _batch(self, at: int) -> Item | None:
        with self._lock:
            if at < len(self._starts):
                self._file.seek(self._starts[at])
                batch: Item = pickle.load(self._file)
                return batch
            if self._failure is not None:
                raise self._failure
            return None if self._has_ended else self._next()

    def _next(self) -> Item | None:
        """The next batch, which is kept; None at the end."""
        try:
            batch = next(self._batches)
        except StopIteration:
            self._has_ended = True
            return None
        except BaseException as failure:
            self._failure = failure
            raise
        self._keep(batch)
        return batch

    def _keep(self, batch: Item) -> None:
        self._starts.append(self._size)
        if self._is_too_long:  # there is one reader, which has this batch
            return
        self._file.seek(self._size)
        pickle.dump(batch, self._file, pickle.HIGHEST_PROTOCOL)
        self._size = self._file.tell()
        if self._size > _MAX_BYTES and self._readers == 1:
            self._is_too_long = True
            self._file.close()


@dataclass(frozen=True)
class SharedChanges:
    """What a pass over the changes of a stream since an instant finds.

    ``open``: the keys of rows that it looks up if no list has them. ``covered``: the intervals that it covers at its
    end. ``left_out``: the failures of what is left to reconciliation.
    """

    since: datetime
    open: frozenset[KeyValue]
    found: SharedReading[Batch | DeletedRow]
    covered: Mapping[str, Interval]
    left_out: Sequence[Failure]
