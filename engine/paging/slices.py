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
    known = [(first, total), (last, 0)]  # instants, ascending, and the rows from each on
    found: list[datetime] = []
    left = total
    for part in range(1, parts):
        wanted = total * (parts - part) / parts
        for step in range(_MAX_STEPS):
            above = next(index for index, (_, count) in enumerate(known) if count < wanted)
            (low, most), (high, fewest) = known[above - 1], known[above]
            instant, rows = (low, most) if most - wanted < wanted - fewest else (high, fewest)
            if abs(rows - wanted) <= total * _NEAR or high - low <= timedelta(seconds=1):
                break
            # Where the cut is if rows are spread evenly; every other time half-way, for rows that crowd.
            guess = low + (high - low) * (0.5 if step % 2 else (most - wanted) / (most - fewest))
            known.insert(above, (guess, min(max(count_from(guess), fewest), most)))
        if instant > (found[-1] if found else first) and 0 < rows < left:
            found.append(instant)
            left = rows
    return found
