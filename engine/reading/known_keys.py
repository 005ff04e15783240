"""The keys of all rows that the destination has: with them, a reading of the whole list shows which rows are gone."""

from __future__ import annotations

from engine.state import KEYS_MAX, Key, Keys


class KnownKeys:
    """The keys of one table, as long as the state can hold them.

    A key is in the state before its row is written. Otherwise a destination that keeps what was written after the last
    checkpoint of a failed sync could hold a row that nothing ever deletes.

    Args:
        keys: What the state has; None if it does not know them all.
        elsewhere: The number of keys that other partitions have in the state.
    """

    def __init__(self, keys: Keys | None, elsewhere: int = 0) -> None:
        self.are_complete = keys is not None
        self._elsewhere = elsewhere
        self._set(keys or Keys())

    def _set(self, keys: Keys) -> None:
        self._found, self._missing, self._unsure = set(keys.found), set(keys.missing), set(keys.unsure)
        self._new = set[Key]()  # their rows are about to be written
        self._unlisted = set[Key]()  # those of them that the saved state does not have

    def __len__(self) -> int:
        return len(self._found) + len(self._missing) + len(self._unsure) + len(self._new)

    def __contains__(self, key: object) -> bool:
        return any(key in keys for keys in (self._found, self._missing, self._unsure, self._new))

    def lacks(self, key: Key) -> bool:
        """Whether the destination does not have the row with this key."""
        return self.are_complete and not (key in self._found or key in self._missing or key in self._new)

    def meet(self, key: Key) -> bool:
        """Note that the server has a row; returns whether the destination lacks it. The caller writes it then."""
        if not self.lacks(key):
            if key in self._missing:
                self._missing.remove(key)
                self._found.add(key)
            return False
        if key not in self._unsure:
            self._unlisted.add(key)
        self._unsure.discard(key)
        self._new.add(key)
        if len(self) + self._elsewhere > KEYS_MAX or not all(isinstance(part, (str, int)) for part in key):
            self.are_complete = False
            self._set(Keys())
        return True

    @property
    def unlisted_count(self) -> int:
        """The number of rows to write whose keys are not in the saved state."""
        return len(self._unlisted)

    def listed(self) -> None:
        """Note that the state has been saved."""
        self._unlisted.clear()

    def written(self) -> None:
        """Note that the rows that the destination lacked have been written."""
        self._found |= self._new
        self._new.clear()

    def forget(self, key: Key) -> None:
        """Drop the key of a row that was deleted."""
        for keys in (self._found, self._missing, self._unsure, self._new, self._unlisted):
            keys.discard(key)

    def begin_reading(self) -> None:
        """Note that the whole list is about to be read: no row has been met yet."""
        self._missing |= self._found
        self._found.clear()

    def start_over(self) -> None:
        """Note that the whole list is about to be sent to an empty table."""
        self.are_complete = True
        self._set(Keys())

    @property
    def missing(self) -> list[Key]:
        """The keys of the rows that the reading did not meet, in the same order each time."""
        return sorted(self._missing | self._unsure, key=repr)

    def state(self) -> Keys | None:
        """The keys for the state; None if they are not complete."""
        if not self.are_complete:
            return None
        return Keys(frozenset(self._found), frozenset(self._missing), frozenset(self._unsure | self._new))
