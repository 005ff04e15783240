"""Every form in which servers say how long to wait."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime, timezone
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from requests.structures import CaseInsensitiveDict

from dev.testbed.loopback import Loopback, Reply, rows_by_offset
from engine.http.response import RawResponse
from engine.sync import sync
from tests.shop import ORDERS_ONLY, Lines, Recorder, connection, orders

NOW = "Fri, 01 May 2026 10:00:00 GMT"
EPOCH = int(datetime(2026, 5, 1, 10, tzinfo=timezone.utc).timestamp())


def response(headers: Mapping[str, str], status: int = 429) -> RawResponse:
    """A response that was sent at :data:`NOW`."""
    return RawResponse(status, "", CaseInsensitiveDict({"Date": NOW, **headers}), bytearray(), 0.0, 0.0)


FORMS = [
    ("30", 30),
    ("30.0", 30),
    ("39.871", 39.871),
    (".5", 0.5),
    ("30, 30", 30),
    ('"30"', 30),
    ("30s", 30),
    ("1m30s", 90),
    ("-1", 0),
    (str(EPOCH + 30), 30),
    (f"{EPOCH + 30}.5", 30.5),
    (str((EPOCH + 30) * 1000), 30),
    ("Fri, 01 May 2026 10:00:30 GMT", 30),
    ("Fri, 01 May 2026 12:00:30 +0200", 30),
    ("Fri, 01 May 2026 10:00:30 -0000", 30),
    ("Fri, 01 May 2026 10:00:30", 30),
    ("Friday, 01-May-26 10:00:30 GMT", 30),
    ("Fri May  1 10:00:30 2026", 30),
    ("2026-05-01T10:00:30Z", 30),
    ("2026-05-01t10:00:30z", 30),
    ("2026-05-01T12:00:30.5+02:00", 30.5),
    ("Fri, 01 May 2026 09:00:00 GMT", 0),
]


def test_retry_after_is_read_in_every_form() -> None:
    """Seconds with decimals or a unit, dates of any zone, and times since 1970."""
    for value, seconds in FORMS:
        assert response({"Retry-After": value}).retry_after == pytest.approx(seconds), value


RESETS: list[tuple[dict[str, str], float | None]] = [
    ({"X-RateLimit-Reset": str(EPOCH + 30)}, 30),
    ({"X-RateLimit-Reset": str((EPOCH + 30) * 1000)}, 30),
    ({"X-RateLimit-Reset": "12.5"}, 12.5),
    ({"X-Rate-Limit-Reset": "2026-05-01T10:00:30Z"}, 30),
    ({"x-ratelimit-reset": "30", "x-ratelimit-remaining": "0"}, 30),
    ({"X-RateLimit-Reset": "30", "X-RateLimit-Remaining": "7"}, None),
    ({"RateLimit-Reset": "30"}, 30),
    ({"RateLimit": "limit=100, remaining=0, reset=30"}, 30),
    ({"RateLimit": '"default";r=0;t=30'}, 30),
    ({"RateLimit": '"hour";r=70;t=1800, "minute";r=0;t=30'}, 30),
    ({"RateLimit": '"default";r=0', "RateLimit-Policy": '"default";q=100;w=60'}, 60),
    ({"RateLimit": '"default";r=9;t=30'}, None),
    ({"Retry-After-Ms": "1500"}, 1.5),
    ({"Retry-After": "5", "X-RateLimit-Reset": "30"}, 5),
]


def test_the_reset_of_a_rate_limit_is_a_wait() -> None:
    """Retry-After comes first. A limit that is not used up is not the one that was met."""
    for headers, seconds in RESETS:
        assert response(headers).retry_after == (None if seconds is None else pytest.approx(seconds)), headers


def test_a_reset_is_no_wait_unless_the_request_was_throttled() -> None:
    """Servers send it with every response, also when something else is wrong."""
    assert response({"X-RateLimit-Reset": "3000"}, 500).retry_after is None
    assert response({"Retry-After": "30"}, 503).retry_after == 30


@pytest.mark.parametrize("value", ["soon", "30 apples", "\u0663", "tomorrow, maybe"])
def test_a_wait_that_cannot_be_read_is_said(tmp_path: Path, value: str) -> None:
    """The warning quotes it; the connector then waits as long as it would without the header."""
    assert response({"Retry-After": value}).retry_after is None
    waiting = [Reply(status=429, headers={"Retry-After": value.encode("ascii", "replace").decode()})]
    with Loopback(rows_by_offset(orders(3))) as server:
        rows = server.answer
        server.answer = lambda seen: waiting.pop() if waiting else rows(seen)
        recorder, lines = Recorder(), Lines()
        sync(connection(tmp_path, server.url, ORDERS_ONLY), {}, recorder, lines)
    assert len(recorder.tables["orders"]) == 3
    assert "which cannot be read; all requests pause for" in lines.warnings[0]


@given(
    st.dictionaries(
        st.sampled_from(
            [
                "Retry-After",
                "RateLimit",
                "RateLimit-Policy",
                "RateLimit-Reset",
                "X-RateLimit-Reset",
                "Retry-After-Ms",
                "Date",
            ]
        ),
        st.one_of(st.text(), st.from_regex(r'[0-9 .,;:="rtwZ+-]{0,30}', fullmatch=True)),
    )
)
def test_any_headers_are_a_wait_or_none(headers: dict[str, str]) -> None:
    """Nothing that a server sends raises."""
    wait = response(headers).retry_after
    assert wait is None or 0 <= wait < float("inf")
