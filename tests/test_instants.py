"""Instants: read and written at the edges of the calendar, too."""

from __future__ import annotations

from datetime import datetime, timedelta, timezone

import pytest

from engine.declare.types import Endpoint
from engine.instants import EARLIEST, LATEST, clamped, format_instant, parse_instant, shifted
from engine.requests import Request


@pytest.mark.parametrize(
    "text", ["0001-01-01T00:00:00.000000Z", "0800-12-25T12:00:00.000001Z", "9999-12-31T23:59:59.999999Z"]
)
def test_a_year_has_four_digits(text: str) -> None:
    """A server takes `1-01-01` for a mistake."""
    assert format_instant(parse_instant(text)) == text


def test_shifting_ends_at_the_first_and_the_last_instant() -> None:
    """A lookback before the first is the first; a microsecond after the last is the last."""
    assert shifted(EARLIEST, -timedelta(days=7)) == EARLIEST
    assert shifted(LATEST, timedelta(microseconds=1)) == LATEST
    assert shifted(LATEST, -timedelta(days=1)) == LATEST - timedelta(days=1)


def test_a_lookback_in_a_query_ends_at_the_first_instant() -> None:
    """`$since-7d` of a list that starts in the year 1."""
    request = Request(Endpoint("GET", "/x"), {"since": "$since-7d"}).filled({"since": EARLIEST})
    assert request.query == {"since": "0001-01-01T00:00:00.000000Z"}


@pytest.mark.parametrize(
    ("text", "nearest"),
    [
        ("0001-01-01T00:00:00+05:00", EARLIEST),
        ("9999-12-31T23:59:59-05:00", LATEST),
        ("2024-05-01T00:00:00+05:00", datetime(2024, 4, 30, 19, tzinfo=timezone.utc)),
    ],
)
def test_an_instant_outside_of_the_calendar_is_the_nearest_in_it(text: str, nearest: datetime) -> None:
    """In UTC, the first two are in the years 0 and 10000."""
    assert clamped(text) == nearest
