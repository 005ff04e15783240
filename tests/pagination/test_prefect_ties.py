"""More rows of one instant than a page holds, on real Prefect, in lists that it sorts by nothing but the instant."""

from __future__ import annotations

import time
from collections.abc import Iterator
from datetime import datetime, timedelta, timezone
from typing import Any
from uuid import uuid4

import pytest

from dev.testbed.everything import EVENTS
from dev.testbed.history import PrefectApi
from dev.testbed.prefect_server import PrefectServer
from engine.instants import format_instant
from engine.spec.load import resolve
from engine.sync import sync
from tests.fivetran.project import PROJECT
from tests.shop import Lines, Recorder

pytestmark = pytest.mark.prefect

SAME = 120
INSTANT = datetime.now(timezone.utc) - timedelta(minutes=1)


@pytest.fixture(scope="module")
def server() -> Iterator[PrefectServer]:
    with PrefectServer(3, environment=EVENTS[3]) as server:
        yield server


def synced(server: PrefectServer, stream: str) -> dict[Any, dict[str, Any]]:
    """The rows of a stream after a first sync with pages of 50 rows."""
    recorder = Recorder()
    settings = {"api_url": server.api_url, "streams": stream, "batch_size": "50"}
    sync(resolve(PROJECT / "streams.yaml", settings), {}, recorder, Lines())
    return recorder.tables[stream]


def times(count: int) -> list[str]:
    """As many instants alike, with others before, a microsecond later, and after."""
    around = [-1_000_000, -1, 1, 2, 1_000_000]
    return [format_instant(INSTANT + timedelta(microseconds=offset)) for offset in [*around, *[0] * count]]


def test_events_of_one_instant_arrive(server: PrefectServer) -> None:
    """A worker that comes up for many deployments dates their events alike. They are read by the pages' tokens."""
    api = PrefectApi(server.api_url)
    events = [
        {"id": str(uuid4()), "event": "alike", "occurred": at, "resource": {"prefect.resource.id": "ties"}}
        for at in times(SAME)
    ]
    api.call("POST", "/events", events)  # type: ignore[arg-type]  # a list, like that of logs
    deadline = time.monotonic() + 60
    chosen = {"filter": {"resource": {"id": ["ties"]}}}
    while api.call("POST", "/events/filter", chosen)["total"] < len(events):  # they are written a second later
        assert time.monotonic() < deadline
        time.sleep(0.2)
    assert {event["id"] for event in events} <= synced(server, "events").keys()


def test_logs_of_one_instant_arrive(server: PrefectServer) -> None:
    """They are read by offset."""
    api = PrefectApi(server.api_url)
    logs = [
        {"name": "ties", "level": 20, "message": str(n), "timestamp": at, "flow_run_id": str(uuid4())}
        for n, at in enumerate(times(SAME))
    ]
    api.call("POST", "/logs/", logs)  # type: ignore[arg-type]  # a list: the one body that is not an object
    assert {row["message"] for row in synced(server, "logs").values()} == {log["message"] for log in logs}
