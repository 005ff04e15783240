"""Every stream of streams.yaml, on real servers that hold rows of each: row by row, column by column."""

from __future__ import annotations

import time
from pathlib import Path

import pytest
import yaml

from dev.testbed.everything import SECRET, read
from dev.testbed.history import PrefectApi
from dev.testbed.prefect_server import PrefectServer
from engine.spec.load import resolve
from engine.sync import sync
from tests.fivetran.comparison import differences, in_duckdb, key_of
from tests.fivetran.conftest import MAJORS
from tests.fivetran.project import PROJECT, UserProject
from tests.shop import Lines, Recorder

STREAMS = yaml.safe_load((PROJECT / "streams.yaml").read_text("utf-8"))["streams"]
ELSEWHERE = {  # Prefect Cloud's
    "webhooks", "slas", "workspace_user_access", "workspace_bot_access", "workspace_team_access", "workspaces",
    "accounts", "account_memberships", "account_roles", "workspace_roles", "service_accounts", "teams",
}  # fmt: skip
ONLY = {"flow_run_notification_policies": 2, "task_workers": 3}
MOVING = {"events"}  # a server tells some of what this very test asks it


@pytest.mark.parametrize("major", MAJORS)
def test_everything_arrives(full_servers: dict[int, PrefectServer], tmp_path: Path, major: int) -> None:
    """All that a server tells is in the warehouse, and no secret is; a second sync sends no immutable row again."""
    server = full_servers[major]
    api = PrefectApi(server.api_url)
    project = UserProject.create(tmp_path / "connector", {"api_url": server.api_url, "streams": "all"})
    first = project.debug()
    assert first.code == 0, first.output
    absent = ELSEWHERE | {name for name, other in ONLY.items() if other != major}
    for name in STREAMS.keys() - absent:
        rows, records = in_duckdb(project, name), read(api, name)
        assert records, f"the test bed made no {name}"
        assert differences(name, rows, records) == []
        if name not in MOVING:
            assert {key for key, row in rows.items() if not row["_fivetran_deleted"]} == {
                record[key_of(name)] for record in records
            }
    skipped = [line for line in first.output.splitlines() if "not found; skipping" in line]
    assert len(skipped) == len(set(skipped)) == len(absent), skipped
    assert SECRET not in first.output
    assert all(SECRET.encode() not in path.read_bytes() for path in project.folder.rglob("*") if path.is_file())

    second = project.debug()
    assert second.code == 0, second.output
    for name in (
        "flow runs",
        "task runs",
        "flow run states",
        "task run states",
        "flow run inputs",
        "artifacts",
        "logs",
    ):
        assert f"0 {name}" in second.output, second.output


@pytest.mark.parametrize("major", MAJORS)
def test_by_default_nothing_large_or_sensitive_is_copied(
    full_servers: dict[int, PrefectServer], tmp_path: Path, major: int
) -> None:
    """Logs, events, states, inputs, values of variables and blocks stay; so does what few servers have."""
    project = UserProject.create(tmp_path / "connector", {"api_url": full_servers[major].api_url})
    done = project.debug()
    assert done.code == 0, done.output
    tables = {name for (name,) in project.query("SELECT table_name FROM information_schema.tables")}
    off = {name for name, stream in STREAMS.items() if not stream.get("enabled", True)}
    assert off == {
        "logs", "events", "flow_run_states", "task_run_states", "flow_run_inputs", "variables", "block_documents",
        *ONLY, *ELSEWHERE,
    }  # fmt: skip
    assert not tables & off
    assert {"flow_runs", "task_runs", "work_queues", "deployment_schedules"} <= tables


def test_a_selection_is_what_is_copied(full_servers: dict[int, PrefectServer], tmp_path: Path) -> None:
    """Only the tables that were chosen, though a child reads its parent."""
    chosen = {"api_url": full_servers[3].api_url, "streams": "workers, flows"}
    project = UserProject.create(tmp_path / "connector", chosen)
    done = project.debug()
    assert done.code == 0, done.output
    assert "Synced 8 flows and 6 workers" in done.output or "Synced 10 flows and 6 workers" in done.output
    tables = {name for (name,) in project.query("SELECT table_name FROM information_schema.tables")}
    assert tables >= {"flows", "workers"}
    assert "work_pools" not in tables


@pytest.mark.parametrize("major", MAJORS)
def test_a_final_state_that_was_decided_otherwise(
    full_servers: dict[int, PrefectServer], tmp_path: Path, major: int
) -> None:
    """Arrives with the next sync where there are events: nothing else tells of it, as the run's end stays as it was."""
    api = PrefectApi(full_servers[major].api_url)
    project = UserProject.create(tmp_path / "connector", {"api_url": full_servers[major].api_url})
    streams = project.folder / "streams.yaml"
    streams.write_text(streams.read_text("utf-8").replace("\napi:\n", "\napi:\n  lookback: 1s\n"), "utf-8")
    connected = resolve(streams, {"api_url": full_servers[major].api_url, "streams": "flow_runs"})
    run = api.make_flow_run({"flow_id": read(api, "flows")[0]["id"], "name": "over", "state": {"type": "COMPLETED"}})
    recorder = Recorder()
    sync(connected, {}, recorder, Lines())
    time.sleep(4)  # past the second of its end, and the overlap
    sync(connected, recorder.state, recorder, Lines())
    api.set_state(run, {"type": "FAILED"})
    chosen = {"filter": {"resource": {"id": [f"prefect.flow-run.{run}"]}}}
    deadline = time.monotonic() + 60
    while not any("Failed" in event["event"] for event in api.call("POST", "/events/filter", chosen)["events"]):
        assert time.monotonic() < deadline, "the server writes no events"
        time.sleep(0.2)
    recorder.operations.clear()
    lines = Lines()
    sync(connected, recorder.state, recorder, lines)
    assert recorder.tables["flow_runs"][run]["state_type"] == "FAILED"
    assert recorder.count("upsert") == 1
    assert lines.warnings == []
