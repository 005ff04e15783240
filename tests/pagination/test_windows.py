"""Lists that are read window by window, from servers that limit how much a request may span."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime, timedelta, timezone
from pathlib import Path
from typing import Any

import pytest

from dev.testbed.loopback import Reply, Seen
from engine.failures import Failure, LimitReached
from engine.instants import format_instant, parse_instant
from engine.pagination.windows import Windows
from engine.sync import sync
from tests.in_process import InProcess
from tests.shop import Lines, Recorder, connection
from tests.specs import edited

DAY = timedelta(days=1)
STREAMS = """\
version: 1
name: Bank
configuration:
  api_url: {type: url, description: Where it is., required: true}
api:
  base_url: ${api_url}
  pagination: {style: page_number, page_size: 4}
  concurrency: 1
  retry: {attempts: 1}
streams:
  payments:
    description: One row per payment.
    endpoint: GET /payments
    query: {after: $from, before: $to}
    from: $now-100d
    windows: 7d
    primary_key: id
    cursor_field: made
    sync_mode: incremental
    incremental: {changes: {query: {}}}
    fields: {id: {path: $.id, type: INT}, made: {path: $.made, type: UTC_DATETIME}}
"""


class Bank:
    """Payments that are listed between two instants, at most so long apart."""

    def __init__(self) -> None:
        self.now = datetime.now(timezone.utc).replace(microsecond=0)
        self.longest, self.most = 7 * DAY, 1000
        self.kept, self.late = 365 * DAY, timedelta(0)  # it has data of so long, and no sooner than that
        self.includes: Callable[[datetime, datetime, datetime], bool] = lambda after, at, before: after <= at <= before
        self.made = {n: self.now - timedelta(hours=13) * n for n in range(150)}  # 81 days
        self.seen: list[Seen] = []

    def answer(self, seen: Seen) -> Reply:
        self.seen.append(seen)
        after, before = (parse_instant(seen.query[name][0]) for name in ("after", "before"))
        found = [
            {"id": number, "made": format_instant(at)}
            for number, at in self.made.items()
            if self.includes(after, at, before)
        ]
        if before - after > self.longest:
            return Reply({"error": "the dates are too far apart"}, 400)
        if not self.late <= self.now - after <= self.kept:
            return Reply({"error": "no data for this start"}, 404)
        page, size = int(seen.query["page"][0]), int(seen.query["page_size"][0])
        if page * size > self.most:
            return Reply({"error": "too many results"}, 400)
        date = datetime.now(timezone.utc).strftime("%a, %d %b %Y %H:%M:%S GMT")
        return Reply(found[(page - 1) * size : page * size], headers={"Date": date})


def synced(bank: Bank, tmp_path: Path, recorder: Recorder, add: dict[str, Any] | None = None) -> Lines:
    with InProcess(bank.answer) as server:
        lines, text = Lines(), edited(STREAMS, replace=add) if add else STREAMS
        sync(connection(tmp_path, server.url, text), recorder.state, recorder, lines)
    return lines


def ids(recorder: Recorder) -> list[int]:
    return sorted(int(key) for key in recorder.tables["payments"])


BOUNDS = {
    "inclusive": lambda after, at, before: after <= at <= before,
    "without the end": lambda after, at, before: after <= at < before,
    "without the start": lambda after, at, before: after < at <= before,
    "exclusive": lambda after, at, before: after < at < before,
}


@pytest.mark.parametrize("bounds", BOUNDS)
@pytest.mark.parametrize("concurrency", [1, 3])
def test_every_row_arrives_once(tmp_path: Path, bounds: str, concurrency: int) -> None:
    """Whichever bounds the server includes, and however many windows are read at once."""
    bank, recorder = Bank(), Recorder()
    bank.includes = BOUNDS[bounds]
    bank.made |= {150 + n: bank.now - 100 * DAY + 7 * DAY * n for n in range(1, 14)}  # at the bounds, up to a second
    synced(bank, tmp_path, recorder, {"api.concurrency": concurrency} if concurrency > 1 else None)
    assert ids(recorder) == sorted(bank.made)
    assert recorder.count("upsert", "payments") == len(bank.made)


@pytest.mark.parametrize("days", [6, 30, 99])
def test_windows_that_are_read_at_once_are_not_more(tmp_path: Path, days: int) -> None:
    """Parts of the time end where windows end."""
    start, sent = {"streams.payments.from": f"$now-{days}d"}, []
    for concurrency in ({}, {"api.concurrency": 2}, {"api.concurrency": 3}, {"api.concurrency": 16}):
        bank = Bank()
        synced(bank, tmp_path, Recorder(), {**start, **concurrency})
        sent.append(sum(seen.query["page"] == ["1"] for seen in bank.seen))
    assert sent == [sent[0]] * 4


@pytest.mark.parametrize(("days", "parts"), [(0, 1), (6, 1), (30, 3), (99, 3)])
def test_a_time_of_several_windows_is_cut_into_as_many_parts_as_are_read_at_once(days: int, parts: int) -> None:
    """So the requests of a long history do not wait for each other."""
    now = datetime(2026, 1, 1, tzinfo=timezone.utc)
    assert len(Windows(at_most=7 * DAY).parts(now - days * DAY, now, most=3)) == parts


def test_a_window_that_is_refused_is_halved(tmp_path: Path) -> None:
    """The server returns no more than eight results; without the declaration that is a failure."""
    bank, recorder = Bank(), Recorder()
    bank.most = 8
    with pytest.raises(Failure, match="too many results"):
        synced(bank, tmp_path, recorder)
    lines = synced(bank, tmp_path, recorder, {"streams.payments.windows": {"at_most": "7d", "halve": True}})
    assert ids(recorder) == list(range(150))
    assert any("Requesting a shorter window" in line for line in lines.infos)


def test_a_window_cannot_be_halved_for_ever(tmp_path: Path) -> None:
    """A request that is wrong for another reason is still a failure, with the server's words."""
    bank = Bank()
    bank.longest = timedelta(0)
    with pytest.raises(Failure, match="too far apart"):
        synced(bank, tmp_path, Recorder(), {"streams.payments.windows": {"at_most": "7d", "halve": True}})
    assert len(bank.seen) < 30


