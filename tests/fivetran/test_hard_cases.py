"""What real servers have and a simple copy gets wrong: names and instants at their limits, rows that move, limits."""

from __future__ import annotations

import random
import re
import sqlite3
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, closing, contextmanager
from dataclasses import dataclass
from datetime import datetime, timezone
from http.client import HTTPConnection
from pathlib import Path
from typing import Any
from urllib.parse import quote, urlsplit
from uuid import uuid4

import pytest

from dev.testbed.everything import EVENTS, read
from dev.testbed.history import Json, PrefectApi
from dev.testbed.prefect_server import PrefectServer
from dev.testbed.seed import Shape, seed
from engine.authentication.credentials import Credentials
from engine.failures import LimitReached
from engine.http.transport import Transport
from engine.spec.load import resolve
from engine.sync import sync
from tests.conftest import MAJORS
from tests.fivetran.comparison import differences, in_recorder
from tests.fivetran.project import PROJECT, UserProject
from tests.shop import Lines, Recorder
from tests.specs import edited, reconciled_by_every_sync

pytestmark = pytest.mark.prefect


WORKERS = 240
QUEUES = [f"queue {number}" for number in range(45)]
BUSY = "/work_pools/busy"  # the path of a pool with these
SETTLED_SECONDS = 4.0
"""Rows of this age are older than the time in a server's responses, which lags up to two seconds behind its clock."""


@dataclass(frozen=True)
class Hard:
    """A server with rows that several cases need. All cases share it."""

    server: PrefectServer
    api: PrefectApi
    finished: list[str]
    open: list[str]
    made_at: float

    @classmethod
    def make(cls, server: PrefectServer) -> Hard:
        """Make finished and open runs, and a pool of many workers and queues."""
        api = PrefectApi(server.api_url)
        flow = api.make_flow("hard cases", [])
        finished = [api.make_flow_run({"flow_id": flow, "state": {"type": "PENDING"}}) for _ in range(2)]
        for run in finished:
            api.set_state(run, {"type": "COMPLETED"})
        opened = [api.make_flow_run({"flow_id": flow, "state": {"type": "SCHEDULED"}}) for _ in range(60)]
        api.call("POST", "/work_pools/", {"name": "busy", "type": "process"})
        for queue in QUEUES:
            api.call("POST", f"{BUSY}/queues", {"name": queue})
        make_workers(server, WORKERS)
        return cls(server, api, finished, opened, time.monotonic())

    def settle(self) -> None:
        """Wait until no sync takes these rows for new ones."""
        time.sleep(max(0.0, self.made_at + SETTLED_SECONDS - time.monotonic()))


@pytest.fixture(scope="module")
def servers_of_hard_cases() -> Iterator[Mapping[int, Hard]]:
    """A server of each major version, made side by side."""
    with ExitStack() as stack, ThreadPoolExecutor(len(MAJORS)) as pool:

        def make(major: int) -> Hard:
            return Hard.make(stack.enter_context(PrefectServer(major, environment=EVENTS[major])))

        yield dict(zip(MAJORS, pool.map(make, MAJORS), strict=True))


@pytest.fixture(params=MAJORS)
def hard(servers_of_hard_cases: Mapping[int, Hard], request: pytest.FixtureRequest) -> Hard:
    return servers_of_hard_cases[request.param]


class Destination(Recorder):
    """A destination that notes which rows a sync sends."""

    def __init__(self) -> None:
        super().__init__()
        self.sent: list[tuple[str, str]] = []

    def upsert(self, table: str, data: dict[str, Any]) -> None:
        """Store a row."""
        super().upsert(table, data)
        self.sent.append((table, data["id"]))


