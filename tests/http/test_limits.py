"""How fast and how much: one pace and one budget for all threads."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime, timedelta, timezone
from email.utils import format_datetime
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dev.testbed.loopback import Loopback, Reply, Seen, rows_by_offset
from engine.failures import Failure
from engine.http.client import Client, date, retry_after
from engine.http.rate_limiter import Budget, BudgetExhausted, RateLimiter
from engine.spec.dialect import Limits, RateLimit
from tests.http.wired import ORDERS, ask, run, wired
from tests.shop import Lines, orders


@pytest.fixture
def loopback() -> Iterator[Loopback]:
    with Loopback(rows_by_offset(orders(25))) as server:
        yield server


class Clock:
    """Seconds that pass when they are told to."""

    now = 100.0

    def __call__(self) -> float:
        return self.now


def test_the_pace_spreads_requests_evenly() -> None:
    """600 per minute: a turn each tenth of a second, whoever asks for it."""
    clock = Clock()
    pace = RateLimiter(RateLimit(requests=600, per=timedelta(minutes=1)), clock)
    assert pace.turn() == 0
    assert pace.turn() == pytest.approx(0.1)
    clock.now += 0.1
    assert pace.turn() == 0
    clock.now += 60  # what was not used is not made up for
    assert pace.turn() == 0
    assert pace.turn() == pytest.approx(0.1)


def test_without_a_rate_only_a_pause_holds_up() -> None:
    """And a shorter pause does not end a longer one."""
    clock = Clock()
    pace = RateLimiter(None, clock)
    assert [pace.turn() for _ in range(100)] == [0.0] * 100
    pace.pause(5)
    pace.pause(1)
    assert pace.turn() == pytest.approx(5)
    clock.now += 5
    assert pace.turn() == 0


def test_a_rate_limit_holds_for_all_threads(tmp_path: Path, loopback: Loopback) -> None:
    """Eight threads, one request each 20 ms: no two arrive together, where unlimited ones do."""
    change = ("  retry:", "  rate_limit: {requests: 50, per: 1s}\n  retry:")
    with Client(wired(tmp_path, loopback.url, change), Lines()) as client, ThreadPoolExecutor(8) as pool:
        began = time.monotonic()
        list(pool.map(lambda _: ask(client), range(16)))
        lasted = time.monotonic() - began
    assert lasted >= 15 * 0.02


def test_retry_after_slows_every_thread(tmp_path: Path, loopback: Loopback) -> None:
    """One 429 with Retry-After: nobody sends anything until then."""
    rows, lines, at = rows_by_offset(orders(5)), Lines(), list[float]()

    def answer(seen: Seen) -> Reply:
        if not at:
            at.append(time.monotonic())
            return Reply(status=429, headers={"Retry-After": "1"})
        return rows(seen)

    loopback.answer = answer
    with Client(wired(tmp_path, loopback.url), lines) as client, ThreadPoolExecutor(4) as pool:
        one = pool.submit(ask, client)
        while not lines.warnings:
            time.sleep(0.01)
        others = [pool.submit(ask, client) for _ in range(6)]
        for future in (one, *others):
            future.result(10)
    assert len(loopback.seen) == 8
    assert min(seen.at for seen in loopback.seen[1:]) >= at[0] + 1


def test_a_server_that_is_down_for_good_ends_the_sync(tmp_path: Path, loopback: Loopback) -> None:
    """When its retries are spent, whatever the number of attempts to a request."""
    loopback.answer = lambda seen: Reply(status=503)
    changes = ("attempts: 4", "attempts: 20"), ("  retry:", "  limits: {retries: 5}\n  retry:")
    with pytest.raises(Failure, match=r"spent its 5 retries: the server fails too often.*api\.limits\.retries"):
        run(wired(tmp_path, loopback.url, *changes))
    assert len(loopback.seen) == 6


def test_successes_win_retries_back() -> None:
    """Ten for one, and never more than there were."""
    budget = Budget(Limits(retries=2))
    for _ in range(2):
        budget.retry()
    with pytest.raises(BudgetExhausted):
        budget.retry()
    for _ in range(11):
        budget.succeeded()
    budget.retry()
    with pytest.raises(BudgetExhausted):
        budget.retry()
    for _ in range(1000):
        budget.succeeded()
    for _ in range(2):
        budget.retry()
    with pytest.raises(BudgetExhausted):
        budget.retry()


def test_a_long_sync_survives_many_short_faults(tmp_path: Path, loopback: Loopback) -> None:
    """Every twentieth request fails: many more retries than the budget, and all rows."""
    rows = rows_by_offset(orders(600))
    loopback.answer = lambda seen: Reply(status=500) if len(loopback.seen) % 20 == 0 else rows(seen)
    recorder, lines = run(wired(tmp_path, loopback.url, ("  retry:", "  limits: {retries: 2}\n  retry:")))
    assert len(recorder.tables["orders"]) == 600
    assert len(lines.warnings) > 2


def test_the_requests_of_a_sync_are_bounded(tmp_path: Path, loopback: Loopback) -> None:
    """The one too many is not sent; the message names the limit, and that nothing is lost."""
    change = ("  retry:", "  limits: {requests: 3}\n  retry:")
    with pytest.raises(Failure, match=r"sent 3 requests, as many as it may.*goes on from the last checkpoint"):
        run(wired(tmp_path, loopback.url, change))
    assert len(loopback.seen) == 3


def test_the_time_of_a_sync_is_bounded(tmp_path: Path, loopback: Loopback) -> None:
    """Also by what a wait would take: it is not begun."""
    loopback.answer = lambda seen: Reply(status=429, headers={"Retry-After": "2"})
    change = ("  retry:", "  limits: {duration: 1s}\n  retry:")
    with pytest.raises(Failure, match=r"would last longer than 0:00:01, as long as it may"):
        run(wired(tmp_path, loopback.url, change))
    assert len(loopback.seen) == 1


def test_closing_wakes_those_who_wait(tmp_path: Path, loopback: Loopback) -> None:
    """A thread that waits for minutes does not hold up the end of a sync that failed in another."""
    loopback.answer = lambda seen: Reply(status=429, headers={"Retry-After": "300"})
    lines = Lines()
    client = Client(wired(tmp_path, loopback.url, ("retry_after_max: 2s", "retry_after_max: 10m")), lines)
    with ThreadPoolExecutor(1) as pool:
        waiting = pool.submit(ask, client)
        while not lines.warnings:
            time.sleep(0.01)
        client.close()
        with pytest.raises(Failure, match="given up, since the sync ends"):
            waiting.result(10)


def test_many_threads_and_many_faults(tmp_path: Path, loopback: Loopback) -> None:
    """Sixteen threads share a client while the server fails in every way: each gets its own answer."""

    def answer(seen: Seen) -> Reply:
        number = len(loopback.seen)
        faults = [Reply(status=500), Reply(hang_up=True), Reply(orders(3), cut=20), Reply(body=b"<")]
        return faults[number // 7 % 4] if number % 7 == 0 else Reply({"asked": seen.json["offset"]})

    loopback.answer = answer
    changes = ("attempts: 4", "attempts: 20"), ("  retry:", "  limits: {retries: 1000}\n  retry:")
    with Client(wired(tmp_path, loopback.url, *changes), Lines()) as client, ThreadPoolExecutor(16) as pool:

        def number(n: int) -> bool:
            request = ORDERS.with_values({"offset": n})
            return bool(client.send("orders", request, lambda document: document).value == {"asked": n})

        assert all(pool.map(number, range(400)))


@given(st.one_of(st.text(), st.sampled_from(["²", "9" * 400, "-1", "1.5", "Fri, 31 Dec 9999 23:59:59 -2300", " 7 "])))
def test_no_retry_after_is_a_traceback(text: str) -> None:
    """Whatever a server sends: a number of seconds, or none."""
    wait = retry_after({"Retry-After": text, "Date": text})
    assert wait is None or wait >= 0


def test_retry_after_as_seconds_and_as_a_date() -> None:
    """A date counts by the server's own clock, and one in the past as no wait."""
    now = datetime(2020, 1, 1, tzinfo=timezone.utc)
    dates = {"Date": format_datetime(now, usegmt=True)}
    assert retry_after({"Retry-After": " 7 "}) == 7
    assert retry_after({**dates, "Retry-After": format_datetime(now + timedelta(seconds=9), usegmt=True)}) == 9
    assert retry_after({**dates, "Retry-After": format_datetime(now - timedelta(days=9), usegmt=True)}) == 0
    assert retry_after({}) is None
    assert date("Wed, 01 Jan 2020 00:00:00 GMT") == now


def test_waits_between_retries_do_not_hold_up_others(tmp_path: Path, loopback: Loopback) -> None:
    """A fault of one request is that request's; only a server that asks for a pause gets one from all."""
    release = threading.Event()

    def answer(seen: Seen) -> Reply:
        if seen.json["offset"] == 1 and not release.is_set():
            return Reply(status=500)
        return Reply([])

    loopback.answer = answer
    change = ("wait_initial: 10ms, wait_max: 40ms", "wait_initial: 60s, wait_max: 60s")
    client = Client(wired(tmp_path, loopback.url, change), Lines())
    with ThreadPoolExecutor(2) as pool:
        stuck = pool.submit(client.send, "orders", ORDERS.with_values({"offset": 1}), lambda document: document)
        while not loopback.seen:
            time.sleep(0.01)
        for _ in range(5):
            assert pool.submit(ask, client).result(10).value == []
        client.close()
        with pytest.raises(Failure):
            stuck.result(10)
