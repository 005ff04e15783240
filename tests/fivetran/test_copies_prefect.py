"""`fivetran debug` copies real Prefect servers into DuckDB: every row, value and type."""

from __future__ import annotations

import json
import re
from datetime import datetime, timezone
from pathlib import Path
from typing import Any

import pytest

from dev.testbed.history import TERMINAL, PrefectApi, change_history, read_all
from tests.conftest import MAJORS
from tests.fivetran.project import UserProject
from tests.readme import blocks
from tests.specs import reconciled_by_every_sync

DUCKDB_TYPES = {"VARCHAR", "JSON", "TIMESTAMP WITH TIME ZONE", "DOUBLE", "INTEGER", "BOOLEAN"}

PROMISED: dict[str, dict[str, str]] = {
    "flows": {"id": "VARCHAR", "name": "VARCHAR", "tags": "JSON", "updated": "TIMESTAMP WITH TIME ZONE"},
    "flow_runs": {
        **dict.fromkeys(["id", "name", "state_type", "flow_id", "deployment_id"], "VARCHAR"),
        **dict.fromkeys(["start_time", "end_time", "updated"], "TIMESTAMP WITH TIME ZONE"),
        "parameters": "JSON",
        "total_run_time": "DOUBLE",
        "run_count": "INTEGER",
        "auto_scheduled": "BOOLEAN",
    },
    "deployments": {
        **dict.fromkeys(["id", "name", "flow_id"], "VARCHAR"),
        "schedule": "JSON",
        "schedules": "JSON",
        "updated": "TIMESTAMP WITH TIME ZONE",
    },
}


def at(record: Any, *steps: Any) -> Any:
    """A nested value of a record, or None."""
    for step in steps:
        if isinstance(record, list):
            record = record[step] if len(record) > step else None
        else:
            record = (record or {}).get(step)
    return record


def expected(column: str, record: dict[str, Any]) -> Any:
    """The value of a column by the server's record. These rules are written independently of streams.yaml."""
    if column == "state_message":
        return at(record, "state", "message")
    if column == "state_timestamp":
        return at(record, "state", "timestamp")
    if column == "schedule":
        return record.get("schedule") or at(record, "schedules", 0, "schedule")
    if column == "concurrency_limit":
        found = at(record, "global_concurrency_limit", "limit")
        return record.get("concurrency_limit") if found is None else found
    if column == "job_variables" and record.get("job_variables") is None:
        return record.get("infra_overrides")
    return record.get(column)


def comparable(value: Any, kind: str) -> Any:
    """A server's value in the form that :func:`stored` returns."""
    if value is None:
        return None
    if kind == "TIMESTAMP WITH TIME ZONE":
        instant = datetime.fromisoformat(value.replace("Z", "+00:00")).astimezone(timezone.utc)
        return round(instant.timestamp() * 1_000_000)
    return value


def stored(project: UserProject, table: str, types: dict[str, str]) -> dict[str, dict[str, Any]]:
    """Every row of a table by id: instants as microseconds, JSON decoded."""
    columns = [
        f"epoch_us({name})" if kind == "TIMESTAMP WITH TIME ZONE" else f"{name}::VARCHAR" if kind == "JSON" else name
        for name, kind in types.items()
    ]
    rows = {}
    for values in project.query(f"SELECT {', '.join(columns)} FROM {table}"):
        row = {
            name: json.loads(value) if types[name] == "JSON" and value is not None else value
            for name, value in zip(types, values, strict=True)
        }
        rows[row["id"]] = row
    return rows


def assert_equals_the_server(project: UserProject, api_url: str, *, gone: dict[str, set[str]]) -> None:
    """Check that each table has every row of the server, column by column, and of other rows only those ``gone``."""
    for table, promised in PROMISED.items():
        types = {n: kind for n, kind in project.types(table).items() if not n.startswith(("_fivetran", "estimated_"))}
        assert set(types.values()) <= DUCKDB_TYPES
        assert promised.items() <= types.items()
        found = stored(project, table, types)
        records = {record["id"]: record for record in read_all(api_url, table)}
        assert set(found) == set(records) | gone.get(table, set())
        for key, record in records.items():
            for column, kind in types.items():
                want = comparable(expected(column, record), kind)
                assert found[key][column] == want, (table, key, column)


def live(project: UserProject, table: str) -> set[str]:
    """The ids of the rows that are not soft-deleted."""
    return {key for (key,) in project.query(f"SELECT id FROM {table} WHERE NOT _fivetran_deleted")}


