"""Reading: which of a stream's records are changes, and when a pass over it is complete."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any

from engine.state import RECENT_MAX, PassState, StreamState, fingerprint


class ChangeFilter:
    """One pass over an incremental stream: lets through the records that changed since the last complete pass.

    A pass that was interrupted goes on as itself: it keeps the start that it had.

    A record is a change when its cursor is at or after ``since`` (or when it has none, so that nothing can be told) and
    the destination does not have this very row yet.

    Args:
        state: Where the last complete pass left the stream.
        overlap: How far before this pass's start the next one looks.
    """

    def __init__(self, state: StreamState, overlap: timedelta) -> None:
        self._before = state
        self._overlap = overlap
        self._began: datetime | None = state.under_way.began if state.under_way else None
        self._recent: set[str] = set()

    def began(self, asked_at: datetime | None) -> None:
        """Tell when, by the server's clock, the pass asked for its first page. A resumed pass keeps its start."""
        if self._before.under_way is None:
            self._began = asked_at

    def may_be_new(self, cursor: datetime | None) -> bool:
        """Whether a record with this cursor can be a change; most of a history cannot, which costs one comparison."""
        return cursor is None or self._before.since is None or cursor >= self._before.since

    def is_new(self, row: Mapping[str, Any], cursor: datetime | None) -> bool:
        """Whether the row of such a record must be sent."""
        is_recent = cursor is not None and self._began is not None and cursor >= self._began - self._overlap
        if not is_recent and not self._before.recent:
            return True
        version = fingerprint(row)
        if is_recent and len(self._recent) < RECENT_MAX:
            self._recent.add(version)
        return version not in self._before.recent

    def complete(self) -> StreamState:
        """The state after this pass, which must have been read to its proven end.

        Without a server clock the state stays: the next pass then looks at the same changes again, and loses none.
        """
        if self._began is None:
            return replace(self._before, under_way=None)
        return StreamState(self._began - self._overlap, frozenset(self._recent))

    def so_far(self, position: str | None) -> StreamState:
        """The state in the middle of the pass: where another sync can go on, if it can."""
        if self._began is None or position is None:
            return self._before
        return replace(self._before, under_way=PassState(self._began, position))
