"""The counts on docs/performance.md that need no Prefect are those of the code."""

from __future__ import annotations

from dev.benchmarks import counts
from dev.benchmarks.__main__ import RESULTS
from dev.benchmarks.results import load

PUBLISHED = load(RESULTS)


def test_a_full_refresh_writes_what_changed() -> None:
    """One changed row is one upsert, one deleted row is one delete, and nothing is truncated."""
    assert counts.refresh().cases == PUBLISHED["refresh"].cases


def test_the_states_of_unchanged_runs_are_not_requested() -> None:
    """However many runs are open."""
    assert counts.children().median("nothing changed") == PUBLISHED["children"].median("nothing changed")
