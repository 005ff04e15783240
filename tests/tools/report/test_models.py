"""The models are built over all connections of a warehouse, as of the last sync."""

from __future__ import annotations

from datetime import datetime
from pathlib import Path

import duckdb
import pytest

from tools.report.models import NotBuilt, build, variables


def synced(*schemas: str, states: bool = False) -> duckdb.DuckDBPyConnection:
    """A warehouse in which a sync wrote to these schemas, an hour later to each."""
    connection = duckdb.connect(config={"threads": 1})
    for hour, schema in enumerate(schemas):
        at = datetime(2026, 11, 26, hour)
        connection.execute(f'CREATE SCHEMA "{schema}"; SET schema = \'"{schema}"\'')
        connection.execute(f"CREATE TABLE flow_runs AS SELECT TIMESTAMPTZ '{at}+00' AS _fivetran_synced")
        if states:
            connection.execute("CREATE TABLE flow_run_states (id VARCHAR)")
    return connection


def test_one_connection() -> None:
    """Its schema is found, and states only if they are synced."""
    found = variables(synced("tester"), 28)
    assert (found["prefect_schema"], found["prefect_sources"]) == ("tester", [])
    assert found["prefect__using_flow_run_states"] is False
    assert variables(synced("tester", states=True), 28)["prefect__using_flow_run_states"] is True


def test_several_connections_are_united() -> None:
    """Now is the last sync of any of them, so ages are those of that moment."""
    found = variables(synced("a", "b c"), 28)
    assert found["prefect_sources"] == [{"schema": "a"}, {"schema": "b c"}]
    assert found["prefect__now"] == "2026-11-26 01:00:00"


def test_models_look_back_as_far_as_the_page() -> None:
    """Which begins with a whole week if its charts show weeks."""
    assert variables(synced("tester"), 28)["prefect__recent_days"] == 28
    assert variables(synced("tester"), 180)["prefect__recent_days"] == 186


def test_models_are_built_from_scratch(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """What an earlier build of a file left counts twice once it has another name. If dbt fails, its output is shown."""
    (tmp_path / "dbt").write_text('#!/bin/sh\necho "$@"\nexit 1\n', "utf-8")
    (tmp_path / "dbt").chmod(0o755)
    monkeypatch.setattr("sys.executable", str(tmp_path / "python"))
    with duckdb.connect(str(tmp_path / "warehouse.db")) as connection:
        connection.execute("CREATE TABLE flow_runs AS SELECT now() AS _fivetran_synced")
    with pytest.raises(NotBuilt, match=r"dbt failed:\n--quiet .*run --full-refresh"):
        build(tmp_path / "warehouse.db", 28)


def test_a_name_that_duckdb_reserves(tmp_path: Path) -> None:
    """No query can say which catalog it means."""
    duckdb.connect(str(tmp_path / "main.db")).close()
    with pytest.raises(NotBuilt, match="rename the file"):
        build(tmp_path / "main.db", 28)


def test_a_file_that_no_sync_wrote(tmp_path: Path) -> None:
    """It says so before dbt starts."""
    with pytest.raises(NotBuilt, match="no table flow_runs"):
        variables(duckdb.connect(), 28)
    (tmp_path / "a.txt").write_text("not a database")
    with pytest.raises(duckdb.Error, match="not a valid DuckDB"):
        build(tmp_path / "a.txt", 28)
