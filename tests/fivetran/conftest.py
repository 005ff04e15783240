"""Real Prefect servers of both majors, each with a history, started once for all tests."""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack

import pytest

from testbed.history import History, make_history
from testbed.prefect_server import PrefectServer

MAJORS = (3, 2)


@pytest.fixture(scope="session")
def servers() -> Iterator[dict[int, tuple[PrefectServer, History]]]:
    """Both servers with their histories, made side by side. Tests that count rows share them."""
    yield from _started(210)


@pytest.fixture(scope="module")
def stormy_servers() -> Iterator[dict[int, tuple[PrefectServer, History]]]:
    """Both servers again, for tests that leave nothing as it was."""
    yield from _started(60)


def _started(runs: int) -> Iterator[dict[int, tuple[PrefectServer, History]]]:
    with ExitStack() as stack, ThreadPoolExecutor(len(MAJORS)) as pool:

        def start(major: int) -> tuple[PrefectServer, History]:
            server = stack.enter_context(PrefectServer(major))
            return server, make_history(server.api_url, runs=runs)

        yield dict(zip(MAJORS, pool.map(start, MAJORS), strict=True))