@pytest.mark.parametrize("edits", [{}, {"api.concurrency": 3}])
def test_a_window_that_is_declared_to_be_empty_ends_only_itself(tmp_path: Path, edits: dict[str, int]) -> None:
    """The server has no data for windows that begin too early or too late; those between are read whole."""
    bank, recorder = Bank(), Recorder()
    bank.kept, bank.late = 70 * DAY, 3 * DAY
    declared = {"status": 404, "text": "no data", "means": "empty"}
    text = edited(STREAMS, add={"streams.payments.answers": declared}, replace=edits)
    with InProcess(bank.answer) as server:
        sync(connection(tmp_path, server.url, text), {}, recorder, Lines())
    windows = [tuple(parse_instant(seen.query[name][0]) for name in ("after", "before")) for seen in bank.seen]
    served = [window for window in windows if bank.late <= bank.now - window[0] <= bank.kept]
    assert len(served) < len(windows)
    assert ids(recorder) == [n for n, at in bank.made.items() if any(start <= at <= end for start, end in served)]


def test_a_sync_that_is_stopped_goes_on_at_its_window(tmp_path: Path) -> None:
    """With a limit of requests, each sync gets further, and sends no more than a page a second time."""
    bank, recorder = Bank(), Recorder()
    limited = edited(STREAMS, add={"api.limits": {"requests": 12}})
    syncs, ended = 0, False
    with InProcess(bank.answer) as server:
        while not ended:
            syncs += 1
            try:
                sync(connection(tmp_path, server.url, limited), recorder.state, recorder, Lines())
                ended = True
            except LimitReached:
                assert syncs < 12
    assert ids(recorder) == list(range(150))
    assert recorder.count("upsert", "payments") <= 150 + 4 * syncs


def test_changes_are_read_in_windows_too(tmp_path: Path) -> None:
    """After a long time without a sync, no request spans more than the server accepts."""
    bank, recorder = Bank(), Recorder()
    everything = bank.made
    bank.made = {number: at for number, at in everything.items() if at < bank.now - 30 * DAY}
    with InProcess(bank.answer) as server:
        connected = connection(tmp_path, server.url, STREAMS)
        sync(connected, recorder.state, recorder, Lines())
        since = format_instant(bank.now - 30 * DAY)
        recorder.state["streams"]["payments"]["since"] = since
        recorder.state["streams"]["payments"].pop("recent", None)
        bank.made = everything
        bank.seen.clear()
        sync(connected, recorder.state, recorder, Lines())
    assert ids(recorder) == sorted(everything)
    assert parse_instant(bank.seen[0].query["after"][0]) == parse_instant(since)


def test_windows_whose_order_moves_are_read_until_readings_agree(tmp_path: Path) -> None:
    """Each page is still requested within a window: the server refuses a request without an end."""
    bank, recorder = Bank(), Recorder()
    text = edited(STREAMS, add={"api.pagination.stable": False})
    with InProcess(bank.answer) as server:
        sync(connection(tmp_path, server.url, text), {}, recorder, Lines())
    assert ids(recorder) == list(range(150))
    assert all("before" in seen.query for seen in bank.seen)
