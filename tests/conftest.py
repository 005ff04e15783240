"""What all tests share: real Prefect servers, and what was counted, for the report at the end of a run."""

from __future__ import annotations

import gc
import json
import os
import re
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from itertools import count
from pathlib import Path

import hypothesis
import pytest

from dev.testbed.everything import EVENTS, make_everything
from dev.testbed.history import History, make_history
from dev.testbed.prefect_server import PrefectServer, environment_of
from tests import effort
from tests.forks import FORKS, Forks
from tests.readme import PROJECT

pytest_plugins = ["tests.scenarios", "tests.copies", "tests.workers"]
gc.disable()  # until all tests are collected

MAJORS = (3, 2)
_numbers = count()


@pytest.fixture
def tmp_path(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A new folder, as pytest's own fixture, which goes through the folders of all tests before to find a free name."""
    name = re.sub(r"\W", "_", request.node.name)[:30]
    return tmp_path_factory.mktemp(f"{name}-{os.getpid()}-{next(_numbers)}", numbered=False)


@pytest.fixture(scope="session")
def forks() -> Forks:
    """Runs `fivetran` and the engine's commands without a wait for an interpreter."""
    FORKS.start()
    return FORKS


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


@pytest.fixture(scope="session")
def dbt(request: pytest.FixtureRequest) -> None:
    """The environment of dbt. Without it, a test is skipped; with ``--all`` it fails."""
    if not (PROJECT / ".venv-dbt" / "bin" / "dbt").exists():
        (pytest.fail if request.config.getoption("--all") else pytest.skip)("needs dbt: run `make environments`")


SHARED = ("servers", "full_servers")
"""Fixtures that take long to create, so all tests that use one of them run in one process."""


@pytest.hookimpl(tryfirst=True)  # before pytest-xdist reads the groups
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Mark the tests that need a Prefect server, group those that share a fixture, and start the longest first."""
    groups: list[list[pytest.Item]] = [[], [], []]
    for item in items:
        fixtures = item._fixtureinfo.name2fixturedefs if isinstance(item, pytest.Function) else {}
        if any(name in SHARED for name in fixtures):
            groups[0].append(item)
            item.add_marker(pytest.mark.xdist_group("shared servers"))
            item.add_marker(pytest.mark.prefect)
            continue
        groups[1 if item.get_closest_marker("long") else 2].append(item)
        if any(definition.scope == "module" for definitions in fixtures.values() for definition in definitions):
            item.add_marker(pytest.mark.xdist_group(item.nodeid.partition("::")[0]))
    items[:] = [item for group in groups for item in group]


def pytest_addoption(parser: pytest.Parser) -> None:
    """The options of `make test`, `make unit` and `make test-versions`."""
    parser.addoption("--all", action="store_true", help="fail, rather than skip, tests that cannot run here")
    parser.addoption("--versions", default="", help="releases of Prefect to test, separated by commas, or all")
    parser.addoption("--runs", type=int, default=0, help="build the dbt package on a history of so many flow runs")
    parser.addoption("--quick", action="store_true", help="try a fortieth of the random cases")
    parser.addoption("--times", type=int, default=1, help="try so many times as many random cases")


def pytest_configure(config: pytest.Config) -> None:
    """Settle the number of random cases, before the tests that ask for it are imported."""
    effort.quick, effort.times = config.getoption("--quick"), config.getoption("--times")
    # How long an example takes says how busy the machine is, not whether the code is right.
    hypothesis.settings.register_profile("untimed", deadline=None, max_examples=effort.cases(100))
    hypothesis.settings.load_profile("untimed")


def pytest_collection_finish() -> None:
    """Spare the garbage collector all that was imported: it looks at living objects for a tenth of a run."""
    gc.freeze()
    gc.set_threshold(50_000)
    gc.enable()


def pytest_sessionfinish() -> None:
    """Spare it the rest as well: pytest collects five times before it ends."""
    FORKS.end()
    gc.freeze()


def pytest_runtest_setup(item: pytest.Item) -> None:
    """Without Prefect there is no server; with ``--all`` that is a failure."""
    missing = [str(major) for major in MAJORS if not environment_of(major).exists()]
    if missing and item.get_closest_marker("prefect"):
        reason = f"needs Prefect {' and '.join(missing)}: run `make environments`"
        if item.config.getoption("--all"):
            pytest.fail(reason, pytrace=False)
        pytest.skip(reason)