class Connection:
    """A connection to a server, and the destination that it fills."""

    def __init__(self, folder: Path, hard: Hard, streams: str, **settings: str) -> None:
        self.recorder = Destination()
        self.lines = Lines()
        self._api = hard.api
        self._file = folder / "streams.yaml"
        self._file.write_text((PROJECT / "streams.yaml").read_text("utf-8"), "utf-8")
        self._settings = {"api_url": hard.server.api_url, "streams": streams, "batch_size": "50", **settings}

    def edit_streams(self, edit: Callable[..., str] = edited, **edits: Any) -> None:
        """Edit streams.yaml with a function of :mod:`tests.specs`."""
        self._file.write_text(edit(self._file.read_text("utf-8"), **edits), "utf-8")

    def sync(self) -> None:
        """Sync once. The operations and lines of earlier syncs are forgotten."""
        self.recorder.operations.clear()
        self.recorder.sent.clear()
        self.lines.infos.clear()
        self.lines.warnings.clear()
        sync(resolve(self._file, self._settings), self.recorder.state, self.recorder, self.lines)

    def differences(self, table: str) -> list[str]:
        """How a table differs from the server."""
        return differences(table, in_recorder(self.recorder, table), read(self._api, table))

    def deleted(self, table: str) -> set[str]:
        """The keys of rows that are marked as deleted."""
        return {key for key, row in self.recorder.tables[table].items() if row["deleted"]}


def post_events(api: PrefectApi, events: list[Json]) -> None:
    """Send events, and wait until the server lists them."""
    marker = f"marker {uuid4()}"
    last = {"event": marker, "resource": {"prefect.resource.id": marker}}
    now = datetime.now(timezone.utc).isoformat()
    body = [{"id": str(uuid4()), "occurred": now, **event} for event in [*events, last]]
    api.call("POST", "/events", body)  # type: ignore[arg-type]  # a list, like that of logs
    chosen = {"filter": {"resource": {"id": [marker]}}}
    wait_until(lambda: bool(api.call("POST", "/events/filter", chosen)["total"]))


def heartbeat(api: PrefectApi, pool: str, worker: str) -> None:
    """A worker of the pool at a path says that it is there, and online for long."""
    api.call("POST", f"{pool}/workers/heartbeat", {"name": worker, "heartbeat_interval_seconds": 10**6})


def make_workers(server: PrefectServer, count: int) -> None:
    """Workers of the busy pool: one by a heartbeat, and copies of it in the database, which saves seconds."""
    heartbeat(PrefectApi(server.api_url), BUSY, "worker 0")
    with closing(sqlite3.connect(server.database.removeprefix("sqlite:///"))) as database, database:
        database.create_function("uuid", 0, lambda: str(uuid4()))
        columns = [name for _, name, *_ in database.execute("PRAGMA table_info(worker)")]
        copied = ", ".join({"id": "uuid()", "name": "?"}.get(name, name) for name in columns)
        copy = f"INSERT INTO worker SELECT {copied} FROM worker WHERE name = 'worker 0'"
        database.executemany(copy, [(f"worker {number}",) for number in range(1, count)])


def make_pool(api: PrefectApi, name: str) -> Json:
    """A pool with a queue and a worker."""
    pool: Json = api.call("POST", "/work_pools/", {"name": name, "type": "process"})
    path = f"/work_pools/{quote(name, safe='')}"
    api.call("POST", f"{path}/queues", {"name": f"queue of {name}"})
    heartbeat(api, path, f"worker of {name}")
    return pool


def wait_until(holds: Callable[[], bool]) -> None:
    deadline = time.monotonic() + 30
    while not holds():
        assert time.monotonic() < deadline
        time.sleep(0.1)


def wait_for_failure(api: PrefectApi, run: str) -> None:
    """Wait until the server lists the event of a run that failed."""
    about = {"resource": {"id": [f"prefect.flow-run.{run}"]}, "event": {"name": ["prefect.flow-run.Failed"]}}
    wait_until(lambda: bool(api.call("POST", "/events/filter", {"filter": about})["total"]))


def test_events_of_one_instant_arrive_once(hard: Hard, tmp_path: Path) -> None:
    """A worker that comes up for more deployments than a page of events holds dates all of their events alike."""
    now = datetime.now(timezone.utc).isoformat()
    events: list[Json] = [
        {
            "id": str(uuid4()),
            "event": "prefect.deployment.ready",
            "occurred": now,
            "resource": {"prefect.resource.id": f"prefect.deployment.{uuid4()}"},
        }
        for _ in range(60)
    ]
    post_events(hard.api, events)
    connection = Connection(tmp_path, hard, "events")
    connection.sync()
    own = {("events", event["id"]) for event in events}
    assert own <= set(connection.recorder.sent)
    assert len(connection.recorder.sent) == len(set(connection.recorder.sent))
    connection.sync()
    assert not own & set(connection.recorder.sent)


