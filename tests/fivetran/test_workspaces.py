"""Real servers behind one proxy, as the workspaces of an account whose ids collide."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import requests

from dev.testbed.everything import read
from dev.testbed.history import PrefectApi, read_all
from dev.testbed.loopback import Loopback, Reply, Seen
from dev.testbed.prefect_server import PrefectServer
from engine.failures import Failure
from engine.spec.load import ResolvedSpec, resolve
from engine.sync import sync
from tests.conftest import MAJORS
from tests.fivetran.comparison import differences, in_recorder, key_of
from tests.fivetran.project import UserProject
from tests.fivetran.test_everything import CLOUD, GROWING, ONE_MAJOR, STREAMS
from tests.forks import Forks
from tests.hostile.account import AccountWarehouse
from tests.shop import Lines
from tests.specs import SHIPPED

WORKSPACES = {"three": 3, "again": 3, "two": 2}
"""The major version of the server behind each workspace. The first two are the same server."""
BASE = "/api/accounts/a1/workspaces"


class Proxy:
    """Shows servers as the workspaces of an account."""

    def __init__(self, urls: dict[str, str]) -> None:
        self.urls = urls
        self.broken: set[str] = set()
        self._local = threading.local()

    def answer(self, seen: Seen) -> Reply:
        """The list of workspaces, or the response of the server of one."""
        if seen.path == f"{BASE}/filter":
            found = [{"id": name, "handle": name, "name": name.title()} for name in self.urls]
            return Reply(found[seen.json["offset"] :])
        workspace, _, path = seen.path.removeprefix(f"{BASE}/").partition("/")
        if workspace not in self.urls:
            return Reply({"detail": "Not Found"}, 404)
        if workspace in self.broken:
            return Reply({"detail": "not now"}, 400)
        response = self._session.request(
            seen.method,
            f"{self.urls[workspace]}/{path}",
            params=dict(seen.query),
            data=seen.content,
            headers={"Content-Type": "application/json"},
        )
        headers = {"Date": response.headers.get("Date"), "Content-Type": response.headers.get("Content-Type")}
        return Reply(status=response.status_code, body=response.content, headers=headers)

    @property
    def _session(self) -> requests.Session:
        if not hasattr(self._local, "session"):
            self._local.session = requests.Session()
        session: requests.Session = self._local.session
        return session


@pytest.fixture
def proxy(full_servers: dict[int, PrefectServer]) -> Proxy:
    return Proxy({name: full_servers[major].api_url for name, major in WORKSPACES.items()})


@pytest.fixture
def account(proxy: Proxy) -> Iterator[Loopback]:
    with Loopback(proxy.answer) as server:
        yield server


def configuration(account: Loopback, **settings: str) -> dict[str, str]:
    url = f"{account.url.removesuffix('/api')}{BASE}/three"
    return {"api_url": url, "workspaces": "all", "batch_size": "200", **settings}


def connected(account: Loopback, **settings: str) -> ResolvedSpec:
    return resolve(SHIPPED, configuration(account, **settings))


def of_workspace(warehouse: AccountWarehouse, workspace: str, table: str) -> dict[Any, Any]:
    """The rows of one workspace by their own key."""
    rows = in_recorder(warehouse, table).items()
    return {key[1]: {**row, key_of(table): key[1]} for key, row in rows if key[0] == workspace}


def test_everything_of_all_workspaces_arrives(full_servers: dict[int, PrefectServer], account: Loopback) -> None:
    """Every row and column of each server in its workspace. A stream that is missing in several is one warning."""
    names = [name for name in STREAMS if name not in CLOUD | GROWING]
    warehouse, lines = AccountWarehouse(), Lines()
    sync(connected(account, streams=",".join(names)), {}, warehouse, lines)
    for major in MAJORS:
        api = PrefectApi(full_servers[major].api_url)
        for name in (name for name in names if ONE_MAJOR.get(name, major) == major):
            records = read(api, name)
            for workspace in (workspace for workspace, of in WORKSPACES.items() if of == major):
                assert differences(name, of_workspace(warehouse, workspace, name), records) == []
    missing = [line.split(": ")[1] for line in lines.warnings if "not found; skipping" in line]
    assert sorted(missing) == sorted(set(missing))
    assert set(missing) == set(ONE_MAJOR)


def test_a_workspace_that_fails_and_one_that_is_gone(
    full_servers: dict[int, PrefectServer], proxy: Proxy, account: Loopback
) -> None:
    """Neither keeps the others from being read. After them, and without changes, a sync writes nothing."""
    spec = connected(account, streams="flows, deployments")
    warehouse = AccountWarehouse()
    proxy.broken = {"again"}
    with pytest.raises(Failure, match="1 of 3 workspaces are not complete"):
        sync(spec, {}, warehouse, Lines())
    proxy.broken, gone = set(), proxy.urls.pop("two")
    lines = Lines()
    sync(spec, warehouse.state, warehouse, lines)
    assert [line for line in lines.warnings if "gone" in line] == ["workspaces: two is gone; its rows stay as they are"]
    proxy.urls["two"] = gone
    sync(spec, warehouse.state, warehouse, Lines())
    for workspace, major in WORKSPACES.items():
        for table in ("flows", "deployments"):
            records = read_all(full_servers[major].api_url, table)
            rows = of_workspace(warehouse, workspace, table)
            assert differences(table, rows, records) == []
            assert rows.keys() == {record["id"] for record in records}
    warehouse.operations.clear()
    sync(spec, warehouse.state, warehouse, Lines())
    assert warehouse.writes() == []


def test_fivetran_keeps_rows_of_the_same_id_apart(
    full_servers: dict[int, PrefectServer], account: Loopback, tmp_path: Path, forks: Forks
) -> None:
    """The workspace is part of the primary key. The connection cannot lose its workspaces again."""
    project = UserProject.create(tmp_path / "connector", configuration(account, streams="flows"), forks)
    done = project.debug()
    assert done.code == 0, done.output
    assert "flows of 3 workspaces" in done.output
    rows = project.query("SELECT workspace_id, id FROM flows")
    assert sorted(rows) == sorted(
        (workspace, record["id"])
        for workspace, major in WORKSPACES.items()
        for record in read_all(full_servers[major].api_url, "flows")
    )
    assert next(iter(project.types("flows"))) == "workspace_id"
    project.configure(configuration(account, streams="flows", workspaces=""))
    refused = project.debug()
    assert refused.code != 0
    assert "workspaces: this connection was synced by workspace_id" in refused.output
