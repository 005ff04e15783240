"""Every stream of streams.yaml on real servers that have rows of each: every row, every column."""

from __future__ import annotations

import time
from datetime import datetime, timezone
from pathlib import Path

import pytest

from dev.testbed.everything import SECRET, read
from dev.testbed.history import PrefectApi
from dev.testbed.prefect_server import PrefectServer
from engine.spec.load import resolve
from engine.sync import sync
from tests.conftest import MAJORS
from tests.copies import Copied
from tests.fivetran.comparison import differences, in_duckdb, key_of
from tests.fivetran.project import UserProject
from tests.shop import Lines, Recorder
from tests.specs import SHIPPED, parsed

STREAMS = parsed(SHIPPED.read_text("utf-8"))["streams"]
CLOUD = {  # tables that only Prefect Cloud has
    "webhooks", "slas", "workspace_user_access", "workspace_bot_access", "workspace_team_access", "workspaces",
    "accounts", "account_memberships", "account_roles", "workspace_roles", "service_accounts", "teams",
}  # fmt: skip
ONE_MAJOR = {"flow_run_notification_policies": 2, "task_workers": 3}  # tables that only one major version has
IMMUTABLE = ("flow_runs", "task_runs", "flow_run_states", "task_run_states", "flow_run_inputs", "artifacts", "logs")
GROWING = {"events"}  # requests of the test itself add rows


@pytest.mark.parametrize("major", MAJORS)
def test_everything_arrives(full_servers: dict[int, PrefectServer], copies: dict[int, Copied], major: int) -> None:
    """The warehouse has every row of the server and no secret. A second sync sends no immutable row again."""
    server = full_servers[major]
    api = PrefectApi(server.api_url)
    project, first = copies[major].project, copies[major].first
    assert first.code == 0, first.output
    absent = CLOUD | {name for name, other in ONE_MAJOR.items() if other != major}
    for name in STREAMS.keys() - absent:
        rows, records = in_duckdb(project, name), read(api, name)
        assert records, f"the test bed has no {name}"
        assert differences(name, rows, records) == []
        if name not in GROWING:
            assert {key for key, row in rows.items() if not row["_fivetran_deleted"]} == {
                record[key_of(name)] for record in records
            }
    skipped = [line for line in first.output.splitlines() if "not found; skipping" in line]
    assert len(skipped) == len(set(skipped)) == len(absent), skipped
    assert SECRET not in first.output
    assert all(SECRET.encode() not in path.read_bytes() for path in project.folder.rglob("*") if path.is_file())

    project.configure({"api_url": server.api_url, "streams": ", ".join(IMMUTABLE)})
    second = project.debug()
    assert second.code == 0, second.output
    for name in IMMUTABLE:
        assert f" 0 {name.replace('_', ' ')}" in second.output, second.output


@pytest.mark.parametrize("major", MAJORS)
def test_large_and_sensitive_tables_are_off_by_default(
    full_servers: dict[int, PrefectServer], tmp_path: Path, major: int
) -> None:
    """Logs, events, states, inputs, the values of variables and blocks. So are tables that few servers have."""
    project = UserProject.create(tmp_path / "connector", {"api_url": full_servers[major].api_url})
    done = project.debug()
    assert done.code == 0, done.output
    tables = {name for (name,) in project.query("SELECT table_name FROM information_schema.tables")}
    off = {name for name, stream in STREAMS.items() if not stream.get("enabled", True)}
    assert off == {
        "logs", "events", "flow_run_states", "task_run_states", "flow_run_inputs", "variables", "block_documents",
        *ONE_MAJOR, *CLOUD,
    }  # fmt: skip
    assert not tables & off
    assert {"flow_runs", "task_runs", "work_queues", "deployment_schedules"} <= tables


def test_only_selected_tables_are_synced(full_servers: dict[int, PrefectServer], tmp_path: Path) -> None:
    """A child reads its parent, whose table is written only if it is selected too."""
    selected = {"api_url": full_servers[3].api_url, "streams": "workers, flows"}
    project = UserProject.create(tmp_path / "connector", selected)
    done = project.debug()
    assert done.code == 0, done.output
    assert "Synced 8 flows and 6 workers" in done.output or "Synced 10 flows and 6 workers" in done.output
    tables = {name for (name,) in project.query("SELECT table_name FROM information_schema.tables")}
    assert tables >= {"flows", "workers"}
    assert "work_pools" not in tables


@pytest.mark.parametrize("major", MAJORS)
def test_a_change_between_final_states_arrives_by_its_event(
    full_servers: dict[int, PrefectServer], tmp_path: Path, major: int
) -> None:
    """With the next sync. Nothing else shows the change, because the run's end stays the same."""
    api = PrefectApi(full_servers[major].api_url)
    project = UserProject.create(tmp_path / "connector", {"api_url": full_servers[major].api_url})
    project.edit_streams(add={"api.lookback": "1s"})
    connected = resolve(
        project.folder / "streams.yaml", {"api_url": full_servers[major].api_url, "streams": "flow_runs"}
    )
    completed = [run for run in read(api, "flow_runs") if run["state_type"] == "COMPLETED" and run["end_time"]]
    run = min(completed, key=lambda run: run["end_time"])["id"]  # it ended long before the lookback of the next sync
    recorder = Recorder()
    sync(connected, {}, recorder, Lines())
    now = datetime.now(timezone.utc).isoformat()
    api.set_state(run, {"type": "FAILED"})
    chosen = {"filter": {"resource": {"id": [f"prefect.flow-run.{run}"]}, "occurred": {"since": now}}}
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