def test_runs_at_the_first_and_last_instants_arrive(hard: Hard, tmp_path: Path) -> None:
    """More than fit a page share each instant. The list is read twice, and nothing is sent twice."""
    flow = hard.api.make_flow("at the limits", [])
    for at in ("0001-01-01T00:00:00Z", "0001-01-01T00:00:00.000001Z", "9999-12-31T23:59:59.999999Z"):
        for _ in range(3):
            details = {"scheduled_time": at}
            hard.api.make_flow_run({"flow_id": flow, "state": {"type": "SCHEDULED", "state_details": details}})
    connection = Connection(tmp_path, hard, "flow_runs", batch_size="2")
    connection.edit_streams(reconciled_by_every_sync)
    for _ in range(2):
        connection.sync()
        assert connection.differences("flow_runs") == []
    assert connection.recorder.sent == []


ODD_NAMES = (  # Prefect accepts no / % & < >
    "größe ü", " before and after ", "what?", "a#b", ".hidden", "...", "a+b;c=d", "a\\b", '日本 🚀 "quoted"',
    "{work_pool}", "$work_pool",
)  # fmt: skip


def test_queues_and_workers_of_pools_with_odd_names_arrive(hard: Hard, tmp_path: Path) -> None:
    """A pool's name is a part of the path under which its queues and workers are listed."""
    for name in ODD_NAMES:
        make_pool(hard.api, name)
    tables = ("work_pools", "work_queues", "workers")
    connection = Connection(tmp_path, hard, ", ".join(tables))
    connection.sync()
    assert connection.lines.warnings == []
    for table in tables:
        assert connection.differences(table) == []
    names = {row["name"] for row in connection.recorder.tables["workers"].values()}
    assert {f"worker of {name}" for name in ODD_NAMES} <= names


