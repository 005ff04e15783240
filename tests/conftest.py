"""What all tests share: real Prefect servers, and lines for the report at the end of a run."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest

from testbed.history import History, make_history
from testbed.prefect_server import PrefectServer

MAJORS = (3, 2)


@pytest.fixture(scope="session")
def servers() -> Iterator[dict[int, tuple[PrefectServer, History]]]:
    """Both servers with their histories, made side by side. Tests that count rows share them."""
    yield from started(210)


def started(runs: int) -> Iterator[dict[int, tuple[PrefectServer, History]]]:
    """Servers of both majors with so many flow runs each, until the test is over."""
    with ExitStack() as stack, ThreadPoolExecutor(len(MAJORS)) as pool:

        def start(major: int) -> tuple[PrefectServer, History]:
            server = stack.enter_context(PrefectServer(major))
            return server, make_history(server.api_url, runs=runs)

        yield dict(zip(MAJORS, pool.map(start, MAJORS), strict=True))


@pytest.fixture(scope="session")
def configurations(
    servers: dict[int, tuple[PrefectServer, History]], tmp_path_factory: pytest.TempPathFactory
) -> dict[int, Path]:
    """A configuration.json for each server, by its major version."""
    paths = {}
    for major, (server, _) in servers.items():
        paths[major] = tmp_path_factory.mktemp(f"prefect-{major}") / "configuration.json"
        settings = {"api_url": server.api_url, "api_key": "", "batch_size": "200"}
        paths[major].write_text(json.dumps(settings), "utf-8")
    return paths


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
