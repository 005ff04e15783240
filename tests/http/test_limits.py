"""The rate limiter and the budget, which all threads share."""

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
from engine.http.budget import Budget, BudgetExhausted
from engine.http.client import Client
from engine.http.rate_limiter import RateLimiter
from engine.http.response import RawResponse
from engine.http.waits import parse_date
from engine.spec.dialect import Limits, RateLimit
from tests import effort
from tests.http.full_shop import FULL_SHOP, ORDERS, full_shop, request_orders, run
from tests.shop import Lines, orders
from tests.specs import edited

pytestmark = pytest.mark.long  # they wait


@pytest.fixture
def loopback() -> Iterator[Loopback]:
    with Loopback(rows_by_offset(orders(25))) as server:
        yield server


class Clock:
    """A clock that tests move."""

    now = 100.0

    def __call__(self) -> float:
        return self.now


def test_a_rate_limit_spreads_requests_evenly() -> None:
    """600 per minute is one every 0.1 s. Time without requests earns no burst."""
    clock = Clock()
    limiter = RateLimiter(RateLimit(requests=600, per=timedelta(minutes=1)), clock)
    assert limiter.try_acquire().wait == 0
    assert limiter.try_acquire().wait == pytest.approx(0.1)
    clock.now += 0.1
    assert limiter.try_acquire().wait == 0
    clock.now += 60
    assert limiter.try_acquire().wait == 0
    assert limiter.try_acquire().wait == pytest.approx(0.1)


def test_a_rate_limit_holds_for_all_threads(tmp_path: Path, loopback: Loopback) -> None:
    """Eight threads together send one request every 20 ms."""
    text = edited(FULL_SHOP, add={"api.rate_limit": {"requests": 50, "per": "1s"}})
    with Client(full_shop(tmp_path, loopback.url, text), Lines()) as client, ThreadPoolExecutor(8) as pool:
        began = time.monotonic()
        list(pool.map(lambda _: request_orders(client), range(16)))
        lasted = time.monotonic() - began
    assert lasted >= 15 * 0.02


def test_retry_after_pauses_every_thread(tmp_path: Path, loopback: Loopback) -> None:
    """After one 429 with Retry-After no thread sends a request until then: the server would reject it too."""
    rows, lines, at = rows_by_offset(orders(5)), Lines(), list[float]()

    def answer(seen: Seen) -> Reply:
        if not at:
            at.append(time.monotonic())
            return Reply(status=429, headers={"Retry-After": "1"})
        return rows(seen)

    loopback.answer = answer
    with Client(full_shop(tmp_path, loopback.url), lines) as client, ThreadPoolExecutor(4) as pool:
        one = pool.submit(request_orders, client)
        while not lines.warnings:
            time.sleep(0.01)
        others = [pool.submit(request_orders, client) for _ in range(6)]
        for future in (one, *others):
            future.result(10)
    assert len(loopback.seen) == 8
    assert min(seen.at for seen in loopback.seen[1:]) >= at[0] + 1


def test_the_retries_of_a_sync_are_limited(tmp_path: Path, loopback: Loopback) -> None:
    """A server that is down for good ends the sync, however many attempts each request has."""
    loopback.answer = lambda seen: Reply(status=503)
    text = edited(FULL_SHOP, replace={"api.retry.attempts": 20}, add={"api.limits": {"retries": 5}})
    with pytest.raises(Failure, match=r"used up its 5 retries: the server fails too often.*api\.limits\.retries"):
        run(full_shop(tmp_path, loopback.url, text))
    assert len(loopback.seen) == 6


def test_successful_requests_earn_retries() -> None:
    """Ten earn one, up to the limit."""
    budget = Budget(Limits(retries=2))
    for _ in range(2):
        budget.spend_retry()
    with pytest.raises(BudgetExhausted):
        budget.spend_retry()
    for _ in range(11):
        budget.earn_retry()
    budget.spend_retry()
    with pytest.raises(BudgetExhausted):
        budget.spend_retry()
    for _ in range(1000):
        budget.earn_retry()
    for _ in range(2):
        budget.spend_retry()
    with pytest.raises(BudgetExhausted):
        budget.spend_retry()


def test_a_long_sync_survives_many_brief_failures(tmp_path: Path, loopback: Loopback) -> None:
    """Every twentieth request fails. The sync needs far more retries than its budget and reads all rows."""
    rows = rows_by_offset(orders(600))
    loopback.answer = lambda seen: Reply(status=500) if len(loopback.seen) % 20 == 0 else rows(seen)
    recorder, lines = run(full_shop(tmp_path, loopback.url, edited(FULL_SHOP, add={"api.limits": {"retries": 2}})))
    assert len(recorder.tables["orders"]) == 600
    assert len(lines.warnings) > 2


def test_the_requests_of_a_sync_are_limited(tmp_path: Path, loopback: Loopback) -> None:
    """The message says where the limit is set, and that the next sync continues from the last checkpoint."""
    text = edited(FULL_SHOP, add={"api.limits": {"requests": 3}})
    with pytest.raises(
        Failure, match=r"sent 3 requests, its limit.*continues from the last checkpoint.*api\.limits\.requests"
    ):
        run(full_shop(tmp_path, loopback.url, text))
    assert len(loopback.seen) == 3


