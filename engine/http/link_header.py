"""The Link header (RFC 8288)."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Final

# Each part begins with a character that no part before it can end with, so that matching takes linear time.
_TARGET: Final = re.compile(r"[\s,]*<([^>]*)>")
_PARAMETER: Final = re.compile(r'\s*;\s*([^\s=;,"<>]*)\s*(?:=\s*(?:"((?:[^"\\]|\\.)*)"|([^\s;,"]*)))?')
_REL_NEXT: Final = re.compile(r"""\s*rel\s*=\s*["']?next["']?\s*""", re.IGNORECASE)


def next_link(header: str) -> str | None:
    """The target of rel="next"; None if there is none.

    >>> next_link('</a;b,c?page=1>; rel="first", </a;b,c?page=3>; title="a, b"; rel="Next last"')
    '/a;b,c?page=3'
    """
    for target, relations in _links(header):
        if "next" in relations:
            return target
    # Without its angle brackets it is still no end of the list.
    return None if "<" in header else next(_bare_next(header), None)


def _links(header: str) -> Iterator[tuple[str, list[str]]]:
    """The target of each link, and its relations: the first rel counts."""
    at = 0
    while match := _TARGET.search(header, at):
        at, relations = match.end(), None
        while parameter := _PARAMETER.match(header, at):
            at = parameter.end()
            if parameter[1].lower() == "rel" and relations is None:
                value = re.sub(r"\\(.)", r"\1", parameter[2]) if parameter[2] is not None else parameter[3] or ""
                relations = value.strip("'").lower().split()
        yield match[1].strip(), relations or []


def _bare_next(header: str) -> Iterator[str]:
    for link in header.split(","):
        target, *parameters = link.split(";")
        if target.strip() and any(map(_REL_NEXT.fullmatch, parameters)):
            yield target.strip()
