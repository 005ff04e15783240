"""What all tests share: lines for the report at the end of a run."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

Told = Callable[[str], None]

_LINES: pytest.StashKey[list[str]] = pytest.StashKey()


@pytest.fixture
def told(request: pytest.FixtureRequest) -> Told:
    """Takes a line for the report: a figure that a reader of the tests wants to see, passed or not."""
    return request.config.stash.setdefault(_LINES, []).append


def pytest_terminal_summary(terminalreporter: Any) -> None:
    """Print the lines."""
    lines = terminalreporter.config.stash.get(_LINES, [])
    if lines:
        terminalreporter.section("measured by the tests")
        for line in lines:
            terminalreporter.line(line)
