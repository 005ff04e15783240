"""Strategies of other connectors, in a few lines each. They lose rows.

Each is a function of (fetch, state, table) that returns the next state. ``fetch`` returns a page for a sort, an offset
and a limit; ``table`` receives the rows by key. The strategies paginate by offset, keep their checkpoint in ``state``,
and stop where such a connector stops.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

Row = dict[str, Any]
Fetch = Callable[[str, int, int], list[Row]]
Table = dict[str, Row]
LIMIT = 4


def _pages(fetch: Fetch, sort: str) -> Any:
    offset = 0
    while page := fetch(sort, offset, LIMIT):
        yield page
        offset += len(page)


def updated_ascending(fetch: Fetch, state: str, table: Table) -> str:
    """Sorted by the cursor. The state is the newest cursor seen."""
    newest = state
    for page in _pages(fetch, "UPDATED_ASC"):
        for row in page:
            if row["updated"] >= state:
                table[row["id"]] = row
                newest = max(newest, row["updated"])
    return newest


def whole_list_newest_seen(fetch: Fetch, state: str, table: Table) -> str:
    """The whole list in a stable order, filtered by the client. The state is the newest cursor seen."""
    newest = state
    for page in _pages(fetch, "EXPECTED_ASC"):
        for row in page:
            if row["updated"] > state:
                table[row["id"]] = row
                newest = max(newest, row["updated"])
    return newest


def short_page_is_the_end(fetch: Fetch, state: str, table: Table) -> str:
    """The same, but a page shorter than the limit counts as the last."""
    newest, offset = state, 0
    while True:
        page = fetch("EXPECTED_ASC", offset, LIMIT + 1)
        for row in page:
            if row["updated"] >= state:
                table[row["id"]] = row
                newest = max(newest, row["updated"])
        offset += len(page)
        if len(page) < LIMIT + 1:
            return newest


def newest_by_start(fetch: Fetch, state: str, table: Table) -> str:
    """Newest start first, down to the newest start seen before. Older runs that have ended since are not read."""
    newest = state
    for page in _pages(fetch, "EXPECTED_DESC"):
        for row in page:
            if row["expected"] < state:
                return newest
            table[row["id"]] = row
            newest = max(newest, row["expected"])
    return newest


STRATEGIES = {
    "sorted by updated ascending, cursor = newest seen": updated_ascending,
    "stable sort, client-side filter, cursor = newest seen": whole_list_newest_seen,
    "stable sort, a short page ends the read": short_page_is_the_end,
    "newest start first, down to the last one seen": newest_by_start,
}
