"""Instants: what servers send to datetimes, and back in one form. Compare datetimes, never strings."""

from __future__ import annotations

import re
import sys
from datetime import datetime, timedelta, timezone
from decimal import ROUND_FLOOR, Context, Decimal
from typing import Final

from engine.numbers import exactly

EARLIEST: Final = datetime.min.replace(tzinfo=timezone.utc)
LATEST: Final = datetime.max.replace(tzinfo=timezone.utc)

EPOCH: Final = datetime(1970, 1, 1, tzinfo=timezone.utc)

_OFFSET: Final = r"[Zz]|UTC|GMT|[+-]\d\d(?::?\d\d)?"
_ISO: Final = re.compile(
    rf"(\d{{4}})(-?)(\d\d)\2(\d\d)[Tt ](\d\d)(?::?(\d\d)(?::?(\d\d)(?:[.,](\d+))?)?)? ?({_OFFSET})?", re.ASCII
)
_MONTHS: Final = ("jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec")
_RFC_1123: Final = re.compile(
    rf"(?:[a-z]{{3,9}}, ?)?(\d{{1,2}})[ -]({'|'.join(_MONTHS)})[ -](\d{{4}}) (\d\d):(\d\d)(?::(\d\d))? ?({_OFFSET})?",
    re.ASCII | re.IGNORECASE,
)
_DOTNET: Final = re.compile(r"/Date\((-?\d{1,17})(?:[+-]\d{4})?\)/", re.ASCII)  # the offset changes nothing
_NUMBER: Final = re.compile(r"[+-]?\d{1,20}(?:\.\d{1,30})?", re.ASCII)
_DIGITS: Final = Context(prec=100)


def parse_datetime(text: str) -> datetime:
    """Parse a date and time, with or without an offset. Digits after the microseconds are cut.

    It is in ISO 8601, with ``T``, ``t`` or a space between date and time, in RFC 1123, as in HTTP headers, or in
    milliseconds since 1970, as servers in .NET write them: ``/Date(1777629600000+0000)/``. The offset can be ``Z``,
    ``z``, ``UTC`` or ``GMT``.

    Raises:
        ValueError: the string has another form.
        OverflowError: it is outside the years 1 to 9999.
    """
    if sys.version_info >= (3, 11):  # earlier ones do not accept Z, nor offsets without a colon
        try:
            return datetime.fromisoformat(text)
        except ValueError:
            pass
    return by_pattern(text)


def by_pattern(text: str) -> datetime:
    """What :func:`parse_datetime` returns, without the help of newer Pythons."""
    iso = _ISO.fullmatch(text)
    if iso is not None:
        year, _, month, day, hour, minute, second, fraction, offset = iso.groups()
        clock = hour, minute or "0", second or "0", f"{(fraction or '')[:6]:0<6}"
        return _combined(int(year), int(month), int(day), clock, offset)
    dotnet = _DOTNET.fullmatch(text)
    if dotnet is not None:
        return from_epoch(dotnet[1], EPOCH_UNITS["epoch_milliseconds"])
    rfc = _RFC_1123.fullmatch(text)
    if rfc is None:
        raise ValueError("neither ISO 8601 nor RFC 1123")
    day, name, year, hour, minute, second, offset = rfc.groups()
    clock = hour, minute, second or "0", "0"
    return _combined(int(year), _MONTHS.index(name.lower()) + 1, int(day), clock, offset)


def _combined(year: int, month: int, day: int, clock: tuple[str, str, str, str], offset: str | None) -> datetime:
    """A day and the time since it began, which is a day at 24:00 and a minute longer than usual in a leap second."""
    hour, minute, second, micro = map(int, clock)
    if hour > 24 or minute > 59 or second > 60 or (hour == 24 and (minute or second or micro)):
        raise ValueError("no time of a day")
    since = timedelta(hours=hour, minutes=minute, seconds=second, microseconds=micro)
    moment = datetime(year, month, day) + since
    return moment if offset is None else moment.replace(tzinfo=parse_offset(offset))


