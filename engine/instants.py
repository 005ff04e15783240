"""Instants: ISO 8601 strings of any form to datetimes, and back in one form. Compare datetimes, never strings."""

from __future__ import annotations

import re
import sys
from datetime import datetime, timedelta, timezone
from typing import Final

EARLIEST: Final = datetime.min.replace(tzinfo=timezone.utc)
LATEST: Final = datetime.max.replace(tzinfo=timezone.utc)

if sys.version_info >= (3, 11):
    from_iso: Final = datetime.fromisoformat
else:
    _ISO: Final = re.compile(r"(\d{4}-\d\d-\d\d)[T ](\d\d:\d\d(?::\d\d)?)(?:\.(\d+))?(Z|[+-]\d\d:?\d\d)?")

    def from_iso(text: str) -> datetime:
        """What Python 3.11 accepts and 3.10 does not: Z, offsets without a colon, fractions of any length."""
        match = _ISO.fullmatch(text)
        if match is None:
            return datetime.fromisoformat(text)
        day, clock, fraction, offset = match.groups()
        offset = {None: "", "Z": "+00:00"}.get(offset, offset)
        if len(offset) == 5:
            offset = f"{offset[:3]}:{offset[3:]}"
        fraction = f".{fraction[:6]:0<6}" if fraction else ""
        return datetime.fromisoformat(f"{day}T{clock}{fraction}{offset}")


def parse_instant(text: str) -> datetime:
    """Parse an ISO 8601 date and time with an offset into a datetime in UTC. Digits after the microseconds are cut.

    Raises:
        ValueError: the string has another form, or no offset; a local time does not determine an instant.
        OverflowError: the instant is outside the years 1 to 9999.
    """
    instant = from_iso(text)
    if instant.tzinfo is None:
        raise ValueError("no offset")
    return instant if instant.tzinfo is timezone.utc else instant.astimezone(timezone.utc)


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
