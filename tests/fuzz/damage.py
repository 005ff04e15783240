"""Foreign text: what parsers accept, damaged a little, which reaches further than noise does."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TypeVar

import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st

from tests.effort import cases

Test = TypeVar("Test", bound=Callable[..., None])


def tries(number: int) -> Callable[[Test], Test]:
    """Let a target try this many inputs, and count them."""

    def decorate(test: Test) -> Test:
        bounded = settings(max_examples=cases(number), suppress_health_check=list(HealthCheck))(test)
        marked: Test = pytest.mark.scenario("fuzz", cases=cases(number))(bounded)
        return marked

    return decorate


def damaged(whole: Sequence[str], scraps: Sequence[str]) -> st.SearchStrategy[str]:
    """One of the whole strings, in which up to three pieces were replaced by scraps or by anything else."""
    return _damaged(st.sampled_from(whole), st.sampled_from(scraps) | st.sampled_from(whole) | st.text(max_size=3))


@st.composite
def _damaged(draw: st.DrawFn, whole: st.SearchStrategy[str], scraps: st.SearchStrategy[str]) -> str:
    # The strategies are made once: to make one for each string takes most of the time.
    text = draw(whole)
    for _ in range(draw(st.integers(0, 3))):
        at, length = draw(st.integers(0, len(text))), draw(st.integers(0, 6))
        text = text[:at] + draw(scraps) + text[at + length :]
    return text