def test_a_request_that_follows_a_redirect_counts(tmp_path: Path, loopback: Loopback) -> None:
    """Each is one that the server answers."""
    loopback.answer = lambda seen: Reply(status=307, headers={"Location": f"{seen.path}/again"})
    with pytest.raises(Failure, match=r"sent 3 requests, its limit"):
        run(full_shop(tmp_path, loopback.url, edited(FULL_SHOP, add={"api.limits": {"requests": 3}})))
    assert len(loopback.seen) == 3


@pytest.mark.parametrize("status", [429, 500])
def test_the_duration_of_a_sync_is_limited(tmp_path: Path, loopback: Loopback, status: int) -> None:
    """A wait that would exceed the limit is not begun, for a retry or for a rate limit."""
    loopback.answer = lambda seen: Reply(status=status, headers={"Retry-After": "2"})
    text = edited(FULL_SHOP, add={"api.limits": {"duration": "1s"}})
    with pytest.raises(Failure, match=r"would take longer than 0:00:01, its limit"):
        run(full_shop(tmp_path, loopback.url, text))
    assert len(loopback.seen) == 1


def test_closing_a_client_wakes_waiting_threads(tmp_path: Path, loopback: Loopback) -> None:
    """A sync that failed in one thread ends without waiting minutes for a retry in another."""
    loopback.answer = lambda seen: Reply(status=429, headers={"Retry-After": "300"})
    lines, text = (
        Lines(),
        edited(FULL_SHOP, replace={"api.retry.retry_after_max": "10m", "api.retry.throttled_max": "1h"}),
    )
    client = Client(full_shop(tmp_path, loopback.url, text), lines)
    with ThreadPoolExecutor(1) as pool:
        waiting = pool.submit(request_orders, client)
        while not lines.warnings:
            time.sleep(0.01)
        client.close()
        with pytest.raises(Failure, match="canceled because the sync is ending"):
            waiting.result(10)


def test_many_threads_share_a_client_while_requests_fail(tmp_path: Path, loopback: Loopback) -> None:
    """The server fails in every way. Each of sixteen threads gets the response to its own request."""

    def answer(seen: Seen) -> Reply:
        number = len(loopback.seen)
        faults = [Reply(status=500), Reply(hang_up=True), Reply(orders(3), cut=20), Reply(body=b"<")]
        return faults[number // 7 % 4] if number % 7 == 0 else Reply({"offset": seen.json["offset"]})

    loopback.answer = answer
    text = edited(FULL_SHOP, replace={"api.retry.attempts": 20}, add={"api.limits": {"retries": 1000}})
    with Client(full_shop(tmp_path, loopback.url, text), Lines()) as client, ThreadPoolExecutor(16) as pool:

        def number(n: int) -> bool:
            request = ORDERS.with_keys({"offset": n})
            return bool(client.send("orders", request, lambda document: document).value == {"offset": n})

        assert all(pool.map(number, range(100 if effort.quick else 400)))


def retry_after(**headers: str) -> float | None:
    """What a response with these headers requests; _ stands for -."""
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    return RawResponse(429, "", named, bytearray(), 0.0, 0.0).retry_after


@given(st.one_of(st.text(), st.sampled_from(["²", "9" * 400, "-1", "1.5", "Fri, 31 Dec 9999 23:59:59 -2300", " 7 "])))
def test_any_retry_after_header_is_handled(value: str) -> None:
    """Whatever a server sends is a number of seconds or is ignored; nothing raises."""
    wait = retry_after(Retry_After=value, Date=value)
    assert wait is None or wait >= 0


def test_retry_after_as_seconds_and_as_a_date() -> None:
    """A date is compared with the server's clock. One in the past means no wait."""
    now = datetime(2020, 1, 1, tzinfo=timezone.utc)

    def at(**shift: int) -> str:
        return format_datetime(now + timedelta(**shift), usegmt=True)

    assert retry_after(Retry_After=" 7 ") == 7
    assert retry_after(Date=at(), Retry_After=at(seconds=9)) == 9
    assert retry_after(Date=at(), Retry_After=at(days=-9)) == 0
    assert retry_after() is None
    assert parse_date("Wed, 01 Jan 2020 00:00:00 GMT") == now


def test_a_retry_does_not_delay_other_threads(tmp_path: Path, loopback: Loopback) -> None:
    """A failed request concerns no other. Only a rate limit pauses all threads."""
    release = threading.Event()

    def answer(seen: Seen) -> Reply:
        if seen.json["offset"] == 1 and not release.is_set():
            return Reply(status=500)
        return Reply([])

    loopback.answer = answer
    text = edited(FULL_SHOP, replace={"api.retry.wait_initial": "60s", "api.retry.wait_max": "60s"})
    client = Client(full_shop(tmp_path, loopback.url, text), Lines())
    with ThreadPoolExecutor(2) as pool:
        stuck = pool.submit(client.send, "orders", ORDERS.with_keys({"offset": 1}), lambda document: document)
        while not loopback.seen:
            time.sleep(0.01)
        for _ in range(5):
            assert pool.submit(request_orders, client).result(10).value == []
        client.close()
        with pytest.raises(Failure):
            stuck.result(10)
