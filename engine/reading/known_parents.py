"""The rows of a parent whose children the destination has, so that only their changes are requested from then on."""

from __future__ import annotations

import hashlib
from collections.abc import Hashable, Iterable

from engine.state import PARENT_BYTES, PARENTS_MAX


class KnownParents:
    """Rows of the parent, as long as the state can hold them, and of the parent's parent if its rows are asked, too.

    If there are too many, none is known: all children are read again and sent, rather than those of a new row missed.

    Args:
        before: Their digests in the state.
        is_resumed: Whether a part of the pass was read by an earlier sync.
        elsewhere: The number of rows that other partitions have in the state.
    """

    def __init__(self, before: frozenset[bytes] = frozenset(), *, is_resumed: bool = False, elsewhere: int = 0) -> None:
        self._before = before
        self._elsewhere = elsewhere
        self._is_resumed = is_resumed
        self._read = set[bytes]()
        self._unread = set[bytes]()

    def knows(self, stream: str, key: Hashable) -> bool:
        """Whether the destination has the children of a row, as of the last pass or of this one."""
        digest = _digest(stream, key)
        return digest not in self._unread and (digest in self._before or digest in self._read)

    def read(self, stream: str, keys: Iterable[Hashable]) -> None:
        """Note that the children of these rows have been written."""
        self._read.update(_digest(stream, key) for key in keys)

    def skip(self, stream: str, keys: Iterable[Hashable]) -> None:
        """Note that the children of these rows cannot be read, so that the next pass reads them from the beginning."""
        self._unread.update(_digest(stream, key) for key in keys)

    @property
    def are_too_many(self) -> bool:
        """Whether the state cannot hold them."""
        return len(self._read) + self._elsewhere > PARENTS_MAX

    def so_far(self) -> frozenset[bytes]:
        """Those that are known in the middle of a pass."""
        return self._that_fit((self._before | self._read) - self._unread)

    def after_pass(self) -> frozenset[bytes]:
        """Those that are known after a pass: the rows that are gone are forgotten."""
        return self.so_far() if self._is_resumed else self._that_fit(self._read - self._unread)

    def _that_fit(self, digests: Iterable[bytes]) -> frozenset[bytes]:
        found = frozenset(digests)
        return found if len(found) + self._elsewhere <= PARENTS_MAX else frozenset()


def _digest(stream: str, key: Hashable) -> bytes:
    return hashlib.blake2b(repr((stream, key)).encode(), digest_size=PARENT_BYTES).digest()
