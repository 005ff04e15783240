"""Rows on disk: a list that is sent only once it was read to its end takes no memory."""

from __future__ import annotations

import pickle
import tempfile
from collections.abc import Iterator, Sequence
from types import TracebackType
from typing import Final, Generic, TypeVar

T = TypeVar("T")

_IN_MEMORY: Final = 2 * 2**20  # bytes; longer lists go to a temporary file


class Spool(Generic[T]):
    """A queue of items, as a context manager: filled, then read, and empty after :meth:`clear`."""

    def __init__(self) -> None:
        self.clear()

    def __enter__(self) -> Spool[T]:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._file.close()

    def extend(self, items: Sequence[T]) -> None:
        """Add items."""
        self._pickler.clear_memo()  # otherwise it keeps every item in memory
        self._pickler.dump(items)

    def clear(self) -> None:
        """Forget all items."""
        self._file = tempfile.SpooledTemporaryFile(_IN_MEMORY)  # noqa: SIM115
        self._pickler = pickle.Pickler(self._file, pickle.HIGHEST_PROTOCOL)

    def __iter__(self) -> Iterator[T]:
        self._file.seek(0)
        while True:
            try:
                items: Sequence[T] = pickle.load(self._file)
            except EOFError:
                return
            yield from items
