"""The history of the demo could have happened."""

from __future__ import annotations

import random
from collections import defaultdict
from datetime import datetime, timedelta, timezone
from statistics import median

import pytest

from dev.demo.history import DAYS, SEED, history
from tests.effort import cases, some

FINAL = {"COMPLETED", "FAILED", "CRASHED", "CANCELLED"}


@pytest.mark.parametrize("hour", some([3, 15]))
def test_runs_go_from_state_to_state(hour: int) -> None:
    """States follow each other in time, the final one is the last, and nothing has happened after now."""
    now = datetime(2026, 11, 26, hour, 40, tzinfo=timezone.utc)
    runs = history(now, random.Random(SEED))
    for run in runs:
        times = [state.at for state in run.states]
        assert times == sorted(times) and times[-1] <= now
        assert not {state.type for state in run.states[:-1]} & FINAL
        assert run.expected >= now - timedelta(days=DAYS)
    assert {run.states[-1].type for run in runs} >= FINAL | {"RUNNING", "PENDING", "SCHEDULED"}


def test_one_deployment_gets_slower_whenever_the_demo_runs() -> None:
    """By the medians that the report compares, and by more than any other."""
    for hour in random.Random(1).sample(range(7 * 24), cases(7 * 24)):
        now = datetime(2026, 11, 23, tzinfo=timezone.utc) + timedelta(hours=hour, minutes=40)
        seconds: dict[str, tuple[list[float], list[float]]] = defaultdict(lambda: ([], []))
        for run in history(now, random.Random(SEED)):
            if run.started and run.ended:
                of_deployment = seconds[f"{run.workload.flow} / {run.workload.deployment}"]
                of_deployment[run.expected >= now - timedelta(days=7)].append((run.ended - run.started).total_seconds())
        added = {
            name: (median(recent) - median(before)) * len(recent)
            for name, (before, recent) in seconds.items()
            if len(recent) >= 5 and median(recent) > 1.2 * median(before)
        }
        assert max(added, key=added.__getitem__, default=None) == "build-warehouse / nightly", hour
