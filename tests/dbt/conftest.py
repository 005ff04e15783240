"""What the tests of the dbt package need."""

from __future__ import annotations

import pytest

from tests.dbt.package import DBT


@pytest.fixture(scope="session")
def dbt(request: pytest.FixtureRequest) -> None:
    """The environment of dbt. Without it, a test is skipped; with ``--all`` it fails."""
    if not DBT.exists():
        (pytest.fail if request.config.getoption("--all") else pytest.skip)("needs dbt: run `make environments`")
