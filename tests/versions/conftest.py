"""`make test-versions`: these tests run only if ``--versions`` names releases, and write docs/compatibility.md."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from dev.testbed.releases import NEWEST, RELEASES
from tests.readme import PROJECT
from tests.versions.page import Result, page

PAGE = PROJECT / "docs" / "compatibility.md"


def pytest_ignore_collect(collection_path: Path, config: pytest.Config) -> bool | None:
    """Leave these tests out of a run that names no release."""
    return None if config.getoption("--versions") or collection_path.name != "test_versions.py" else True


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """One test for each release that ``--versions`` names."""
    named = str(metafunc.config.getoption("--versions"))
    if "release" in metafunc.fixturenames:
        metafunc.parametrize("release", [*RELEASES, NEWEST] if named == "all" else named.split(","))


@pytest.fixture(scope="session")
def results(request: pytest.FixtureRequest) -> Iterator[list[Result]]:
    """What was found out about each release. A run of all of them writes the page."""
    found: list[Result] = []
    yield found
    if request.config.getoption("--versions") == "all":
        PAGE.write_text(page(found), "utf-8")
    else:
        print(page(found))
