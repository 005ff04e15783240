"""How many cases a test tries: all in `make test`; in `make unit` a fortieth, a quarter, or pairs of values."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from itertools import cycle, product
from typing import TypeVar

First = TypeVar("First")
Second = TypeVar("Second")

QUICK_SHARE = 40
quick = False
"""Set by the option ``--quick`` before any test is imported."""
times = 1
"""Set by the option ``--times``: so many times as many cases, for `make fuzz`."""


def cases(number: int) -> int:
    """The number of cases to try, where ``number`` is that of a thorough run."""
    return max(1, number * times // (QUICK_SHARE if quick else 1))


def pairs(first: Iterable[First], second: Sequence[Second]) -> list[tuple[First, Second]]:
    """Each value with each; in a quick run each value of the first with one of the second, which take turns."""
    return [*zip(first, cycle(second))] if quick else [*product(first, second)]


def some(places: Sequence[First]) -> Sequence[First]:
    """All places at which something can happen; in a quick run every fourth."""
    return places[::4] if quick else places
