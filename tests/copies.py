"""What the connector copied from servers that have rows of everything, for the tests that only read it."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import pytest

from dev.testbed.everything import read
from dev.testbed.history import Json, PrefectApi
from dev.testbed.prefect_server import PrefectServer
from tests.fivetran.project import CommandResult, UserProject


@dataclass(frozen=True)
class Copied:
    """A project whose first sync copied every table, what it printed, and the runs that the API returned after it."""

    project: UserProject
    first: CommandResult
    flow_runs: list[Json]
    deployments: list[Json]

    @property
    def warehouse(self) -> Path:
        """The DuckDB file with the copy."""
        return self.project.folder / "files" / "warehouse.db"


@pytest.fixture(scope="session")
def copies(full_servers: dict[int, PrefectServer], tmp_path_factory: pytest.TempPathFactory) -> dict[int, Copied]:
    """Of both majors."""
    found = {}
    for major, server in full_servers.items():
        folder = tmp_path_factory.mktemp(f"everything-{major}") / "connector"
        project = UserProject.create(folder, {"api_url": server.api_url, "streams": "all"})
        first, api = project.debug(), PrefectApi(server.api_url)
        found[major] = Copied(project, first, read(api, "flow_runs"), read(api, "deployments"))
    return found
