"""What all tests share: real Prefect servers, and what was counted, for the report at the end of a run."""

from __future__ import annotations

import json
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from pathlib import Path

import hypothesis
import pytest

from dev.testbed.everything import EVENTS, make_everything
from dev.testbed.history import History, make_history
from dev.testbed.prefect_server import PrefectServer, environment_of

pytest_plugins = ["tests.scenarios"]

MAJORS = (3, 2)

# How long an example takes says how busy the machine is, not whether the code is right.
hypothesis.settings.register_profile("untimed", deadline=None)
hypothesis.settings.load_profile("untimed")


@pytest.fixture(scope="session")
def servers() -> Iterator[dict[int, tuple[PrefectServer, History]]]:
    """Both servers with their histories, made side by side. Tests that count rows share them."""
    with ExitStack() as stack, ThreadPoolExecutor(len(MAJORS)) as pool:

        def start(major: int) -> tuple[PrefectServer, History]:
            server = stack.enter_context(PrefectServer(major))
            return server, make_history(server.api_url, runs=210)

        yield dict(zip(MAJORS, pool.map(start, MAJORS), strict=True))


@pytest.fixture(scope="session")
def full_servers() -> Iterator[dict[int, PrefectServer]]:
    """Both majors, with rows of everything that a server has."""
    with ExitStack() as stack, ThreadPoolExecutor(len(MAJORS)) as pool:

        def start(major: int) -> PrefectServer:
            server = stack.enter_context(PrefectServer(major, environment=EVENTS[major]))
            make_everything(server)
            return server

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


SHARED = ("servers", "full_servers")
"""Fixtures that take long to create, so all tests that use one of them run in one process."""


@pytest.hookimpl(tryfirst=True)  # before pytest-xdist reads the groups
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Mark the tests that need a Prefect server, group those that share one, and start the longest first."""
    groups: list[list[pytest.Item]] = [[], [], []]
    for item in items:
        if any(name in SHARED for name in getattr(item, "fixturenames", ())):
            groups[0].append(item)
            item.add_marker(pytest.mark.xdist_group("shared servers"))
            item.add_marker(pytest.mark.prefect)
        elif item.get_closest_marker("long"):
            groups[1].append(item)
        else:
            groups[2].append(item)
            item.add_marker(pytest.mark.xdist_group(item.nodeid.partition("::")[0]))
    items[:] = [item for group in groups for item in group]


def pytest_addoption(parser: pytest.Parser) -> None:
    """The option of `make test`."""
    parser.addoption("--all", action="store_true", help="fail, rather than skip, tests that cannot run here")


def pytest_runtest_setup(item: pytest.Item) -> None:
    """Without Prefect there is no server; with ``--all`` that is a failure."""
    missing = [str(major) for major in MAJORS if not environment_of(major).exists()]
    if missing and item.get_closest_marker("prefect"):
        reason = f"needs Prefect {' and '.join(missing)}: run `make environments`"
        if item.config.getoption("--all"):
            pytest.fail(reason, pytrace=False)
        pytest.skip(reason)