def test_a_pool_whose_name_would_go_up_a_path_hides_no_other(
    hard: Hard, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """No request is sent for its queues, and those of the other pools arrive."""
    going_up = {".": "%2E", "..": "%2E%2E"}
    for name in going_up:
        hard.api.call("POST", "/work_pools/", {"name": name, "type": "process"})
    paths = paths_of_requests(monkeypatch)
    connection = Connection(tmp_path, hard, "work_pools, work_queues, workers")
    connection.sync()
    for quoted in going_up.values():
        delete_as_quoted(hard, f"/work_pools/{quoted}")
    assert not any({".", ".."} & set(path.split("/")) for path in paths)
    pools = {row["name"] for row in connection.recorder.tables["work_pools"].values()}
    assert {row["work_pool_name"] for row in connection.recorder.tables["work_queues"].values()} == pools - {*going_up}
    assert pools > {*going_up}


def delete_as_quoted(hard: Hard, path: str) -> None:
    """Delete a row whose path requests would shorten. A server on SQLite answers 503 while another request writes."""
    url = urlsplit(hard.server.api_url)
    for _ in range(20):
        with closing(HTTPConnection(url.netloc)) as connection:
            connection.request("DELETE", f"{url.path}{path}")
            status = connection.getresponse().status
        if status != 503:
            break
        time.sleep(0.5)
    assert status == 204


def test_no_row_is_missed_while_rows_move(hard: Hard, tmp_path: Path) -> None:
    """Prefect sorts workers by their last heartbeat and queues by their priority, so they change their places."""
    connection = Connection(tmp_path, hard, "work_queues, workers", batch_size="30")
    existing = {table: {row["id"] for row in read(hard.api, table)} for table in ("work_queues", "workers")}
    with moving(hard):
        for _ in range(6):
            connection.sync()
            for table, keys in existing.items():
                assert connection.recorder.tables[table].keys() == keys
                assert connection.deleted(table) == set()


@contextmanager
def moving(hard: Hard) -> Iterator[None]:
    """Workers send heartbeats, and queues get other priorities, until the block ends."""
    over, dice = threading.Event(), random.Random(1)
    api = PrefectApi(hard.server.api_url)

    def move() -> None:
        while not over.wait(0.01):
            if dice.random() < 0.8:
                heartbeat(api, BUSY, f"worker {dice.randrange(WORKERS)}")
            else:
                body = {"priority": dice.randint(1, len(QUEUES))}
                api.call("PATCH", f"{BUSY}/queues/{quote(dice.choice(QUEUES))}", body)

    thread = threading.Thread(target=move)
    thread.start()
    try:
        yield
    finally:
        over.set()
        thread.join()


def test_what_was_deleted_before_a_historical_resync_is_marked(hard: Hard, tmp_path: Path) -> None:
    """The state is gone and the warehouse is kept, so nothing but the tables knows of these rows."""
    gone = make_one_of_each(hard.api)
    connection = Connection(tmp_path, hard, ", ".join(gone))
    connection.sync()
    delete(hard.api, gone)
    connection.recorder.state = {}
    connection.sync()
    for table, key in gone.items():
        assert connection.deleted(table) == {key}
        assert connection.differences(table) == []


def make_one_of_each(api: PrefectApi) -> dict[str, str]:
    """A flow, a scheduled run and a deployment of another flow; returns their ids by table."""
    flow = api.make_flow(f"kept {uuid4()}", [])
    return {
        "flows": api.make_flow(f"gone {uuid4()}", []),
        "flow_runs": api.make_flow_run({"flow_id": flow, "state": {"type": "SCHEDULED"}}),
        "deployments": api.make_deployment(f"gone {uuid4()}", flow, []),
    }


def delete(api: PrefectApi, keys: Mapping[str, str]) -> None:
    for table, key in keys.items():
        api.call("DELETE", f"/{table}/{key}")


def test_events_of_users_own_about_flow_runs_hide_no_change(hard: Hard, tmp_path: Path) -> None:
    """Anyone can send events whose names and resources look like those of runs, and are none.

    A run that changed from one final state to another, which only its event shows, arrives with the next sync, even if
    no other row shows what a key looks like.
    """
    api = hard.api
    connection = Connection(tmp_path, hard, "flow_runs")
    connection.edit_streams(add={"api.lookback": "0s"}, remove=["streams.flow_runs.incremental.open"])
    hard.settle()
    connection.sync()
    for run in hard.finished:
        names = [f"my-note-{number}" for number in range(60)]
        names += ["", str(uuid4()), str(uuid4()).upper(), uuid4().hex, "ü/?", "x" * 3000]
        events: list[Json] = [
            {"event": f"prefect.flow-run.note-{index}", "resource": {"prefect.resource.id": f"prefect.flow-run.{name}"}}
            for index, name in enumerate(names)
        ]
        events.append({"event": "prefect.flow-run.note", "resource": {"prefect.resource.id": "mine"}})
        post_events(api, events)
        api.set_state(run, {"type": "FAILED"})
        wait_for_failure(api, run)
        connection.sync()
        assert connection.recorder.tables["flow_runs"][run]["state_type"] == "FAILED"
    assert connection.differences("flow_runs") == []


def test_open_runs_that_do_not_change_cost_no_request_for_their_states(
    hard: Hard, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A state that is added to one of them arrives, with one request."""
    connection = Connection(tmp_path, hard, "flow_run_states")
    hard.settle()  # a run that has just changed is read once more, because its states can become visible late
    connection.edit_streams(add={"api.lookback": "5s"}, remove=["streams.flow_run_states.incremental.reconcile"])
    before = updated(hard)
    connection.sync()
    assert len(connection.recorder.sent) >= len(hard.open)
    requested = runs_whose_states_are_requested(monkeypatch)
    connection.sync()
    unchanged = before.items() & updated(hard).items()  # the server's own services can change others
    assert {key for key, _ in unchanged} >= set(hard.open[1:])
    assert not {key for key, _ in unchanged} & set(requested)
    hard.api.set_state(hard.open[0], {"type": "PENDING"})
    requested.clear()
    connection.sync()
    changed = {key for key, at in updated(hard).items() if before.get(key) != at}
    assert hard.open[0] in requested
    assert set(requested) <= changed
    assert len(requested) == len(set(requested))
    assert connection.differences("flow_run_states") == []


def updated(hard: Hard) -> dict[str, str]:
    """When each flow run last changed."""
    return {run["id"]: run["updated"] for run in read(hard.api, "flow_runs")}


def runs_whose_states_are_requested(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The runs whose states syncs request from now on."""
    runs: list[str] = []
    send = Transport.send

    def sent(transport: Transport, request: Any, credentials: Credentials) -> Any:
        if request.endpoint.path == "/flow_run_states/":
            runs.append(request.query["flow_run_id"])
        return send(transport, request, credentials)

    monkeypatch.setattr(Transport, "send", sent)
    return runs


def paths_of_requests(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The paths of all requests that syncs send from now on."""
    paths: list[str] = []
    send = Transport.send

    def sent(transport: Transport, request: Any, credentials: Credentials) -> Any:
        paths.append(request.endpoint.path)
        return send(transport, request, credentials)

    monkeypatch.setattr(Transport, "send", sent)
    return paths


def test_a_sync_of_unchanged_rows_writes_nothing(hard: Hard, tmp_path: Path) -> None:
    """All default tables, with the lookback as it is. Then one work pool changes, and its row alone is sent."""
    pool = make_some_of_everything(hard)
    connection = Connection(tmp_path, hard, "")
    connection.sync()
    assert {"flow_runs", "deployment_schedules", "artifacts", "workers"} <= connection.recorder.tables.keys()
    connection.sync()
    assert connection.recorder.sent == []
    assert connection.recorder.count("delete") == connection.recorder.count("truncate") == 0
    assert connection.recorder.count("checkpoint") <= 2
    hard.api.call("PATCH", f"/work_pools/{pool['name']}", {"description": "changed"})
    connection.sync()
    assert connection.recorder.sent == [("work_pools", pool["id"])]
    assert connection.recorder.tables["work_pools"][pool["id"]]["description"] == "changed"


def make_some_of_everything(hard: Hard) -> Json:
    """Rows of the default tables; returns a work pool."""
    schedules = [{"active": True, "schedule": {"interval": 3600}}]
    hard.api.make_deployment(f"quiet {uuid4()}", hard.api.make_flow("quiet", []), schedules)
    hard.api.call("POST", "/artifacts/", {"key": "quiet", "type": "markdown", "data": "# 1"})
    hard.api.call("POST", "/concurrency_limits/", {"tag": "quiet", "concurrency_limit": 2})
    return make_pool(hard.api, f"quiet-{uuid4()}")


def test_the_warehouse_after_quiet_syncs_and_a_resync(
    servers_of_hard_cases: Mapping[int, Hard], tmp_path: Path
) -> None:
    """`fivetran debug` leaves unchanged rows as they are, and marks what was deleted before a re-sync."""
    hard = servers_of_hard_cases[3]
    gone = make_one_of_each(hard.api)
    project = UserProject.create(tmp_path / "connector", {"api_url": hard.server.api_url})
    assert project.debug().code == 0
    written = times_of_rows(project)
    done = project.debug()
    assert done.code == 0, done.output
    for operation, most in {"Upserts": 0, "Updates": 0, "Deletes": 0, "Truncates": 0, "Checkpoints": 2}.items():
        assert re.search(rf"{operation} +\| [0-{most}] ", done.output), done.output
    assert times_of_rows(project) == written
    delete(hard.api, gone)
    (project.folder / "files" / "state.json").unlink()
    assert project.debug().code == 0
    for table, key in gone.items():
        assert project.query(f"SELECT id FROM {table} WHERE _fivetran_deleted") == [(key,)]


def times_of_rows(project: UserProject) -> dict[str, list[str]]:
    """For each table of a warehouse, when its rows were written."""
    tables = [name for (name,) in project.query("SELECT table_name FROM information_schema.tables")]
    tables.remove("_fivetran_metadata")
    return {
        table: [str(time) for time in project.query(f"SELECT _fivetran_synced::VARCHAR FROM {table} ORDER BY ALL")]
        for table in tables
    }


def test_a_limit_of_requests_ends_a_sync_and_not_its_progress(hard: Hard, tmp_path: Path) -> None:
    """Each sync is ahead of the last one, until one ends."""
    seed(hard.server.database, Shape(runs=1500, flows=5, deployments=10, open_runs=20))
    connection = Connection(tmp_path, hard, "flow_runs")
    connection.edit_streams(add={"api.limits": {"requests": 12}})
    rows, states = [0], list[Any]()
    while not states or states[-1] is not None:
        try:
            connection.sync()
            states.append(None)
        except LimitReached:
            states.append(connection.recorder.state["streams"]["flow_runs"])
            assert states[-1] not in states[:-1]
        rows.append(len(connection.recorder.tables["flow_runs"]))
        assert len(rows) < 40
    assert len(states) > 3
    growing = [number for number in rows if number < rows[-1]]
    assert growing == sorted(set(growing))
    assert connection.differences("flow_runs") == []
