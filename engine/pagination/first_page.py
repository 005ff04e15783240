"""Whether a list ends with a first page that names no other, in styles whose responses say where the next page is.

Many servers leave out the token or link of the last page. So does every page if streams.yaml looks for it in the wrong
place, and the rest of the list would be missing in silence. If the only page is full, the list is requested with one
row less per page: then there must be a next page, and the response must say where.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import replace
from itertools import islice
from typing import Any, Final

from engine.declare.response import ResponsePlace
from engine.failures import ReadFailure
from engine.jsonpath import leading_steps
from engine.requests import Page, Request

_MORE: Final = ("hasmore", "hasnext", "hasnextpage", "hasmoreitems", "hasmoreresults", "more", "morefollows")
_NO_MORE: Final = ("islast", "last", "lastpage", "islastpage", "end", "isend", "endoflist", "done", "complete")
_PAGES: Final = re.compile("page|pagin|meta|cursor|links", re.IGNORECASE)
_NEXT: Final = re.compile(r"[\w@-]{0,40}(next|token|cursor|continuation)[\w@-]{0,40}", re.IGNORECASE | re.ASCII)
_NEXT_LINK: Final = re.compile(r"(@odata\.)?next(page|records|results)?(link|url|uri|href|path)?")
_DEEPEST: Final = 4
_SHOWN: Final = 3
_REJECTED: Final = (400, 404, 422)


class FirstPage:
    """The first page of a list, and the second request that confirms that it is the last.

    Args:
        source: What names the next page, in words.
        template: The request of the first page.
        size: The number of rows per page; None if the server decides.
    """

    def __init__(self, source: str, template: Request, size: int | None) -> None:
        self._source = source
        self._template = template
        self._size = size
        self.is_checked = False
        """Whether the second request is on its way."""

    def check(self, page: Page, place: ResponsePlace | None) -> Request | None:
        """Take in the page, in which nothing names the next one.

        Args:
            page: The page.
            place: Where the next page would be named; None for the Link header.

        Returns:
            The request that confirms that the list ends here; None if none is needed, or could.

        Raises:
            ReadFailure: the response says that there are more pages, or links to the next one elsewhere.
        """
        if says_more(page.document):
            raise ReadFailure(f"the response says that there are more pages, and {self._missing(page)}")
        if not _is_there(place, page) and (link := next(_next_links(page.document), None)):
            raise ReadFailure(f"the response links to the next page at {link}, and {self._source} is missing")
        if self._size is None or self._size < 2 or len(page.records) < self._size or _is_there(place, page):
            return None
        self.is_checked = True
        return replace(self._template.bind({"size": self._size - 1}), past_the_end=_REJECTED)

    def confirm(self, page: Page, *, has_next: bool) -> None:
        """Take in the page of one row less.

        Raises:
            ReadFailure: it does not name the next page either, although there is one.
        """
        assert self._size is not None
        if not has_next and len(page.records) == self._size - 1:
            raise ReadFailure(
                f"the list has more than {len(page.records)} rows, but of a page with so many, {self._missing(page)}"
            )

    def _missing(self, page: Page) -> str:
        found = [*islice(_similar(page.document), _SHOWN)]
        hint = f"; the response has {', '.join(found)}" if found else ""
        return f"{self._source} is missing{hint}"


def says_no_more(document: Any) -> bool:
    """Whether a response, or an object in it, says under one of the usual names that there is no other page."""
    if not isinstance(document, Mapping):
        return False
    for place in (document, *(value for value in document.values() if isinstance(value, Mapping))):
        for name, value in place.items():
            if (_plain(name) in _MORE and value is False) or (_plain(name) in _NO_MORE and value is True):
                return True
    return False


def says_more(document: Any) -> bool:
    """Whether a response says, at its top or beside other words about pages, that there is another page."""
    said = (place for place, name, value in _properties(document) if _plain(name) in _MORE and value is True)
    return any(len(place) == 1 or _PAGES.search(place[-2]) for place in said)


def _similar(document: Any) -> Iterator[str]:
    """The places of a response that could name the next page."""
    for place, name, value in _properties(document):
        if _NEXT.fullmatch(name) and value and isinstance(value, (str, int)) and not isinstance(value, bool):
            yield _written(place)


def _next_links(document: Any) -> Iterator[str]:
    """The places of a response, at its top or beside other words about pages, that link to the next page."""
    for place, name, value in _properties(document):
        is_link = isinstance(value, str) and ("://" in value or value.startswith(("/", "?")))
        if is_link and _NEXT_LINK.fullmatch(_plain(name)) and (len(place) == 1 or _PAGES.search(place[-2])):
            yield _written(place)


def _written(place: Iterable[str]) -> str:
    """A place as a JSONPath."""
    return "$" + "".join(f".{name}" if name.isidentifier() else f"['{name}']" for name in place)


def _properties(document: Any, above: tuple[str, ...] = ()) -> Iterator[tuple[tuple[str, ...], str, Any]]:
    """The properties of a response and of the objects in it: the names that lead to each, its own and its value."""
    if not isinstance(document, Mapping) or len(above) == _DEEPEST:
        return
    for name, value in document.items():
        yield (*above, name), name, value
        yield from _properties(value, (*above, name))


def _plain(name: str) -> str:
    return name.lower().replace("_", "").replace("-", "")


def _is_there(place: ResponsePlace | None, page: Page) -> bool:
    """Whether a response has a place, be it empty or null, which says that there is no next page."""
    if place is None or place.path is None:
        return place is not None and place.value(page.headers, lambda: None) is not None
    steps, is_whole = leading_steps(place.path.text)
    value = page.document
    for step in steps:
        if isinstance(value, Mapping) and step in value:
            value = value[step]
        else:
            return value is None
    return is_whole or value is None
