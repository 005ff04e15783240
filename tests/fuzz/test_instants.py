"""Timestamps of records, of positions and of the state."""

from __future__ import annotations

from contextlib import suppress
from datetime import datetime, timedelta, timezone

from hypothesis import given
from hypothesis import strategies as st

from engine.instants import (
    EPOCH,
    by_pattern,
    clamped,
    format_instant,
    from_epoch,
    parse_datetime,
    parse_instant,
)
from tests.fuzz.damage import damaged, tries

WHOLE = (
    "2026-05-01T10:00:00.123456Z",
    "2026-05-01 10:00:00+00",
    "20260501T100000.5-0530",
    "Fri, 01 May 2026 10:00:00 GMT",
    "0001-01-01T00:00:00+23:59",
    "9999-12-31T23:59:60Z",
    "1777629600.123",
)
SCRAPS = ("T", "t", "z", "+24:00", "-99", ":", ".", ",", " ", "24", "60", "00", "٣", "UTC", "\n", "\0", "9" * 30)


@tries(1000)
@given(damaged(WHOLE, SCRAPS))
def test_a_timestamp_is_an_instant_or_an_error(text: str) -> None:
    """What is read is written in one form, which reads as the same instant."""
    for offset in (None, timezone(timedelta(hours=-5))):
        with suppress(ValueError, OverflowError):
            instant = parse_instant(text, offset)
            assert parse_instant(format_instant(instant)) == instant
    with suppress(ValueError):
        assert clamped(text).tzinfo is timezone.utc
    with suppress(ValueError, OverflowError):
        assert by_pattern(text) == parse_datetime(text)


@tries(500)
@given(
    st.floats() | st.integers() | damaged(("1777629600", "-1.5", "1777629600123"), ("e", "9" * 30, ".", "-")),
    st.sampled_from([timedelta(seconds=1), timedelta(milliseconds=1), timedelta(microseconds=1)]),
)
def test_a_number_is_an_instant_or_an_error(value: float | str, unit: timedelta) -> None:
    """Of any size."""
    with suppress(ValueError, OverflowError):
        assert from_epoch(value, unit).tzinfo is timezone.utc


@tries(500)
@given(st.datetimes(timezones=st.just(timezone.utc)), st.sampled_from([1, 1000]))
def test_every_instant_survives_as_a_number(instant: datetime, per: int) -> None:
    """To the microsecond, or to the millisecond."""
    unit = timedelta(microseconds=per)
    assert instant - from_epoch((instant - EPOCH) // unit, unit) < unit
