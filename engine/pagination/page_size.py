"""The size of pages in styles whose responses, not their requests, say where the next page is."""

from __future__ import annotations

from typing import Final

from engine.requests import Request

PAGE_SIZE: Final = (
    "Number of rows per page, if the request has a parameter for it. A page that is larger than `api.limits.body` is "
    "then requested with fewer rows. Without it, the server decides."
)
"""What the key ``page_size`` means in these styles."""


class PageSize:
    """The number of rows to request per page, and the parameter for it; None leaves it to the server."""

    def __init__(self, rows: int | None, parameter: str) -> None:
        self._rows = rows
        self._parameter = parameter

    def in_request(self, request: Request) -> Request:
        """The request of a page of this size."""
        return request if self._rows is None else request.with_values({self._parameter: self._rows})

    def halve(self) -> bool:
        """Request half as many rows from now on; False if there can be no fewer."""
        if self._rows is None or self._rows == 1:
            return False
        self._rows //= 2
        return True
