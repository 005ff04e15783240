"""A first sync of a long list over a slow network reads several slices concurrently."""

from __future__ import annotations

import json
import random
from dataclasses import replace
from datetime import datetime, timedelta, timezone
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest

from dev.testbed.loopback import Loopback, Reply, Seen
from engine.failures import Failure, LimitReached
from engine.instants import format_instant, parse_instant
from engine.sync import sync
from tests.effort import some
from tests.in_process import InProcess
from tests.shop import KEYSET, Lines, Recorder, connection
from tests.specs import edited

pytestmark = pytest.mark.long  # they wait

NOON = datetime(2024, 5, 1, 12, tzinfo=timezone.utc)
LATENCY = 0.01

ORDERS = edited(KEYSET, remove=["streams.shops"])


class Far:
    """Orders sorted by creation time, behind a slow network. Pages take the server time, counts do not."""

    def __init__(self, count: int, seed: int = 1) -> None:
        dice = random.Random(seed)
        made = sorted(NOON - timedelta(seconds=dice.choice([dice.expovariate(1e-5), 3600])) for _ in range(count))
        self.rows: list[dict[str, Any]] = [
            {"id": f"o{n:04}", "made": format_instant(at), "updated": format_instant(at), "amount": n, "note": None}
            for n, at in enumerate(made)
        ]
        self.at_once = self.most_at_once = 0
        self.stop_after = 10**9

    def answer(self, seen: Seen) -> Reply:
        """A page or a count."""
        window = (seen.json or {}).get("made", {})
        low, high = window.get("after_", ""), window.get("before_", "9")
        found = [row for row in self.rows if low <= row["made"] <= high]
        if seen.path.endswith("/count"):
            return Reply(len(found), delay=LATENCY)
        self.stop_after -= 1
        if self.stop_after < 0:
            return Reply(status=400)
        if seen.json["sort"] == "ID_DESC":
            found.sort(key=lambda row: row["id"], reverse=True)
        offset = seen.json.get("offset", 0)
        return Reply(found[offset : offset + seen.json["limit"]], delay=LATENCY + 0.005)


def run(far: Far, folder: Path, recorder: Recorder, checkpoint_rows: int = 10_000, text: str = ORDERS) -> Lines:
    lines = Lines()
    with Loopback(far.answer) as server:
        connected = connection(folder, server.url, text)
        state = json.loads(json.dumps(recorder.state))
        if state:
            state["api"] = server.url
        sync(connected, state, recorder, lines, checkpoint_rows=checkpoint_rows)
    return lines


def test_every_row_is_sent_once(tmp_path: Path) -> None:
    """However unevenly the rows are spread over time, no slice misses a row and no two slices send the same one."""
    far, recorder = Far(600), Recorder()
    lines = run(far, tmp_path, recorder)
    assert any("slices concurrently" in line for line in lines.infos), lines.infos
    assert recorder.count("upsert", "orders") == len(recorder.tables["orders"]) == 600


@pytest.mark.parametrize("stop_after", some([12, 23, 41, 60]))  # more than are in flight at once
def test_an_interrupted_read_resumes_every_slice(tmp_path: Path, stop_after: int) -> None:
    """The state holds the position of each slice, so no row is missed and few are read twice."""
    checkpoint_rows = 15  # reached with the second page
    far, recorder = Far(600), Recorder()
    far.stop_after = stop_after
    with pytest.raises(Failure):
        run(far, tmp_path, recorder, checkpoint_rows)
    position = recorder.state["streams"]["orders"]["pass"]["position"]
    assert all(parse_instant(at) for part in position.split(",") for at in part.partition("+")[0].split(".."))
    sent = recorder.count("upsert", "orders")
    far.stop_after = 10**9
    run(far, tmp_path, recorder, checkpoint_rows)
    assert len(recorder.tables["orders"]) == 600
    assert recorder.count("upsert", "orders") - 600 <= sent  # the second run re-reads what changed in the meantime
    assert "pass" not in recorder.state["streams"]["orders"]


def test_a_sync_that_may_send_few_requests_gets_ahead(tmp_path: Path) -> None:
    """It reads fewer slices at once, because each needs some requests until it is ahead of where it stopped."""
    far, recorder, states = Far(0), Recorder(), list[Any]()
    times = [format_instant(NOON - timedelta(minutes=n // 12)) for n in range(143, -1, -1)]
    far.rows = [{"id": f"o{n:04}", "made": at, "updated": at, "amount": n} for n, at in enumerate(times)]
    bounds = [times[0], *times[24::24], format_instant(NOON + timedelta(days=1))]
    slices = ",".join(f"{after}..{before}" for after, before in pairwise(bounds))
    recorder.state = {"version": 4, "streams": {"orders": {"pass": {"began": times[-1], "position": slices}}}}
    limited = edited(ORDERS, add={"api.limits": {"requests": 8}})
    while len(recorder.tables.get("orders", {})) < len(times):
        with pytest.raises(LimitReached):
            run(far, tmp_path, recorder, text=limited)
        states.append(recorder.state["streams"]["orders"].get("pass", {}).get("position"))
        assert states[-1] not in states[:-1]


@pytest.mark.parametrize(("network", "server", "width"), [(0.0, 0.1, 2), (0.005, 0.005, 3), (0.1, 0.0, 4)])
def test_a_far_server_gets_more_concurrent_requests(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, network: float, server: float, width: int
) -> None:
    """A near one prepares one page while the other is processed here. More requests would only slow it down."""
    far, now = Far(210), 0.0

    def answer(seen: Seen) -> Reply:
        nonlocal now
        now += network if seen.path.endswith("/count") else network + server
        return replace(far.answer(seen), headers={"Date": "Thu, 02 May 2024 00:00:00 GMT"})

    monkeypatch.setattr("engine.reading.backfill.monotonic", lambda: now)
    lines = Lines()
    with InProcess(answer) as connected:
        sync(connection(tmp_path, connected.url, ORDERS), {}, Recorder(), lines)
    assert f"orders: reading {width} slices concurrently" in lines.infos
