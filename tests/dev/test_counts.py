"""The counts on docs/performance.md that need no Prefect are those of the code."""

from __future__ import annotations

from dataclasses import replace
from email.utils import formatdate

import pytest

from dev.benchmarks import counts
from dev.benchmarks.__main__ import RESULTS
from dev.benchmarks.results import load
from dev.testbed.loopback import Answerer, Reply, Seen
from tests.in_process import InProcess

PUBLISHED = load(RESULTS)


def dated(answer: Answerer) -> InProcess:
    """A server with a clock and without a network, on which a thousand requests cost half as much."""

    def respond(seen: Seen) -> Reply:
        reply = answer(seen)
        return replace(reply, headers={"Date": formatdate(usegmt=True), **reply.headers})

    return InProcess(respond)


@pytest.fixture(autouse=True)
def in_process(monkeypatch: pytest.MonkeyPatch) -> None:
    """The counts do not depend on a network."""
    monkeypatch.setattr(counts, "Loopback", dated)


def test_a_full_refresh_writes_what_changed() -> None:
    """One changed row is one upsert, one deleted row is one delete, and nothing is truncated."""
    assert counts.refresh().cases == PUBLISHED["refresh"].cases


def test_the_states_of_unchanged_runs_are_not_requested() -> None:
    """However many runs are open."""
    assert counts.children().median("nothing changed") == PUBLISHED["children"].median("nothing changed")
