"""The rate that a server accepts: how it is learned, and that no rate limit ends a sync."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dev.testbed.loopback import Loopback, Reply, Seen, rows_by_offset
from engine.failures import Failure
from engine.http.budget import Budget
from engine.http.client import Client
from engine.http.errors import RequestError
from engine.http.rate_limiter import RateLimiter, Turn
from engine.http.retry import Retrying
from engine.http.throttle_log import ThrottleLog
from engine.spec.dialect import Limits, RateLimit, Retry
from tests.effort import some
from tests.http.full_shop import FULL_SHOP, ORDERS, full_shop, request_orders, run
from tests.http.throttled import Spaced, Threads, Throttle, TokenBucket, Window
from tests.shop import Lines, orders
from tests.specs import edited

pytestmark = pytest.mark.long  # they wait
THREADS = pytest.mark.parametrize("threads", [1, 4, 16])


@pytest.fixture
def loopback() -> Iterator[Loopback]:
    with Loopback(rows_by_offset(orders(5))) as server:
        yield server


class Clock:
    """A clock that tests move."""

    now = 100.0

    def __call__(self) -> float:
        return self.now


# A server, and the requests that it accepts in so many seconds.
SERVERS: dict[str, tuple[Callable[[], Throttle], int, int]] = {
    "one every 0.9 s, Retry-After": (lambda: Spaced(0.9, retry_after=1), 600, 600),
    "one every 0.9 to 1.1 s, Retry-After": (lambda: Spaced(1, jitter=0.1, retry_after=1), 600, 600),
    "one every 0.2 s": (lambda: Spaced(0.2), 3000, 600),
    "one every 10 s": (lambda: Spaced(10), 60, 600),
    "5 a second": (lambda: Window(5, 1, retry_after=False), 3000, 600),
    "5 a second, burst of 5": (lambda: TokenBucket(5, 5), 3000, 600),
    "20 a second, burst of 10, Retry-After": (lambda: TokenBucket(20, 10, retry_after=1), 2400, 120),
    "50 a second, burst of 1000, Retry-After": (lambda: TokenBucket(50, 1000, retry_after=1), 6000, 120),
    "100 a minute, Retry-After": (lambda: Window(100, 60, retry_after=True), 1000, 600),
    "one a minute": (lambda: Window(1, 60, retry_after=False), 10, 600),
    "one a minute, Retry-After": (lambda: Window(1, 60, retry_after=True), 10, 600),
}


@THREADS
@pytest.mark.parametrize(("server", "requests", "seconds"), some([*SERVERS.values()]), ids=some([*SERVERS]))
def test_a_rate_limit_slows_requests_and_never_ends_them(
    threads: int, server: Callable[[], Throttle], requests: int, seconds: int
) -> None:
    """All are accepted in less than twice the time that the server needs at least, one round trip after the other.

    No request is held up for more than a few pauses, far below the limit, and few are sent in vain.
    """
    result = Threads(server(), threads).send(requests)
    assert len(result.accepted) == requests
    assert result.seconds < 2 * max(seconds, requests * 0.05 / threads)
    assert result.longest_held <= 240
    assert len(result.throttled) <= 20 + threads * 2 + requests * 0.4


def test_after_a_pause_one_request_goes_first() -> None:
    """The others follow when it was accepted, one interval later."""
    clock = Clock()
    limiter = RateLimiter(None, clock)
    turns = [limiter.try_acquire() for _ in range(4)]
    clock.now += 0.1
    for turn in turns:
        assert limiter.throttled(turn, lambda in_a_row: 4) == 4
    assert limiter.try_acquire().wait == 4
    clock.now += 4
    probe = limiter.try_acquire()
    assert probe.wait == 0
    assert 0 < limiter.try_acquire().wait < 0.1  # to see soon whether the probe was accepted
    clock.now += 1
    assert limiter.try_acquire().wait > 0
    limiter.accepted(probe)
    assert limiter.try_acquire().wait == limiter.interval == 5
    clock.now += 5
    assert limiter.try_acquire().wait == 0
    assert limiter.try_acquire().wait == 5


def throttled_probe(limiter: RateLimiter, clock: Clock, wait: Callable[[int], float]) -> Turn:
    """Send one request, which the server throttles, and wait out the pause."""
    turn = limiter.try_acquire()
    assert turn.wait == 0
    clock.now += limiter.throttled(turn, wait)
    return turn


def test_a_probe_that_is_throttled_lengthens_the_pause() -> None:
    """Requests that were throttled together count as one; a request that was accepted starts over."""
    clock, numbers = Clock(), list[int]()
    limiter = RateLimiter(None, clock)

    def wait(in_a_row: int) -> float:
        numbers.append(in_a_row)
        return 1

    together = limiter.try_acquire()
    for _ in range(3):
        throttled_probe(limiter, clock, wait)
    limiter.throttled(together, wait)
    assert numbers == [1, 2, 3, 3]
    clock.now += 1
    assert limiter.throttled_for == 4
    limiter.accepted(limiter.try_acquire())
    assert limiter.throttled_for == 0
    clock.now += limiter.interval
    throttled_probe(limiter, clock, wait)
    assert numbers[-1] == 1


def test_a_probe_that_fails_lets_another_go() -> None:
    """A connection that is cut, or a 500, says nothing about the rate."""
    clock = Clock()
    limiter = RateLimiter(None, clock)
    throttled_probe(limiter, clock, lambda in_a_row: 1)
    limiter.failed(limiter.try_acquire())
    assert limiter.try_acquire().wait == 0
    assert limiter.try_acquire().wait > 0


def test_a_slow_probe_does_not_hold_up_the_others_forever() -> None:
    """A server that throttles says so at once; a page that takes minutes is most likely on its way."""
    clock = Clock()
    limiter = RateLimiter(None, clock)
    throttled_probe(limiter, clock, lambda in_a_row: 1)
    assert limiter.try_acquire().wait == 0
    clock.now += 10
    assert limiter.try_acquire().wait == 0
    assert limiter.try_acquire().wait > 0


def test_a_response_to_an_earlier_request_does_not_end_a_pause() -> None:
    """It was accepted before the server began to throttle."""
    clock = Clock()
    limiter = RateLimiter(None, clock)
    earlier = limiter.try_acquire()
    turn = limiter.try_acquire()
    limiter.throttled(turn, lambda in_a_row: 5)
    limiter.accepted(earlier)
    limiter.failed(earlier)
    assert limiter.try_acquire().wait == 5


def test_a_shorter_pause_does_not_end_a_longer_one() -> None:
    """Of requests that were throttled together, the one that asks for the longest wait decides."""
    limiter = RateLimiter(None, Clock())
    first, second = limiter.try_acquire(), limiter.try_acquire()
    limiter.throttled(first, lambda in_a_row: 5)
    assert limiter.throttled(second, lambda in_a_row: 1) == 5
    assert limiter.try_acquire().wait == 5


def test_without_a_limit_nothing_is_delayed() -> None:
    """Neither at first nor some time after a passing limit."""
    clock = Clock()
    limiter = RateLimiter(None, clock)
    assert [limiter.try_acquire().wait for _ in range(100)] == [0.0] * 100
    throttled_probe(limiter, clock, lambda in_a_row: 60)
    for _ in range(20):
        limiter.accepted(limiter.try_acquire())
        clock.now += limiter.interval
    assert clock.now < 100 + 60 + 121
    clock.now += 1
    assert [limiter.try_acquire().wait for _ in range(100)] == [0.0] * 100


def test_the_rate_never_exceeds_the_declared_one() -> None:
    """However many requests the server accepts."""
    threads = Threads(TokenBucket(100, 5), 16, RateLimit(requests=10, per=timedelta(seconds=1)))
    assert threads.send(600).seconds > 59
    assert threads.limiter.interval == 0.1


def test_a_limit_that_changes_is_followed() -> None:
    """From 50 requests a second down to 5 and back: each time within half a minute, to at least two thirds of it."""
    server = TokenBucket(50, 10, retry_after=1)
    threads = Threads(server, 4)
    for rate in (50, 5, 50):
        server.rate = rate
        threads.send(30 * rate)
        began = threads.now
        assert (threads.send(60 * rate).seconds - began) < 90


@given(
    rate=st.floats(0.02, 100),
    burst=st.integers(1, 50),
    retry_after=st.sampled_from([0, 1, 2, 30]),
    threads=st.integers(1, 16),
)
@settings(max_examples=50)
def test_no_limit_stops_requests(rate: float, burst: int, retry_after: int, threads: int) -> None:
    """Whatever the bucket and whatever it says: all are accepted, and none is held up for long."""
    result = Threads(TokenBucket(rate, burst, retry_after=retry_after), threads).send(200)
    assert len(result.accepted) == 200
    assert result.longest_held < 40 * max(1 / rate, retry_after, 1)


def test_warnings_about_a_rate_limit_are_few() -> None:
    """One at once, then one every ten seconds at most, with the rate and the number of requests that it stands for."""
    clock, lines = Clock(), Lines()
    log = ThrottleLog(lines, clock)
    for _ in range(25):
        log.throttled("orders: POST /orders", "returned 429 Too Many Requests", 1.0, 0.0)
        clock.now += 1
    log.throttled("orders: POST /orders", "returned 429 Too Many Requests", 2.5, 0.21)
    clock.now += 10
    log.throttled("orders: POST /orders", "returned 429 Too Many Requests", 60, 61)
    what = "orders: POST /orders: returned 429 Too Many Requests"
    assert lines.warnings == [
        f"{what}; all requests pause for 1.0 s",
        f"{what}; all requests pause for 1.0 s; 9 more requests throttled since the last warning",
        f"{what}; all requests pause for 1.0 s; 9 more requests throttled since the last warning",
        f"{what} at about 59 requests an hour; all requests pause for 60.0 s; 5 more requests throttled since the last "
        "warning",
    ]


# Fewer attempts and retries than any of these servers makes necessary.
NO_RETRIES = edited(FULL_SHOP, replace={"api.retry.attempts": 1}, add={"api.limits": {"retries": 1}})

REAL: dict[str, Callable[[], Throttle]] = {
    "one every 30 ms": lambda: Spaced(0.03),
    "5 in 150 ms": lambda: Window(5, 0.15, retry_after=False),
    "30 a second, burst of 5": lambda: TokenBucket(30, 5),
}


def throttling(server: Throttle, then: Callable[[Seen], Reply], status: int = 429) -> Callable[[Seen], Reply]:
    """Throttle requests as a server does, and respond to the others."""
    lock = threading.Lock()

    def answer(seen: Seen) -> Reply:
        with lock:
            wait = server(time.monotonic())
        if wait is None:
            return then(seen)
        return Reply(status=status, headers={"Retry-After": str(int(wait))} if wait else {})

    return answer


@pytest.mark.parametrize("server", REAL.values(), ids=REAL)
def test_a_sync_of_a_throttling_server_reads_every_row(
    tmp_path: Path, loopback: Loopback, server: Callable[[], Throttle]
) -> None:
    """With four threads, and without a single retry."""
    loopback.answer = throttling(server(), rows_by_offset(orders(300)))
    recorder, lines = run(full_shop(tmp_path, loopback.url, NO_RETRIES))
    assert len(recorder.tables["orders"]) == 300
    assert len(lines.warnings) <= 2


@pytest.mark.parametrize("status", [429, 503])
def test_a_server_that_says_how_long_to_wait(tmp_path: Path, loopback: Loopback, status: int) -> None:
    """Three threads share what it accepts. A 503 with Retry-After is a rate limit too."""
    answer = throttling(Spaced(0.9, retry_after=1), lambda seen: Reply(seen.json["offset"]), status)
    loopback.answer = answer
    with Client(full_shop(tmp_path, loopback.url, NO_RETRIES), Lines()) as client, ThreadPoolExecutor(3) as pool:

        def send(offset: int) -> object:
            return client.send("orders", ORDERS.with_keys({"offset": offset}), lambda document: document).value

        assert list(pool.map(send, range(3))) == [0, 1, 2]


def test_a_503_without_retry_after_is_a_failure(tmp_path: Path, loopback: Loopback) -> None:
    """The server is overloaded or down, which the number of attempts bounds."""
    loopback.answer = lambda seen: Reply(status=503)
    with (
        Client(full_shop(tmp_path, loopback.url), Lines()) as client,
        pytest.raises(Failure, match="returned 503 Service Unavailable; gave up after 4 attempts"),
    ):
        request_orders(client)


def test_a_server_that_accepts_nothing_any_more_holds_up_the_sync_once(tmp_path: Path, loopback: Loopback) -> None:
    """Not once for each request: the next one fails as soon as it is throttled too. When one is accepted, all go on."""
    accepts = False
    loopback.answer = lambda seen: Reply([]) if accepts else Reply(status=429)
    text = edited(FULL_SHOP, replace={"api.retry.throttled_max": "300ms"})
    with Client(full_shop(tmp_path, loopback.url, text), Lines()) as client:
        for most in (1000, 1, 1):
            before = len(loopback.seen)
            with pytest.raises(Failure, match="more than throttled_max"):
                request_orders(client)
            assert len(loopback.seen) - before <= most
        accepts = True
        assert request_orders(client).value == []


def test_any_number_of_pauses_in_a_row() -> None:
    """Backoff doubles, and a float does so only a thousand times."""
    numbers = iter(range(1100))

    def attempt() -> str:
        if next(numbers, None) is None:
            return "accepted"
        raise RequestError("returned 429", transient=True, throttled=True)

    retry = Retry(attempts=1, wait_max=timedelta(0))
    retrying = Retrying(retry, Budget(Limits(retries=1)), RateLimiter(None), Lines())
    assert retrying.run("orders", attempt) == "accepted"


def test_nothing_is_sent_once_the_client_is_stopped() -> None:
    """Calls that still wait in the queues of threads have no use."""
    retrying = Retrying(Retry(), Budget(Limits()), RateLimiter(None), Lines())
    retrying.stop()
    with pytest.raises(RequestError):
        retrying.run("orders", lambda: pytest.fail("it was sent"))


def test_the_failure_says_what_the_server_requested(tmp_path: Path, loopback: Loopback) -> None:
    """And which key to raise."""
    loopback.answer = lambda seen: Reply(status=429, headers={"Retry-After": "2"})
    text = edited(FULL_SHOP, replace={"api.retry.throttled_max": "1s"})
    with (
        Client(full_shop(tmp_path, loopback.url, text), Lines()) as client,
        pytest.raises(
            Failure,
            match=r"returned 429 Too Many Requests; rate limits would hold up the request for 2 s, more than "
            r"throttled_max \(1 s\); the server requests a wait of 2 s\. Sync less often, or raise "
            r"api\.retry\.throttled_max in streams\.yaml\.$",
        ),
    ):
        request_orders(client)
    assert len(loopback.seen) == 1
