"""Cases that are known to fail: they are expected to, until they pass."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

import pytest


def known(reason: str, cases: Iterable[Any], fails: Callable[..., bool]) -> list[Any]:
    """Cases of a parametrized test; those that are known to fail are marked, and must fail.

    Args:
        reason: Why they fail.
        cases: The cases; a tuple is a case of several parameters.
        fails: Whether a case is known to fail.
    """
    mark = pytest.mark.xfail(strict=True, reason=reason)
    found = []
    for case in cases:
        values = case if isinstance(case, tuple) else (case,)
        found.append(pytest.param(*values, marks=mark if fails(*values) else ()))
    return found
