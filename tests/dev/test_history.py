"""The history of the demo could have happened."""

from __future__ import annotations

import random
from datetime import datetime, timedelta, timezone

import pytest

from dev.demo.history import DAYS, history
from tests.effort import some

FINAL = {"COMPLETED", "FAILED", "CRASHED", "CANCELLED"}


@pytest.mark.parametrize("hour", some([3, 15]))
def test_runs_go_from_state_to_state(hour: int) -> None:
    """States follow each other in time, the final one is the last, and nothing has happened after now."""
    now = datetime(2026, 11, 26, hour, 40, tzinfo=timezone.utc)
    runs = history(now, random.Random(4))
    for run in runs:
        times = [state.at for state in run.states]
        assert times == sorted(times) and times[-1] <= now
        assert not {state.type for state in run.states[:-1]} & FINAL
        assert run.expected >= now - timedelta(days=DAYS)
    assert {run.states[-1].type for run in runs} >= FINAL | {"RUNNING", "PENDING", "SCHEDULED"}
