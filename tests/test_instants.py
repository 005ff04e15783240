"""Instants: read and written at the edges of the calendar, too."""

from __future__ import annotations

from datetime import datetime, timedelta, timezone

import pytest

from engine.declare.types import Endpoint
from engine.instants import (
    EARLIEST,
    LATEST,
    by_pattern,
    clamped,
    format_instant,
    from_epoch,
    parse_datetime,
    parse_instant,
    shifted,
)
from engine.numbers import PreciseFloat
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
    request = Request(Endpoint("GET", "/x"), {"since": "$since-7d"}).bind({"since": EARLIEST})
    assert request.written_out().query == {"since": "0001-01-01T00:00:00.000000Z"}


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


TEN = datetime(2026, 5, 1, 10, tzinfo=timezone.utc)
MILLISECOND = timedelta(milliseconds=1)


SPELLINGS = [
    "2026-05-01T10:00:00Z",
    "2026-05-01t10:00:00z",
    "2026-05-01 10:00:00Z",
    "2026-05-01 10:00:00+00",
    "2026-05-01 10:00:00+00:00",
    "2026-05-01 10:00:00 +0000",
    "2026-05-01 10:00:00 UTC",
    "2026-05-01T10:00Z",
    "2026-05-01T12:00:00+02",
    "2026-05-01T04:30:00-0530",
    "2026-05-01T10:00:00,000Z",
    "2026-05-01T10:00:00.0000009Z",
    "20260501T100000Z",
    "Fri, 01 May 2026 10:00:00 GMT",
    "Fri, 1 May 2026 10:00 +0000",
    "01 May 2026 12:00:00 +0200",
    "Friday, 01-May-2026 10:00:00 GMT",
    "/Date(1777629600000)/",
    "/Date(1777629600000+1300)/",
]


def test_every_spelling_that_determines_an_instant_is_read() -> None:
    """On any Python: the pattern reads what Python 3.10 does not."""
    for text in SPELLINGS:
        for read in (parse_datetime, by_pattern, parse_instant):
            assert read(text).astimezone(timezone.utc) == TEN, text


@pytest.mark.parametrize(
    ("text", "instant"),
    [("2016-12-31T23:59:60Z", "2017-01-01T00:00:00.000000Z"), ("2026-04-30T24:00:00Z", "2026-05-01T00:00:00.000000Z")],
)
def test_a_leap_second_and_the_end_of_a_day_are_those_that_follow(text: str, instant: str) -> None:
    """No clock here has them."""
    assert format_instant(parse_instant(text)) == instant


@pytest.mark.parametrize("text", ["2026-05-01T10:00:00", "2026-05-01 10:00:00.5", "Fri, 01 May 2026 10:00:00"])
def test_a_time_without_an_offset_needs_one(text: str) -> None:
    """Which instant it is, only the declaration says."""
    with pytest.raises(ValueError, match="no offset"):
        parse_instant(text)
    east = timezone(timedelta(hours=2))
    assert parse_instant(text, east) == parse_instant(text, timezone.utc) - timedelta(hours=2)


@pytest.mark.parametrize(
    "text",
    ["", "2026-05-01", "2026-05-01T25:00:00Z", "2026-05-01T10:61:00Z", "2026-13-01T10:00:00Z", "05/01/2026 10:00:00Z",
     "2026-05-01T10:00:00 PST", "1777629600", "Fri, 32 May 2026 10:00:00 GMT", "2026-05-01T24:00:01Z",
     "２０２６-05-01T10:00:00Z", "/Date(10:00)/", "Date(1777629600000)"],
)  # fmt: skip
def test_anything_else_is_no_instant(text: str) -> None:
    """Nothing is guessed."""
    for offset in (timezone.utc, None):
        with pytest.raises(ValueError):
            parse_instant(text, offset)
    if text != "2026-05-01":
        with pytest.raises(ValueError):
            by_pattern(text)


@pytest.mark.parametrize("seconds", [1777629600, 1777629600.0, "1777629600", "1777629600.0000009"])
def test_a_number_counts_from_1970(seconds: float | str) -> None:
    """As a number or as a string of digits, with or without a fraction."""
    assert from_epoch(seconds, timedelta(seconds=1)) == TEN


def test_the_microseconds_of_a_number_are_exact() -> None:
    """A float has fewer digits than nanoseconds need. Before 1970, too, digits after the microseconds are cut."""
    assert from_epoch(1777629600123.456, MILLISECOND) == TEN + timedelta(microseconds=123456)
    assert from_epoch(PreciseFloat("1777629600.123456789"), timedelta(seconds=1)) == TEN + timedelta(
        microseconds=123456
    )
    assert from_epoch(-0.0000001, timedelta(seconds=1)) == datetime(1969, 12, 31, 23, 59, 59, 999999, timezone.utc)


@pytest.mark.parametrize("value", [1e300, float("inf"), float("nan"), 10**400, 253402300800, "99999999999999999999"])
def test_a_number_beyond_the_calendar_is_an_overflow(value: float | str) -> None:
    """It may count in another unit."""
    with pytest.raises(OverflowError):
        from_epoch(value, timedelta(seconds=1))