def parse_offset(text: str) -> timezone:
    """Parse an offset from UTC: ``UTC``, ``Z``, ``+02:00``, ``-0530``, ``+02``.

    Raises:
        ValueError: it is a day or more.
    """
    if text[0] not in "+-":
        return timezone.utc
    span = timedelta(hours=int(text[1:3]), minutes=int(text[3:].lstrip(":") or 0))
    return timezone(-span if text[0] == "-" else span)


def parse_instant(text: str, offset: timezone | None = None) -> datetime:
    """Parse a date and time into a datetime in UTC, as :func:`parse_datetime` reads it.

    Args:
        text: The date and time.
        offset: The offset, if the string has none.

    Raises:
        ValueError: the string has another form, or no offset; a local time does not determine an instant.
        OverflowError: the instant is outside the years 1 to 9999.
    """
    instant = parse_datetime(text)
    if instant.tzinfo is None:
        if offset is None or len(text) <= len("2024-05-01"):
            raise ValueError("no offset")
        instant = instant.replace(tzinfo=offset)
    return instant if instant.tzinfo is timezone.utc else instant.astimezone(timezone.utc)


def from_epoch(value: float | str, unit: timedelta) -> datetime:
    """The instant that is a number of units after the beginning of 1970. Digits after the microseconds are cut.

    Raises:
        ValueError: the string is not a number.
        OverflowError: the instant is outside the years 1 to 9999.
    """
    if isinstance(value, str):
        if not _NUMBER.fullmatch(value):
            raise ValueError("not a number")
        number = Decimal(value)
    else:
        number = exactly(value)
    if not number.is_finite() or number.adjusted() > 20:
        raise OverflowError
    micros = _DIGITS.multiply(number, unit // timedelta(microseconds=1)).to_integral_value(ROUND_FLOOR)
    return EPOCH + timedelta(microseconds=int(micros))


EPOCH_UNITS: Final = {
    "epoch_seconds": timedelta(seconds=1),
    "epoch_milliseconds": timedelta(milliseconds=1),
    "epoch_microseconds": timedelta(microseconds=1),
}
"""The formats that count from the beginning of 1970, and what they count."""


def parse_formatted(value: str | float, written: str, offset: timezone | None = None) -> datetime:
    """The instant that a value is in a format: one of :data:`EPOCH_UNITS`, or a pattern of ``strptime``.

    Args:
        value: The value.
        written: The format.
        offset: The offset from UTC, if the pattern has none. By default, none.

    Raises:
        ValueError: the value is not of that format.
        OverflowError: the instant is outside the years 1 to 9999.
    """
    unit = EPOCH_UNITS.get(written)
    if unit is not None:
        return from_epoch(value, unit)
    instant = datetime.strptime(str(value), written)
    return (instant if instant.tzinfo else instant.replace(tzinfo=offset or timezone.utc)).astimezone(timezone.utc)


def formatted(instant: datetime, written: str, offset: timezone | None = None) -> str | int:
    """The reverse of :func:`parse_formatted`. What a format cannot say is cut, so the result is never later.

    >>> formatted(EPOCH + timedelta(seconds=1.5), "epoch_seconds"), formatted(EPOCH, "%d/%m/%Y")
    (1, '01/01/1970')
    """
    unit = EPOCH_UNITS.get(written)
    if unit is not None:
        return (instant - EPOCH) // unit
    local = instant.astimezone(offset or timezone.utc)
    return local.strftime(re.sub(r"%Y", f"{local.year:04}", written))


def format_instant(instant: datetime) -> str:
    """Format an instant in UTC with microseconds: ``2024-05-01T10:00:00.000000Z``."""
    return instant.astimezone(timezone.utc).replace(tzinfo=None).isoformat(timespec="microseconds") + "Z"


def shifted(instant: datetime, by: timedelta) -> datetime:
    """The instant that much later, or earlier; at most the first or the last one that exists."""
    try:
        return instant + by
    except OverflowError:
        return LATEST if by > timedelta(0) else EARLIEST


def clamped(text: str) -> datetime:
    """What :func:`parse_instant` returns; the first or the last instant that exists for one outside of its years.

    Raises:
        ValueError: as :func:`parse_instant` raises it.
    """
    try:
        return parse_instant(text)
    except OverflowError:
        return EARLIEST if text.startswith("0") else LATEST