@pytest.mark.parametrize("major", MAJORS)
def test_a_whole_server_and_then_its_changes(servers: Any, tmp_path: Path, major: int) -> None:
    """The first sync copies everything, the second only what changed. A deleted deployment is soft-deleted."""
    server, history = servers[major]
    three = {"streams": "flow_runs, flows, deployments", "batch_size": "50"}
    project = UserProject.create(tmp_path / "connector", {"api_url": server.api_url, **three})
    project.edit_streams(reconciled_by_every_sync)

    first = project.debug()
    assert first.code == 0, first.output
    records = read_all(server.api_url, "flow_runs")
    assert {record["state_type"] for record in records} == {
        *TERMINAL, "SCHEDULED", "PENDING", "RUNNING", "PAUSED", "CANCELLING",
    }  # fmt: skip
    assert len(records) > 4 * 50
    assert_equals_the_server(project, server.api_url, gone={})
    assert f"Synced {len(records)} flow runs, 8 flows, and 10 deployments" in first.output
    lines = [line for line in first.output.splitlines() if "⚡ connector " in line]
    assert "Starting Prefect sync" in lines[0]
    assert "Sync completed successfully" in lines[-1]
    # Prefect 2 and 3 return schedules in different forms; each deployment that has one keeps it.
    scheduled = project.query("SELECT count(*) FROM deployments WHERE schedule IS NOT NULL")
    assert scheduled == [(8,)]

    marks = dict(project.query("SELECT id, _fivetran_synced::VARCHAR FROM flow_runs"))
    changes = change_history(server.api_url, history)
    second = project.debug()
    assert second.code == 0, second.output
    vanished = {record["id"] for record in records} - {r["id"] for r in read_all(server.api_url, "flow_runs")}
    gone = {"deployments": changes.deployments_deleted, "flow_runs": vanished}
    assert_equals_the_server(project, server.api_url, gone=gone)
    assert live(project, "deployments") == set(history.deployments) - changes.deployments_deleted
    # The runs scheduled for the deployment were deleted with it.
    assert vanished
    assert live(project, "flow_runs").isdisjoint(vanished)
    after = dict(project.query("SELECT id, _fivetran_synced::VARCHAR FROM flow_runs"))
    sent = {key for key, mark in after.items() if mark != marks.get(key)}
    assert changes.flow_runs - vanished <= sent

    third = project.debug()
    assert third.code == 0, third.output
    assert "Synced 0 flow runs, 0 flows, and 0 deployments" in third.output
    assert_equals_the_server(project, server.api_url, gone=gone)


@pytest.mark.parametrize("major", MAJORS)
def test_a_deleted_flow_and_its_finished_run_are_soft_deleted(servers: Any, tmp_path: Path, major: int) -> None:
    """The flow by the next sync, the run by the next reconciliation. No other row is sent again."""
    server, _ = servers[major]
    api = PrefectApi(server.api_url)
    settings = {"streams": "flow_runs, flows", "deleted_flow_runs": "soft_delete"}
    project = UserProject.create(tmp_path / "connector", {"api_url": server.api_url, **settings})
    project.edit_streams(reconciled_by_every_sync)
    flow = api.make_flow("short-lived", [])
    run = api.make_flow_run({"flow_id": flow, "state": {"type": "COMPLETED"}})
    assert project.debug().code == 0
    assert flow in live(project, "flows")
    assert run in live(project, "flow_runs")
    api.call("DELETE", f"/flows/{flow}")
    done = project.debug()
    assert "Synced 0 flow runs and 0 flows" in done.output
    for table in ("flows", "flow_runs"):
        assert f"{table}: 1 row gone from the server: soft-deleted" in done.output
        assert live(project, table) == {record["id"] for record in read_all(server.api_url, table)}


@pytest.mark.parametrize("major", MAJORS)
def test_a_url_without_api_is_reported(servers: Any, tmp_path: Path, major: int) -> None:
    """The most common mistake: a warning before the first request, and the remedy in the failure."""
    server, _ = servers[major]
    url = server.api_url.removesuffix("/api")
    done = UserProject.create(tmp_path / "connector", {"api_url": url, "api_key": ""}).debug()
    assert done.code != 0
    assert re.search(r"WARNING .*api_url: this URL has no /api in its path", done.output)
    assert re.search(r"Check api_url.*no /api", done.output)


@pytest.mark.parametrize("major", MAJORS)
def test_a_rejected_request_shows_the_message_of_prefect(servers: Any, tmp_path: Path, major: int) -> None:
    """A 422 of a real server says which values it accepts."""
    server, _ = servers[major]
    project = UserProject.create(tmp_path / "connector", {"api_url": server.api_url, "api_key": ""})
    project.edit_streams(replace={"streams.flow_runs.body.sort": "UPDATED_ASC"})
    done = project.debug()
    assert done.code != 0
    assert "returned 422" in done.output
    assert "EXPECTED_START_TIME_DESC" in done.output
    assert "keys sent: sort, limit" in done.output


@pytest.mark.parametrize("major", MAJORS)
def test_the_table_in_the_readme_is_synced(servers: Any, tmp_path: Path, major: int) -> None:
    """The README's block, appended to streams.yaml, is a new table without a line of code."""
    server, _ = servers[major]
    late = {r["id"]: r["name"] for r in read_all(server.api_url, "flow_runs") if r["state_name"] == "Late"}
    assert late
    project = UserProject.create(tmp_path / "connector", {"api_url": server.api_url, "streams": "flows, late_runs"})
    streams = project.folder / "streams.yaml"
    streams.write_text(f"{streams.read_text('utf-8')}\n{blocks('yaml')[0]}", "utf-8")
    done = project.debug()
    assert done.code == 0, done.output
    assert f" and {len(late)} late run" in done.output
    assert project.types("late_runs")["expected_start_time"] == "TIMESTAMP WITH TIME ZONE"
    assert dict(project.query("SELECT id, name FROM late_runs")) == late
