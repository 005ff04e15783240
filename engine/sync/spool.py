"""Rows on disk: a list that is sent only once it was read to its end takes no memory."""

from __future__ import annotations

import pickle
import tempfile
from collections.abc import Iterator
from types import TracebackType
from typing import Final

from engine.rows.mapping import Row

_IN_MEMORY: Final = 2 * 2**20  # bytes; longer lists go to a temporary file


class Spool:
    """A queue of rows, as a context manager: filled, then read once."""

    def __init__(self) -> None:
        self._file = tempfile.SpooledTemporaryFile(_IN_MEMORY)  # noqa: SIM115
        self._pickler = pickle.Pickler(self._file, pickle.HIGHEST_PROTOCOL)

    def __enter__(self) -> Spool:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._file.close()

    def extend(self, rows: list[Row]) -> None:
        """Add rows."""
        self._pickler.clear_memo()  # otherwise it keeps every row in memory
        self._pickler.dump(rows)

    def __iter__(self) -> Iterator[Row]:
        self._file.seek(0)
        while True:
            try:
                rows: list[Row] = pickle.load(self._file)
            except EOFError:
                return
            yield from rows
