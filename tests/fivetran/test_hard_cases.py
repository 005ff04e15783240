"""What real servers have and a simple copy gets wrong: names and instants at their limits, rows that move, limits."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from datetime import datetime, timezone
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest

from dev.testbed.everything import EVENTS, read
from dev.testbed.history import Json, PrefectApi
from dev.testbed.prefect_server import PrefectServer
from engine.spec.load import resolve
from engine.sync import sync
from tests.conftest import MAJORS
from tests.fivetran.comparison import differences, in_recorder
from tests.fivetran.project import PROJECT
from tests.shop import Lines, Recorder
from tests.specs import edited

pytestmark = pytest.mark.prefect


@pytest.fixture(scope="module")
def shared() -> Iterator[Mapping[int, PrefectServer]]:
    """A server of each major version, started side by side. All cases share it."""
    with ExitStack() as stack, ThreadPoolExecutor(len(MAJORS)) as pool:

        def start(major: int) -> PrefectServer:
            return stack.enter_context(PrefectServer(major, environment=EVENTS[major]))

        yield dict(zip(MAJORS, pool.map(start, MAJORS), strict=True))


@pytest.fixture(params=MAJORS)
def server(shared: Mapping[int, PrefectServer], request: pytest.FixtureRequest) -> PrefectServer:
    return shared[request.param]


@pytest.fixture
def api(server: PrefectServer) -> PrefectApi:
    return PrefectApi(server.api_url)


class Connection:
    """A connection to a server, and the destination that it fills."""

    def __init__(self, folder: Path, server: PrefectServer, streams: str, **settings: str) -> None:
        self.recorder = Recorder()
        self.lines = Lines()
        self._file = folder / "streams.yaml"
        self._file.write_text((PROJECT / "streams.yaml").read_text("utf-8"), "utf-8")
        self._settings = {"api_url": server.api_url, "streams": streams, "batch_size": "50", **settings}

    def declare(self, **values: Any) -> None:
        """Add values to streams.yaml by their paths, in which two underscores are a dot."""
        added = {path.replace("__", "."): value for path, value in values.items()}
        self._file.write_text(edited(self._file.read_text("utf-8"), add=added), "utf-8")

    def sync(self) -> None:
        """Sync once. The operations and lines of earlier syncs are forgotten."""
        self.recorder.operations.clear()
        self.lines.infos.clear()
        self.lines.warnings.clear()
        sync(resolve(self._file, self._settings), self.recorder.state, self.recorder, self.lines)

    def differences(self, api: PrefectApi, table: str) -> list[str]:
        """How a table differs from the server."""
        return differences(table, in_recorder(self.recorder, table), read(api, table))

    def deleted(self, table: str) -> set[str]:
        """The keys of rows that are marked as deleted."""
        return {key for key, row in self.recorder.tables[table].items() if row["deleted"]}


def finished_run(api: PrefectApi) -> str:
    run = api.make_flow_run({"flow_id": api.make_flow(f"flow {uuid4()}", []), "state": {"type": "PENDING"}})
    api.set_state(run, {"type": "COMPLETED"})
    return run


def post_events(api: PrefectApi, events: list[Json]) -> None:
    """Send events, and wait until the server lists them."""
    marker = f"marker {uuid4()}"
    last = {"event": marker, "resource": {"prefect.resource.id": marker}}
    now = datetime.now(timezone.utc).isoformat()
    body = [{"id": str(uuid4()), "occurred": now, **event} for event in [*events, last]]
    api.call("POST", "/events", body)  # type: ignore[arg-type]  # a list, like that of logs
    chosen = {"filter": {"resource": {"id": [marker]}}}
    wait_until(lambda: bool(api.call("POST", "/events/filter", chosen)["total"]))


def wait_until(holds: Callable[[], bool]) -> None:
    deadline = time.monotonic() + 30
    while not holds():
        assert time.monotonic() < deadline
        time.sleep(0.1)


def wait_for_failure(api: PrefectApi, run: str) -> None:
    """Wait until the server lists the event of a run that failed."""
    about = {"resource": {"id": [f"prefect.flow-run.{run}"]}, "event": {"name": ["prefect.flow-run.Failed"]}}
    wait_until(lambda: bool(api.call("POST", "/events/filter", {"filter": about})["total"]))


def test_events_of_users_own_about_flow_runs_hide_no_change(
    api: PrefectApi, server: PrefectServer, tmp_path: Path
) -> None:
    """Anyone can send events whose names and resources look like those of runs, and are none.

    A run that changed from one final state to another, which only its event shows, arrives with the next sync.
    """
    runs = [finished_run(api) for _ in range(2)]
    connection = Connection(tmp_path, server, "flow_runs")
    connection.declare(api__lookback="0s")
    time.sleep(2)  # the runs ended before the sync began, so no query finds them again
    connection.sync()
    for run in runs:
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
    assert connection.differences(api, "flow_runs") == []
