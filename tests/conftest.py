"""What all tests share: real Prefect servers, and what was counted, for the report at the end of a run."""

from __future__ import annotations

import json
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import hypothesis
import pytest

from dev.testbed.everything import EVENTS, make_everything
from dev.testbed.history import History, make_history
from dev.testbed.prefect_server import PrefectServer
from tests.reliability import PAGE, Reliability

MAJORS = (3, 2)

# How long an example takes says how busy the machine is, not whether the code is right.
hypothesis.settings.register_profile("untimed", deadline=None)
hypothesis.settings.load_profile("untimed")


@pytest.fixture(scope="session")
def servers() -> Iterator[dict[int, tuple[PrefectServer, History]]]:
    """Both servers with their histories, made side by side. Tests that count rows share them."""
    yield from started(210)


@pytest.fixture(scope="session")
def full_servers() -> Iterator[dict[int, PrefectServer]]:
    """Both majors, with rows of everything that a server has."""
    with ExitStack() as stack, ThreadPoolExecutor(len(MAJORS)) as pool:

        def start(major: int) -> PrefectServer:
            server = stack.enter_context(PrefectServer(major, environment=EVENTS if major == 2 else None))
            make_everything(server)
            return server

        yield dict(zip(MAJORS, pool.map(start, MAJORS), strict=True))


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


_RELIABILITY: pytest.StashKey[Reliability] = pytest.StashKey()


@pytest.fixture
def reliability(request: pytest.FixtureRequest) -> Reliability:
    """Takes what a test counted, for the report and for docs/reliability.md."""
    return request.config.stash[_RELIABILITY]


def pytest_addoption(parser: pytest.Parser) -> None:
    """An option for `make reliability`."""
    parser.addoption(
        "--reliability", action="store_true", help="run the tests that count cases, and write docs/reliability.md"
    )


def pytest_configure(config: pytest.Config) -> None:
    """Begin to count."""
    config.stash[_RELIABILITY] = Reliability()
    if config.pluginmanager.hasplugin("xdist"):
        config.pluginmanager.register(_Gathering(config.stash[_RELIABILITY]))


class _Gathering:
    """Brings together what processes have counted that each run some of the tests."""

    def __init__(self, counted: Reliability) -> None:
        self._counted = counted

    def pytest_sessionfinish(self, session: pytest.Session) -> None:
        """In one of them: hand it over."""
        if hasattr(session.config, "workeroutput"):
            session.config.workeroutput["counted"] = self._counted.dump()

    def pytest_testnodedown(self, node: Any) -> None:
        """In the one that they report to: add it up."""
        self._counted.add(getattr(node, "workeroutput", {}).get("counted", {}))


SHARED = ("servers", "full_servers")
"""Fixtures that take so long to make that all tests which use one of them run in one process."""


@pytest.hookimpl(tryfirst=True)  # before pytest-xdist reads the groups
def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Group the tests that run in one process, the longest first; for the page, leave out what does not count."""
    groups: list[list[pytest.Item]] = [[], [], []]
    for item in items:
        if any(name in SHARED for name in getattr(item, "fixturenames", ())):
            groups[0].append(item)
            item.add_marker(pytest.mark.xdist_group("shared servers"))
        elif item.get_closest_marker("long"):
            groups[1].append(item)
        else:
            groups[2].append(item)
            item.add_marker(pytest.mark.xdist_group(item.nodeid.partition("::")[0]))
    items[:] = [item for group in groups for item in group]
    if config.getoption("--reliability"):
        counting = [item for item in items if "reliability" in getattr(item, "fixturenames", ())]
        config.hook.pytest_deselected(items=[item for item in items if item not in counting])
        items[:] = counting


def pytest_terminal_summary(terminalreporter: Any, exitstatus: int, config: pytest.Config) -> None:
    """Print what was counted, and write the page when it is whole and nothing failed."""
    counted = config.stash[_RELIABILITY]
    if lines := list(counted.lines()):
        terminalreporter.section("counted by the tests")
        for line in lines:
            terminalreporter.line(line)
    if config.getoption("--reliability"):
        if exitstatus or counted.missing():
            terminalreporter.line(f"docs/reliability.md is not written; not counted: {counted.missing() or 'nothing'}")
        else:
            PAGE.write_text(counted.page(), "utf-8")
            terminalreporter.line("docs/reliability.md is written")
