"""Durations, shares, days and names as people read them."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date, datetime
from typing import Final

from engine.log import escaped

_UNITS: Final = (("d", 86_400), ("h", 3_600), ("min", 60))


def duration(seconds: float | None) -> str:
    """A duration with two digits that count, in the largest unit of which there is at least one and a half.

    >>> [duration(seconds) for seconds in (None, 0.0421, 8, 75, 600, 5_700, 111_600, 400_000)]
    ['–', '0.04 s', '8 s', '75 s', '10 min', '1.6 h', '31 h', '4.6 d']
    """
    if seconds is None:
        return "–"
    unit, size = next(((unit, size) for unit, size in _UNITS if seconds >= 1.5 * size), ("s", 1))
    return f"{number(seconds / size)} {unit}"


def total(seconds: float) -> str:
    """The sum of many durations: in hours, so that sums can be compared, unless it is less than one.

    >>> total(1_200), total(5_400), total(1_000_000)
    ('20 min', '1.5 h', '278 h')
    """
    return f"{number(seconds / 3_600)} h" if seconds >= 3_600 else duration(seconds)


def number(value: float) -> str:
    """A number with at least two digits that count.

    >>> [number(value) for value in (0, 0.0421, 1.26, 4.0, 12.3, 1234.5)]
    ['0', '0.04', '1.3', '4', '12', '1,234']
    """
    decimals = 0 if value >= 10 or value == 0 else 1 if value >= 0.95 else 2
    text = f"{value:,.{decimals}f}"
    return text.rstrip("0").rstrip(".") if decimals else text


def share(part: float, whole: float) -> str:
    """A part of a whole in percent. Neither 0 % nor 100 % if that would be rounded.

    >>> [share(*of) for of in ((0, 0), (0, 9), (1, 9), (1, 999), (1, 90_000), (89_999, 90_000), (9, 9))]
    ['–', '0%', '11%', '0.1%', '<0.1%', '>99.9%', '100%']
    """
    if not whole:
        return "–"
    percent = 100 * part / whole
    if 0 < percent < 0.1:
        return "<0.1%"
    if 99.9 < percent < 100:
        return ">99.9%"
    return f"{percent:.{0 if percent >= 10 else 1}f}".removesuffix(".0") + "%"


def day(moment: date | datetime) -> str:
    """A day without its year.

    >>> day(date(2026, 11, 3))
    'Nov 3'
    """
    return f"{moment:%b} {moment.day}"


def between(first: date, last: date) -> str:
    """A period by its first and last days.

    >>> between(date(2026, 1, 2), date(2026, 11, 3)), between(date(2026, 12, 20), date(2027, 1, 16))
    ('Jan 2 to Nov 3, 2026', 'Dec 20, 2026 to Jan 16, 2027')
    """
    year = f", {first.year}" if first.year < last.year else ""
    return f"{day(first)}{year} to {day(last)}, {last.year}"


def in_days(days: int) -> str:
    """The length of a period, after "the" or "the last".

    >>> in_days(1), in_days(28)
    ('day', '28 days')
    """
    return "day" if days == 1 else f"{days:,} days"


def minute(moment: datetime | None) -> str:
    """An instant in UTC, to the minute.

    >>> minute(datetime(2026, 11, 3, 4, 5, 6)), minute(None)
    ('2026-11-03 04:05', '–')
    """
    return "–" if moment is None else f"{moment:%Y-%m-%d %H:%M}"


def name(text: str | None, most: int = 80) -> str:
    """A name from the warehouse: on one line, without characters that show nothing, and not endless.

    >>> name(None), name("abcdef", most=4)
    ('(none)', 'abc…')
    """
    shown = escaped(text or "(none)")
    return shown if len(shown) <= most else f"{shown[: most - 1]}…"


def on(first_day: date | str, grain: str) -> str:
    """A day, week or month in a sentence.

    >>> on("2026-11-03", "day"), on("2026-11-02", "week"), on("2026-11-01", "month")
    ('Nov 3', 'the week of Nov 2', 'Nov 2026')
    """
    first = date.fromisoformat(first_day) if isinstance(first_day, str) else first_day
    if grain == "month":
        return f"{first:%b %Y}"
    return f"the week of {day(first)}" if grain == "week" else day(first)


def cell(count: int | None) -> str:
    """A number in a table.

    >>> cell(1200), cell(None)
    ('1,200', '–')
    """
    return "–" if count is None else f"{count:,}"


def listed(items: Sequence[str], most: int = 3) -> str:
    """Items in a sentence.

    >>> listed(["a", "b"]), listed(["a, 2 times", "b"]), listed(["a", "b", "c", "d", "e"])
    ('a and b', 'a, 2 times; and b', 'a, b, c and 2 more')
    """
    shown = [*items[:most], *([f"{len(items) - most:,} more"] if len(items) > most else [])]
    if len(shown) < 2:
        return "".join(shown)
    if any("," in item for item in shown):
        return f"{'; '.join(shown[:-1])}; and {shown[-1]}"
    return f"{', '.join(shown[:-1])} and {shown[-1]}"


def is_or_are(things: Sequence[object]) -> str:
    """The verb for a number of things.

    >>> is_or_are(["one"]), is_or_are([])
    ('is', 'are')
    """
    return "is" if len(things) == 1 else "are"
