"""The bounds in docs/scale.md follow from what was measured."""

from __future__ import annotations

import re
from datetime import timedelta

import pytest

from tests.readme import PROJECT

PAGE, PERFORMANCE = ((PROJECT / "docs" / name).read_text("utf-8") for name in ("scale.md", "performance.md"))
UNITS = {"seconds": timedelta(seconds=1), "minutes": timedelta(minutes=1), "hours": timedelta(hours=1)}


def span(text: str) -> timedelta:
    number, unit = text.split()
    return float(number) * UNITS[unit]


def test_the_bounds_follow_from_the_measured_first_sync() -> None:
    """The first sync takes as long for each row, and each of 24 syncs a day re-reads a share of the history."""
    (measured,) = re.findall(r"First sync, 100,000 flow runs \| \*\*(\d+) s\*\*", PERFORMANCE)
    assert f"100,000 flow runs takes {measured} s" in " ".join(PAGE.split())
    rows = re.findall(r"^\| (\d+) million \| ([^|]+) \| ([^|]+) \|$", PAGE, re.MULTILINE)
    assert len(rows) == 4
    for millions, first, share in rows:
        expected = int(millions) * 10 * int(measured) * timedelta(seconds=1)
        assert span(first) / expected == pytest.approx(1, abs=0.03)
        assert span(share) / (expected / 24) == pytest.approx(1, abs=0.06)
