"""A parser that hangs is a failure, not a test run that never ends."""

from __future__ import annotations

import signal
from collections.abc import Iterator
from types import FrameType

import pytest

from tests import effort

_SECONDS = 60  # a thousand times what a target takes; it says nothing about speed


@pytest.fixture(autouse=True)
def _end_of_patience() -> Iterator[None]:
    def hangs(number: int, frame: FrameType | None) -> None:
        pytest.fail("the parser hangs")

    before = signal.signal(signal.SIGALRM, hangs)
    signal.alarm(_SECONDS * max(1, effort.times))
    yield
    signal.alarm(0)
    signal.signal(signal.SIGALRM, before)
