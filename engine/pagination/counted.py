"""What styles have in common that count pages or rows from the start of the list."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

from engine.declare.blocks import key
from engine.declare.response import RESPONSE_PLACE, ResponsePlace
from engine.declare.values import Boolean, Integer, OneOrMore
from engine.pagination.ends import Ends, count_at
from engine.requests import Page, Request


@dataclass(frozen=True, kw_only=True)
class Counted(Ends):
    """The keys of styles that count pages or rows from the start of the list."""

    stable: bool | None = key(
        Boolean(),
        "Whether rows keep their places while the list is read. If not, as in a list sorted by priority or by the last "
        "heartbeat, the list is read until two readings agree. By default, the list of a full refresh is "
        "stable if its request has a body or a query, which can name a sort.",
        default=None,
    )
    total: ResponsePlace | None = key(
        RESPONSE_PLACE, "Where the response has the total number of rows in the list.", default=None
    )
    past_the_end: tuple[int, ...] = key(
        OneOrMore(Integer(400, 499)),
        "The status, or several, with which the server rejects a page past the last one, if it does not return an "
        "empty page. Without it, a rejected page is a failure.",
        default=(),
    )

    def page(self, template: Request, values: Mapping[str, Any], *, is_first: bool) -> Request:
        """The request of a page. Only one after the first can be past the end."""
        return replace(template.bind(values), past_the_end=() if is_first else self.past_the_end)

    def is_short_and_last(self, page: Page, rows: int, full: int) -> bool:
        """Whether a page has fewer records than a full one, and its response says that it is the last.

        A full page is not believed: some servers count no more than 10,000 rows, or only those of the page.

        Args:
            page: The page.
            rows: The number of rows from the start of the list to its end.
            full: The number of records on a full page.
        """
        total = count_at(self.total, page)
        said = [self.is_last(page), None if total is None else total == rows]
        return len(page.records) < full and True in said and False not in said
