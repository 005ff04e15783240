"""How other connectors read such a server: the strategies that lose rows, in a few lines each.

Each is a function from (ask, state, table) to the next state. ``ask`` takes a sort, an offset and a limit and answers
a page; ``table`` takes the rows by their key. They page by offset, keep what they checkpoint in ``state``, and stop
where a connector of their kind would.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

Row = dict[str, Any]
ListRequest = Callable[[str, int, int], list[Row]]
Table = dict[str, Row]
LIMIT = 4


def _pages(ask: ListRequest, sort: str) -> Any:
    offset = 0
    while page := ask(sort, offset, LIMIT):
        yield page
        offset += len(page)


def updated_ascending(ask: ListRequest, state: str, table: Table) -> str:
    """Pages sorted by the cursor; the state is the newest cursor seen."""
    newest = state
    for page in _pages(ask, "UPDATED_ASC"):
        for row in page:
            if row["updated"] >= state:
                table[row["id"]] = row
                newest = max(newest, row["updated"])
    return newest


def whole_list_newest_seen(ask: ListRequest, state: str, table: Table) -> str:
    """The whole list in a stable order, filtered by the client; the state is the newest cursor seen."""
    newest = state
    for page in _pages(ask, "EXPECTED_ASC"):
        for row in page:
            if row["updated"] > state:
                table[row["id"]] = row
                newest = max(newest, row["updated"])
    return newest


def short_page_is_the_end(ask: ListRequest, state: str, table: Table) -> str:
    """As above, and a page shorter than asked for is taken for the last."""
    newest, offset = state, 0
    while True:
        page = ask("EXPECTED_ASC", offset, LIMIT + 1)
        for row in page:
            if row["updated"] >= state:
                table[row["id"]] = row
                newest = max(newest, row["updated"])
        offset += len(page)
        if len(page) < LIMIT + 1:
            return newest


def newest_by_start(ask: ListRequest, state: str, table: Table) -> str:
    """Newest start first, down to the newest start seen before: what has ended since is not looked at."""
    newest = state
    for page in _pages(ask, "EXPECTED_DESC"):
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
