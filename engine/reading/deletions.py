"""What the server's count says of rows that are gone from a list of which all keys are remembered.

A count can be wrong, so what matters is how wrong it is: as long as it exceeds the number of known rows by as much as
it did when the list was last read, no row is gone.

So can a list: a cache or a replica can still have rows that are gone. The count then exceeds it by less than before,
which is believed only if the list shows it again some time later.
"""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Final

from engine.state import Surplus

_LASTS: Final = timedelta(days=1)  # how long a wrong count is relied on: it may not count at all


def may_have_deleted(total: int | None, known: int | None, surplus: Surplus | None, now: datetime) -> bool:
    """Whether rows can be gone.

    Args:
        total: The server's count; None if it has none.
        known: The number of rows that the destination has; None if there are too many to know.
        surplus: How wrong the count was when the list was last read; None if it was right.
        now: The start of this sync.
    """
    is_recent = surplus is not None and surplus.is_sure and timedelta(0) <= now - surplus.found < _LASTS
    if known is None:
        return not is_recent
    if total is None or surplus is None:
        return total != known
    return total - known != surplus.rows or not is_recent


def surplus_shown(rows: int, before: Surplus | None, now: datetime, lookback: timedelta) -> Surplus | None:
    """How wrong the count is, after a reading of the list that met exactly the known rows.

    Args:
        rows: By how many it exceeds them.
        before: How wrong it was; None if it was right.
        now: The start of this sync.
        lookback: How long a response can be behind.
    """
    if rows == 0:
        return None
    if before is not None and not before.is_sure and before.rows == rows:
        return Surplus(rows, now) if now - before.found >= lookback else before
    least = 0 if before is None else before.rows if before.is_sure else max(before.rows, 0)
    return Surplus(rows, now, is_sure=rows >= least)
