"""The server's clock: when a request was made, however wrong the date of a single response is."""

from __future__ import annotations

from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime, timedelta, timezone
from email.utils import format_datetime
from itertools import count
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dev.testbed.loopback import Loopback, Reply, Seen
from engine.http.client import Client
from engine.http.clock import ServerClock
from engine.http.response import RawResponse
from tests.http.full_shop import full_shop, request_orders
from tests.shop import Lines

NOON = datetime(2024, 5, 1, 12, tzinfo=timezone.utc)
HOUR = timedelta(hours=1)
SECOND = timedelta(seconds=1)


def dated(at: float, date: str | None, **headers: str) -> RawResponse:
    """A response that was requested at a local instant and received a tenth of a second later."""
    sent = {**({"Date": date} if date is not None else {}), **headers}
    return RawResponse(200, "OK", sent, bytearray(), at, at + 0.1)


def http_date(instant: datetime) -> str:
    return format_datetime(instant, usegmt=True)


def clock_after(errors: Sequence[timedelta]) -> ServerClock:
    """A clock that has observed one response a second from noon on, with dates that are so far off."""
    clock = ServerClock()
    for at, error in enumerate(errors):
        clock.observe(dated(at, http_date(NOON + at * SECOND + error)))
    return clock


def off(clock: ServerClock, at: int) -> timedelta:
    """How far off the time is that a clock says it is so many seconds after noon."""
    time = clock.time_at(at)
    assert time is not None
    return time - (NOON + at * SECOND)


def test_the_time_of_a_request_is_that_of_its_response_less_the_time_on_the_way() -> None:
    """Never later than the server's clock: the date is written before the response arrives."""
    assert clock_after([0 * SECOND]).time_at(0) == NOON - timedelta(seconds=0.1)


def test_without_a_date_there_is_no_time() -> None:
    """Neither without the header nor with something else in it. One date is enough for all requests."""
    clock = ServerClock()
    for date in (None, "", "yesterday", "Wed, 99 May 2024 12:00:00 GMT"):
        clock.observe(dated(0, date))
    assert clock.time_at(0) is None
    clock.observe(dated(1, http_date(NOON)))
    clock.observe(dated(2, None))
    assert clock.time_at(2) == NOON + timedelta(seconds=0.9)


@given(
    wrong=st.timedeltas(min_value=timedelta(days=-1000), max_value=timedelta(days=1000)),
    right=st.lists(st.sampled_from([-1, 0]), min_size=3, max_size=20),
    place=st.integers(0, 20),
)
def test_one_wrong_date_changes_nothing(wrong: timedelta, right: list[int], place: int) -> None:
    """Whether it is old, as that of a cached page, or ahead. Right dates are up to a second old."""
    errors = [seconds * SECOND for seconds in right]
    errors.insert(place, wrong)
    assert -1.2 * SECOND <= off(clock_after(errors), len(errors)) <= 0 * SECOND


@pytest.mark.parametrize("jump", [-HOUR, HOUR, timedelta(seconds=-90)])
def test_a_clock_that_is_set_is_followed(jump: timedelta) -> None:
    """After five of nine responses show it."""
    before = [0 * SECOND] * 30
    assert abs(off(clock_after([*before, *[jump] * 4]), 34)) < SECOND
    assert abs(off(clock_after([*before, *[jump] * 5]), 35) - jump) < SECOND


@pytest.mark.parametrize("errors", [[HOUR, 0 * SECOND], [0 * SECOND, HOUR]])
def test_of_two_dates_the_earlier_counts(errors: list[timedelta]) -> None:
    """Too early costs rows that are sent twice; too late loses changes."""
    assert abs(off(clock_after(errors), 2)) < SECOND


@pytest.mark.parametrize(
    ("age", "seconds"), [("3600", 3600), (" 60 ", 60), ("60, 70", 60), ("-5", 0), ("1.5", 0), ("", 0), ("soon", 0)]
)
def test_the_age_of_a_cached_page_is_added(age: str, seconds: int) -> None:
    """An Age that is not a number of seconds is ignored."""
    assert dated(0, http_date(NOON), Age=age).date == NOON + seconds * SECOND


@given(st.sampled_from(["Mon, 01 Jan 0001 00:00:00 GMT", "Fri, 31 Dec 9999 23:59:59 GMT"]), st.text("0123456789,²"))
def test_dates_at_the_ends_of_the_calendar(date: str, age: str) -> None:
    """Nothing raises. Right dates around them count."""
    clock = ServerClock()
    clock.observe(dated(5, date, Age=age))
    clock.time_at(0)
    clock.time_at(10)
    for at in range(2):
        clock.observe(dated(at, http_date(NOON)))
    assert clock.time_at(0) is not None


def test_requests_are_dated_by_all_responses(tmp_path: Path) -> None:
    """Every fourth page comes from a cache and is days old. Only one at the start could mislead."""
    number = count(1)

    def answer(seen: Seen) -> Reply:
        stale = next(number) % 4 == 0
        now = datetime.now(timezone.utc) + 5 * HOUR
        return Reply([], headers={"Date": http_date(now - 48 * HOUR if stale else now)})

    with Loopback(answer) as server, Client(full_shop(tmp_path, server.url), Lines()) as client:
        before = datetime.now(timezone.utc) + 5 * HOUR
        times = [request_orders(client).requested_at for _ in range(3)]
        with ThreadPoolExecutor(4) as pool:
            times += [response.requested_at for response in pool.map(lambda _: request_orders(client), range(40))]
        after = datetime.now(timezone.utc) + 5 * HOUR
    assert all(time is not None and before - 3 * SECOND <= time <= after for time in times)


def test_a_response_that_is_not_the_api_s_has_no_say(tmp_path: Path) -> None:
    """The machine of a proxy, which dates its own pages, has a clock of its own."""
    replies = [
        Reply(status=502, headers={"Date": http_date(NOON - HOUR)}),
        Reply(body=b"<html>", headers={"Date": http_date(NOON - HOUR), "Content-Type": "text/html"}),
        Reply([], headers={"Date": http_date(NOON)}),
    ]
    waiting = iter(replies)
    with Loopback(lambda seen: next(waiting)) as server, Client(full_shop(tmp_path, server.url), Lines()) as client:
        time = request_orders(client).requested_at
    assert time is not None
    assert NOON - 3 * SECOND <= time <= NOON
