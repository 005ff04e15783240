"""What responses say about the end of their list, in styles whose pages alone do not show it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Final

from engine.declare.blocks import key
from engine.declare.response import RESPONSE_PLACE, ResponsePlace
from engine.failures import ReadFailure
from engine.pagination.counts import as_count
from engine.pagination.placed import Placed
from engine.requests import Page

_BOOLEANS: Final = {"true": True, "1": True, "false": False, "0": False}


@dataclass(frozen=True, kw_only=True)
class Ends(Placed):
    """The keys of styles in which a response can say whether it is the last page."""

    more: ResponsePlace | None = key(
        RESPONSE_PLACE, "Where the response says whether there is another page, `true` or `false`.", default=None
    )
    end: ResponsePlace | None = key(
        RESPONSE_PLACE, "Where the response says whether it is the last page, `true` or `false`.", default=None
    )

    def is_last(self, page: Page) -> bool | None:
        """Whether a response says that it is the last page; None if it says neither.

        Raises:
            ReadFailure: it has something other than a boolean there.
        """
        more, end = (None if place is None else _boolean_at(place, page) for place in (self.more, self.end))
        if more is False or end is True:
            return True
        return None if more is None and end is None else False


def value_at(place: ResponsePlace, page: Page) -> Any:
    """The value at a place of a page's response; None if there is none."""
    return place.value(page.headers, lambda: page.document)


def count_at(place: ResponsePlace | None, page: Page) -> int | None:
    """The number at a place of a page's response; None if there is none."""
    return None if place is None else as_count(value_at(place, page))


def _boolean_at(place: ResponsePlace, page: Page) -> bool | None:
    value = value_at(place, page)
    if value is None or isinstance(value, bool):
        return value
    said = _BOOLEANS.get(str(value).strip().lower())
    if said is None:
        raise ReadFailure(f"the value {place.where} is neither true nor false, so it does not say whether pages follow")
    return said
