"""`fivetran debug` copies real Prefect servers into DuckDB: every row, every value, every type."""

from __future__ import annotations

import json
import re
from datetime import datetime, timezone
from pathlib import Path
from typing import Any

import pytest

from dev.testbed.history import TERMINAL, PrefectApi, change_history, read_all
from tests.fivetran.conftest import MAJORS
from tests.fivetran.project import UserProject
from tests.readme import blocks

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
    """A nested value of a record, None where there is none."""
    for step in steps:
        if isinstance(record, list):
            record = record[step] if len(record) > step else None
        else:
            record = (record or {}).get(step)
    return record


def expected(column: str, record: dict[str, Any]) -> Any:
    """What the server's own answer says a column holds; said here a second time, apart from streams.yaml."""
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
    """A server's value in the form in which :func:`stored` answers it."""
    if value is None:
        return None
    if kind == "TIMESTAMP WITH TIME ZONE":
        instant = datetime.fromisoformat(value.replace("Z", "+00:00")).astimezone(timezone.utc)
        return round(instant.timestamp() * 1_000_000)
    return value


def stored(project: UserProject, table: str, types: dict[str, str]) -> dict[str, dict[str, Any]]:
    """Every row of a table by its id: instants as microseconds, JSON decoded."""
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
    """Each table holds each row of the server, column by column, and besides only the rows known to be ``gone``."""
    for table, promised in PROMISED.items():
        types = {n: kind for n, kind in project.types(table).items() if not n.startswith(("_fivetran", "estimated_"))}
        assert set(types.values()) <= DUCKDB_TYPES
        assert promised.items() <= types.items()
        found = stored(project, table, types)
        answers = {record["id"]: record for record in read_all(api_url, table)}
        assert set(found) == set(answers) | gone.get(table, set())
        for key, record in answers.items():
            for column, kind in types.items():
                want = comparable(expected(column, record), kind)
                assert found[key][column] == want, (table, key, column)


def live(project: UserProject, table: str) -> set[str]:
    """The ids of the rows that are not soft-deleted."""
    return {key for (key,) in project.query(f"SELECT id FROM {table} WHERE NOT _fivetran_deleted")}


@pytest.mark.parametrize("major", MAJORS)
def test_a_whole_server_then_its_changes(servers: Any, tmp_path: Path, major: int) -> None:
    """First everything, typed; then what changed, and only that; a deleted deployment is soft-deleted."""
    server, history = servers[major]
    three = {"streams": "flow_runs, flows, deployments", "batch_size": "50"}
    project = UserProject.create(tmp_path / "connector", {"api_url": server.api_url, **three})
    streams = project.folder / "streams.yaml"
    streams.write_text(streams.read_text("utf-8").replace("every: 24h", "every: 0s"), "utf-8")  # at every sync

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
    # Both majors have a schedule for each deployment that has one, whichever way the server says it.
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
    # Runs that were scheduled for the deployment went with it.
    assert vanished
    assert live(project, "flow_runs").isdisjoint(vanished)
    after = dict(project.query("SELECT id, _fivetran_synced::VARCHAR FROM flow_runs"))
    sent = {key for key, mark in after.items() if mark != marks.get(key)}
    assert changes.flow_runs - vanished <= sent

    third = project.debug()
    assert third.code == 0, third.output
    assert "Synced 0 flow runs, 0 flows, and 9 deployments" in third.output
    assert_equals_the_server(project, server.api_url, gone=gone)


@pytest.mark.parametrize("major", MAJORS)
def test_a_deleted_flow_is_soft_deleted(servers: Any, tmp_path: Path, major: int) -> None:
    """With the next sync; none of the others is sent again."""
    server, _ = servers[major]
    api = PrefectApi(server.api_url)
    project = UserProject.create(tmp_path / "connector", {"api_url": server.api_url, "streams": "flows"})
    flow = api.make_flow("short-lived", [])
    assert project.debug().code == 0
    assert flow in live(project, "flows")
    api.call("DELETE", f"/flows/{flow}")
    done = project.debug()
    assert "Synced 0 flows" in done.output
    assert "flows: 1 row gone from the server: soft-deleted" in done.output
    assert live(project, "flows") == {record["id"] for record in read_all(server.api_url, "flows")}


@pytest.mark.parametrize("major", MAJORS)
def test_a_url_without_api(servers: Any, tmp_path: Path, major: int) -> None:
    """The commonest mistake: it is noticed before anything is asked, and the failure says it again."""
    server, _ = servers[major]
    url = server.api_url.removesuffix("/api")
    done = UserProject.create(tmp_path / "connector", {"api_url": url, "api_key": ""}).debug()
    assert done.code != 0
    assert re.search(r"WARNING .*api_url: this URL has no /api in its path", done.output)
    assert re.search(r"Check api_url.*no /api", done.output)


@pytest.mark.parametrize("major", MAJORS)
def test_a_filter_that_prefect_does_not_know(servers: Any, tmp_path: Path, major: int) -> None:
    """422 on a real server: the server's words reach the user."""
    server, _ = servers[major]
    project = UserProject.create(tmp_path / "connector", {"api_url": server.api_url, "api_key": ""})
    streams = project.folder / "streams.yaml"
    streams.write_text(
        streams.read_text().replace("body: {sort: EXPECTED_START_TIME_ASC}", "body: {sort: UPDATED_ASC}")
    )
    done = project.debug()
    assert done.code != 0
    assert "returned 422" in done.output
    assert "EXPECTED_START_TIME_DESC" in done.output
    assert "keys sent: sort, limit" in done.output


@pytest.mark.parametrize("major", MAJORS)
def test_the_readmes_endpoint_arrives(servers: Any, tmp_path: Path, major: int) -> None:
    """The block of the README, appended to streams.yaml, is a new table; no line of code."""
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
