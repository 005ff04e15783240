"""The bounds in docs/scale.md follow from what was measured."""

from __future__ import annotations

import re
from datetime import timedelta

import pytest

from dev.benchmarks.workspaces import AT_ONCE, SECONDS_A_REQUEST, WORKSPACES
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


def test_the_bounds_of_workspaces_follow_from_what_was_measured() -> None:
    """Requests and state grow with the workspaces, and checkpoints do not."""
    block = PAGE.split("<!-- workspaces -->")[1].split("<!-- /workspaces -->")[0]
    rows = [
        [cell.strip().replace(",", "") for cell in line.split("|")[1:-1]] for line in block.splitlines()[3:] if line
    ]
    measured = [[int(row[at].split()[0]) for at in (0, 4, 5, 7)] for row in rows if row]
    assert [workspaces for workspaces, *_ in measured] == list(WORKSPACES)
    for workspaces, requests, checkpoints, kilobytes in measured:
        assert checkpoints == 1
        assert requests / workspaces == pytest.approx(measured[-1][1] / measured[-1][0], rel=0.1)
        assert kilobytes / workspaces == pytest.approx(measured[-1][3] / measured[-1][0], rel=0.1)
    hour = 3600 / SECONDS_A_REQUEST * AT_ONCE / (measured[-1][1] / measured[-1][0])
    (said,) = re.findall(r"an hour is enough for ([\d,]+) workspaces", " ".join(block.split()))
    assert int(said.replace(",", "")) == pytest.approx(hour, rel=0.05)
