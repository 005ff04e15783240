"""What ends under a sync: the server, which comes back, and a destination that refuses a row."""

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


@pytest.mark.prefect
@pytest.mark.scenario("restart")
def test_a_server_that_is_restarted_during_a_sync(tmp_path: Path, record_property: RecordProperty) -> None:
    """Its absence is waited for. Should it take longer than that, the sync ends and the next goes on."""
    restarts = syncs = 0
    with PrefectServer(3) as server:
        seed(server.database, Shape(runs=RUNS, flows=5, deployments=10, open_runs=20))
        connection = resolve(
            PROJECT / "streams.yaml", {"api_url": server.api_url, "batch_size": "20", "streams": ", ".join(TABLES)}
        )
        recorder, lines = Recorder(), Lines()
        failures: list[Failure] = []

        def run() -> None:
            try:
                sync(connection, recorder.state, recorder, lines)
            except Failure as failure:
                failures.append(failure)

        while not syncs or failures:
            failures.clear()
            thread = threading.Thread(target=run)
            thread.start()
            if not syncs:
                while recorder.count("upsert") < RUNS / 3:
                    assert thread.is_alive()
                    time.sleep(0.01)
                server.restart()
                restarts += 1
            thread.join()
            syncs += 1
            assert syncs < 4, failures
        assert lines.warnings
        for table in TABLES:
            assert not differences(table, in_recorder(recorder, table), read_all(server.api_url, table))
    record_property("cases", restarts)


class Refusing(Recorder):
    """A destination that refuses the row of a number."""

    refused: int | None = None

    def upsert(self, table: str, data: dict[str, Any]) -> None:
        """Keep a row, or do not."""
        if self.count("upsert") == self.refused:
            raise ValueError("no room")
        super().upsert(table, data)


@pytest.mark.parametrize("refused", [0, 30, 90, 150])
@pytest.mark.scenario("refused-row")
def test_a_destination_that_refuses_a_row(
    servers: dict[int, tuple[PrefectServer, History]], tmp_path: Path, refused: int
) -> None:
    """The sync ends with the destination's own error, and no state covers a row that was not taken."""
    server, _ = servers[3]
    settings = {"api_url": server.api_url, "batch_size": "20", "streams": ", ".join(TABLES)}
    connection = resolve(PROJECT / "streams.yaml", settings)
    recorder = Refusing()
    recorder.refused = refused
    with pytest.raises(ValueError, match="no room"):
        sync(connection, {}, recorder, Lines())
    recorder.refused = None
    sync(connection, recorder.state, recorder, Lines())
    for table in TABLES:
        assert not differences(table, in_recorder(recorder, table), read_all(server.api_url, table))


@pytest.mark.scenario("refused-row")
def test_a_warehouse_that_refuses_a_row(servers: dict[int, tuple[PrefectServer, History]], tmp_path: Path) -> None:
    """`fivetran debug` fails, its state does not move; once the table takes the row, the next sync brings every row."""
    server, _ = servers[3]
    project = UserProject.create(tmp_path / "connector", {"api_url": server.api_url, "streams": "flows"})
    assert project.debug().code == 0
    rows = project.query("SELECT id, name FROM flows ORDER BY id")
    ((made,),) = project.query("SELECT sql FROM duckdb_tables() WHERE table_name = 'flows'")
    strict = made.rstrip(" ;)") + f"), CHECK (id <> '{rows[-1][0]}'));"
    warehouse = project.folder / "files" / "warehouse.db"
    with duckdb.connect(str(warehouse)) as db:
        db.execute(f"DROP TABLE tester.flows; {strict}")
    (project.folder / "files" / "state.json").unlink()
    done = project.debug()
    assert done.code != 0
    assert "CHECK constraint failed" in done.output
    assert "since" not in project.state["streams"]["flows"]  # the keys that are to be watched are kept before the rows
    with duckdb.connect(str(warehouse)) as db:
        db.execute("DROP TABLE tester.flows")
    assert project.debug().code == 0
    assert project.query("SELECT id, name FROM flows ORDER BY id") == rows
