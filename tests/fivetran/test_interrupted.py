"""Syncs during which the server restarts or the destination rejects a row."""

from __future__ import annotations

import threading
import time
from pathlib import Path
from typing import Any

import duckdb
import pytest

from dev.testbed.history import History, read_all
from dev.testbed.prefect_server import PrefectServer
from dev.testbed.seed import Shape, seed
from engine.failures import Failure
from engine.spec.load import resolve
from engine.sync import sync
from tests.fivetran.comparison import differences, in_recorder
from tests.fivetran.project import PROJECT, UserProject
from tests.scenarios import RecordProperty
from tests.shop import Lines, Recorder

RUNS = 3000
TABLES = ("flow_runs", "flows", "deployments")


class Restarting(Recorder):
    """A destination that restarts the server, once, after a third of the rows. It goes on as soon as that is down."""

    def __init__(self, server: PrefectServer) -> None:
        super().__init__()
        self._server = server
        self.restarts: list[threading.Thread] = []

    def upsert(self, table: str, data: dict[str, Any]) -> None:
        """Store a row."""
        super().upsert(table, data)
        if len(self.operations) < RUNS / 3 or self.restarts:
            return
        self.restarts.append(threading.Thread(target=self._server.restart))
        self.restarts[0].start()
        while self._server.is_listening:
            time.sleep(0.001)


@pytest.mark.prefect
@pytest.mark.scenario("restart")
def test_a_sync_survives_a_restart_of_the_server(tmp_path: Path, record_property: RecordProperty) -> None:
    """It retries until the server is back. If that takes too long, it fails and the next sync continues."""
    with PrefectServer(3) as server:
        seed(server.database, Shape(runs=RUNS, flows=5, deployments=10, open_runs=20))
        connection = resolve(
            PROJECT / "streams.yaml", {"api_url": server.api_url, "batch_size": "20", "streams": ", ".join(TABLES)}
        )
        recorder, lines = Restarting(server), Lines()
        failures: list[Failure] = []
        while len(failures) < 3:
            try:
                sync(connection, recorder.state, recorder, lines)
                break
            except Failure as failure:
                failures.append(failure)
        assert len(failures) < 3, failures
        for restart in recorder.restarts:
            restart.join()
        assert lines.warnings
        for table in TABLES:
            assert not differences(table, in_recorder(recorder, table), read_all(server.api_url, table))
    record_property("cases", len(recorder.restarts))


class Rejecting(Recorder):
    """A destination that rejects one row, by its number."""

    rejected: int | None = None

    def upsert(self, table: str, data: dict[str, Any]) -> None:
        """Store a row, or reject it."""
        if self.count("upsert") == self.rejected:
            raise ValueError("no room")
        super().upsert(table, data)


@pytest.mark.parametrize("rejected", [0, 30, 90, 150])
@pytest.mark.scenario("refused-row")
def test_a_row_that_the_destination_rejects_is_sent_again(
    servers: dict[int, tuple[PrefectServer, History]], tmp_path: Path, rejected: int
) -> None:
    """The sync raises the destination's own error, and no state covers a row that was not stored."""
    server, _ = servers[3]
    settings = {"api_url": server.api_url, "batch_size": "20", "streams": ", ".join(TABLES)}
    connection = resolve(PROJECT / "streams.yaml", settings)
    recorder = Rejecting()
    recorder.rejected = rejected
    with pytest.raises(ValueError, match="no room"):
        sync(connection, {}, recorder, Lines())
    recorder.rejected = None
    sync(connection, recorder.state, recorder, Lines())
    for table in TABLES:
        assert not differences(table, in_recorder(recorder, table), read_all(server.api_url, table))


@pytest.mark.scenario("refused-row")
def test_a_row_that_the_warehouse_rejects_is_sent_again(
    servers: dict[int, tuple[PrefectServer, History]], tmp_path: Path
) -> None:
    """`fivetran debug` fails and its state does not move. Once the table accepts the row, every row arrives."""
    server, _ = servers[3]
    project = UserProject.create(tmp_path / "connector", {"api_url": server.api_url, "streams": "flows"})
    assert project.debug().code == 0
    rows = project.query("SELECT id, name FROM flows ORDER BY id")
    ((definition,),) = project.query("SELECT sql FROM duckdb_tables() WHERE table_name = 'flows'")
    strict = definition.rstrip(" ;)") + f"), CHECK (id <> '{rows[-1][0]}'));"
    warehouse = project.folder / "files" / "warehouse.db"
    with duckdb.connect(str(warehouse)) as db:
        db.execute(f"DROP TABLE tester.flows; {strict}")
    (project.folder / "files" / "state.json").unlink()
    done = project.debug()
    assert done.code != 0
    assert "CHECK constraint failed" in done.output
    assert "since" not in project.state["streams"]["flows"]  # the keys of known rows are saved before the rows
    with duckdb.connect(str(warehouse)) as db:
        db.execute("DROP TABLE tester.flows")
    assert project.debug().code == 0
    assert project.query("SELECT id, name FROM flows ORDER BY id") == rows
