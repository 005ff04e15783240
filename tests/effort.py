"""How many random cases a test tries: as many as it says in `make test`, a tenth of them in `make unit`."""

from __future__ import annotations

QUICK_SHARE = 10
quick = False
"""Set by the option ``--quick`` before any test is imported."""
times = 1
"""Set by the option ``--times``: so many times as many cases, for `make fuzz`."""


def cases(number: int) -> int:
    """The number of cases to try, where ``number`` is that of a thorough run."""
    return max(1, number * times // (QUICK_SHARE if quick else 1))
