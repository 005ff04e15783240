"""Where to cut a list into slices of about the same number of rows, found by counting."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Final

_NEAR: Final = 0.02  # of the whole: a slice may be so much too wide or too narrow
_MAX_STEPS: Final = 20


def cuts(
    count_from: Callable[[datetime], int], total: int, first: datetime, last: datetime, parts: int
) -> list[datetime]:
    """Ascending instants that cut a list into at most so many parts.

    Args:
        count_from: The number of rows at or after an instant.
        total: The number of rows in all.
        first: An instant at or before the first cut.
        last: An instant at or after the last cut; rows may lie beyond it.
        parts: How many parts are wanted.

    Returns:
        The first instant of each part but the first. Fewer where rows crowd at an instant.
    """
    found: list[datetime] = []
    left = total
    for part in range(1, parts):
        wanted = total * (parts - part) / parts
        low, high = found[-1] if found else first, last
        for _ in range(_MAX_STEPS):
            middle = low + (high - low) / 2
            count = count_from(middle)
            if abs(count - wanted) <= total * _NEAR or high - low <= timedelta(seconds=1):
                break
            low, high = (middle, high) if count > wanted else (low, middle)
        if middle > (found[-1] if found else first) and 0 < count < left:
            found.append(middle)
            left = count
    return found
