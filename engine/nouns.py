"""Singular and plural of the nouns in log lines and messages: one rule, which the caller can override."""

from __future__ import annotations

import re


def singular(noun: str) -> str:
    """The singular of a plural noun. A noun that does not look like a plural is returned as it is.

    >>> [singular(noun) for noun in ("flow runs", "policies", "searches", "statuses", "user access")]
    ['flow run', 'policy', 'search', 'status', 'user access']
    """
    if re.search(r"[^aeiou]ies$", noun):
        return f"{noun[:-3]}y"
    if re.search(r"(ch|sh|ss|x|z|us)es$", noun):
        return noun[:-2]
    return noun if re.search(r"(ss|us|is)$", noun) else noun.removesuffix("s")


def plural(noun: str) -> str:
    """The plural of a singular noun.

    >>> [plural(noun) for noun in ("flow run", "policy", "search", "key")]
    ['flow runs', 'policies', 'searches', 'keys']
    """
    if re.search(r"[^aeiou]y$", noun):
        return f"{noun[:-1]}ies"
    return f"{noun}es" if re.search(r"(ch|sh|s|x|z)$", noun) else f"{noun}s"


def counted(count: int, nouns: str, one: str | None = None) -> str:
    """A number and its noun.

    Args:
        count: The number.
        nouns: The noun in the plural.
        one: The noun in the singular, if :func:`singular` would get it wrong.

    >>> counted(1, "policies"), counted(12_000, "rows")
    ('1 policy', '12,000 rows')
    """
    return f"{count:,} {(one or singular(nouns)) if count == 1 else nouns}"
