"""How long a server asks to wait, in every form in which servers say it.

``Retry-After`` holds seconds or a date (RFC 9110, 10.2.3); servers also send decimals, units, dates with an offset and
the time as an epoch. Others send when their limit resets: ``RateLimit`` with ``RateLimit-Policy`` (the drafts of the
IETF), ``RateLimit-Reset``, ``X-RateLimit-Reset``.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from datetime import datetime, timezone
from email.utils import parsedate_to_datetime
from typing import Final

_NUMBER: Final = re.compile(r"([0-9]+)(?:\.([0-9]*))?|\.([0-9]+)")
_TIME: Final = re.compile(
    r"(?:([0-9]{1,6}) ?h)? ?(?:([0-9]{1,6}) ?m(?:in)?)? ?(?:([0-9]{1,6}(?:\.[0-9]{1,9})?) ?s(?:ec)?)?"
)
_MILLISECONDS: Final = ("Retry-After-Ms", "X-Ms-Retry-After-Ms")
_RESETS: Final = ("RateLimit-Reset", "X-RateLimit-Reset", "X-Rate-Limit-Reset")
_REMAINING: Final = ("RateLimit-Remaining", "X-RateLimit-Remaining", "X-Rate-Limit-Remaining")
_EPOCH: Final = 1e9  # 32 years as a wait, 2001 as a time: no server means a wait
_EPOCH_MILLISECONDS: Final = 1e11
_LONGEST: Final = 1e10


def requested_wait(headers: Mapping[str, str], now: datetime) -> float | None:
    """The seconds that Retry-After requests; None if there is no such header, or none that can be read."""
    for name in _MILLISECONDS:
        milliseconds = _number(headers.get(name, "").strip())
        if milliseconds is not None:
            return milliseconds / 1000
    return _longest(_wait(value, now) for value in _values(headers.get("Retry-After", "")))


def reset_wait(headers: Mapping[str, str], now: datetime) -> float | None:
    """The seconds until the rate limit resets; None if no header says so.

    Servers send these headers with every response, so they mean a wait only if the request was throttled.
    """
    draft = _draft_wait(headers)
    if draft is not None:
        return draft
    if any(_number(headers.get(name, "").strip()) for name in _REMAINING):
        return None  # another limit than theirs was met
    return _longest(_wait(value, now) for name in _RESETS for value in _values(headers.get(name, "")))


def wait_in(value: str, now: datetime) -> float | None:
    """The seconds until what a header says, in any of the forms; None if it cannot be read."""
    return _longest(_wait(part, now) for part in _values(value))


def unread_wait(headers: Mapping[str, str], now: datetime) -> str | None:
    """The value of a Retry-After that cannot be read; None if it can, or if there is none."""
    value = headers.get("Retry-After", "").strip()
    return value if value and requested_wait(headers, now) is None else None


def parse_date(value: str | None) -> datetime | None:
    """Parse an HTTP date, or one in ISO 8601; without a zone it is in UTC. None if it cannot be parsed."""
    text = (value or "").strip()
    for parse in (parsedate_to_datetime, _iso_date):
        try:
            date = parse(text) if text else None
            if date is not None:
                return (date if date.tzinfo else date.replace(tzinfo=timezone.utc)).astimezone(timezone.utc)
        except (ValueError, OverflowError, TypeError, IndexError):
            continue
    return None


def _iso_date(text: str) -> datetime:
    """A date in ISO 8601, of the forms that Python 3.10 does not read too."""
    match = re.fullmatch(r"(\d{4}-\d\d-\d\d)[Tt ](\d\d:\d\d(?::\d\d)?)(?:\.(\d+))? ?([Zz]|[+-]\d\d:?\d\d)?", text)
    if match is None:
        raise ValueError(text)
    day, time, fraction, zone = match.groups()
    offset = zone if zone and zone not in "Zz" else "+0000"
    date = datetime.strptime(f"{day} {time if time.count(':') == 2 else f'{time}:00'}{offset}", "%Y-%m-%d %H:%M:%S%z")
    return date.replace(microsecond=int(f"{fraction or '':0<6}"[:6]))


def _values(header: str) -> Iterator[str]:
    """A header's values: the whole and, should a proxy have joined several, each of them."""
    yield header.strip()
    if "," in header:
        yield from (part.strip() for part in header.split(","))


def _longest(waits: Iterator[float | None]) -> float | None:
    return max((wait for wait in waits if wait is not None), default=None)


def _wait(value: str, now: datetime) -> float | None:
    """A wait as a number, a time span, an epoch or a date."""
    value = value.strip('"').strip()
    if re.fullmatch(r"-[0-9.]+", value):
        return 0.0
    number = _number(value)
    if number is None:
        span = _TIME.fullmatch(value) if value else None
        if span is not None:
            hours, minutes, seconds = span.groups(default="0")
            return int(hours) * 3600 + int(minutes) * 60 + float(seconds)
        until = parse_date(value)
        return max(0.0, (until - now).total_seconds()) if until is not None else None
    if number < _EPOCH:
        return number
    epoch = number / 1000 if number >= _EPOCH_MILLISECONDS else number
    return max(0.0, epoch - now.timestamp())


def _number(value: str) -> float | None:
    """A decimal number without a sign. None if it is anything else."""
    match = _NUMBER.fullmatch(value) if value.isascii() else None
    if match is None:
        return None
    whole, fraction = match[1] or "0", match[2] or match[3] or "0"
    return min(float(f"{whole[:20]}.{fraction[:9]}"), _LONGEST * 1000)


def _draft_wait(headers: Mapping[str, str]) -> float | None:
    """The wait of ``RateLimit: "name";r=0;t=30``, or of its earlier form ``limit=10, remaining=0, reset=30``.

    Of several limits, those that are used up count. One that does not say when it resets does so within the window of
    its policy.
    """
    header = headers.get("RateLimit", "")
    windows = {name: found.get("w") for name, found in _limits(headers.get("RateLimit-Policy", ""))}
    limits = list(_limits(header))
    used_up = [(name, found) for name, found in limits if not found.get("r", found.get("remaining", 0.0))]
    return _longest(found.get("t", found.get("reset", windows.get(name))) for name, found in used_up)


def _limits(header: str) -> Iterator[tuple[str, Mapping[str, float]]]:
    """The limits in a header, by name, each with its numbers."""
    if ";" not in header:
        yield "", dict(_parameters(header.split(",")))
        return
    for limit in header.split(","):
        name, *parameters = limit.split(";")
        yield name.strip(), dict(_parameters(parameters))


def _parameters(pairs: list[str]) -> Iterator[tuple[str, float]]:
    for pair in pairs:
        name, _, value = pair.partition("=")
        number = _number(value.strip().strip('"'))
        if number is not None:
            yield name.strip().lower(), number
