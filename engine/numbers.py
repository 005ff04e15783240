"""Numbers of JSON, of which a float holds only some: all digits that a server wrote are kept."""

from __future__ import annotations

import math
from decimal import Decimal, InvalidOperation
from typing import Any, ClassVar

_EXACT_LENGTH = 16  # a float holds any number of 15 digits, written with a point and without an exponent


class PreciseFloat(float):
    """A number with more digits than a float holds: the nearest float, and the number as the server wrote it.

    Wherever a float will do, it is one. In text (``str``) all its digits are written.
    """

    __slots__ = ("written",)

    decoded: ClassVar[bool] = False
    """Whether there is any in this process. Values are searched for them only then."""

    written: str

    def __new__(cls, written: str) -> PreciseFloat:
        """Read a number."""
        number = super().__new__(cls, written)
        number.written = written
        PreciseFloat.decoded = True
        return number

    def __getnewargs__(self) -> tuple[str]:  # type: ignore[override] # what pickle calls __new__ with
        return (self.written,)

    def __repr__(self) -> str:
        return self.written

    __str__ = __repr__

    @property
    def exact(self) -> Decimal:
        """The number with all its digits."""
        return Decimal(self.written)


def read_float(written: str) -> float:
    """Read a JSON number that has a fraction or an exponent: a float if that holds it, and else a precise one.

    Raises:
        ValueError: it is beyond the range of floats.

    >>> read_float("0.1"), read_float("1e2"), read_float("0.30000000000000004"), read_float("12345678901234567.8")
    (0.1, 100.0, 0.30000000000000004, 12345678901234567.8)
    >>> [type(read_float(written)).__name__ for written in ("0.30000000000000004", "12345678901234567.8")]
    ['float', 'PreciseFloat']
    """
    number = float(written)
    if len(written) <= _EXACT_LENGTH and "e" not in written and "E" not in written:
        return number
    if not math.isfinite(number):
        raise ValueError("out of range")
    return number if repr(number) == written or _holds(number, written) else PreciseFloat(written)


def _holds(number: float, written: str) -> bool:
    try:
        return Decimal(repr(number)) == Decimal(written)
    except InvalidOperation:  # an exponent with twenty digits: it is a zero to every destination
        return True


def exactly(value: float) -> Decimal:
    """The number that the server wrote, of an integer or a float that was decoded from it."""
    if isinstance(value, PreciseFloat):
        return value.exact
    return Decimal(value) if isinstance(value, int) else Decimal(repr(value))


def with_floats(value: Any) -> Any:
    """A JSON value in which precise floats are plain ones; the value itself if it has none."""
    if isinstance(value, PreciseFloat):
        return float(value)
    if isinstance(value, list):
        items = [with_floats(item) for item in value]
        return items if any(new is not old for new, old in zip(items, value, strict=True)) else value
    if isinstance(value, dict):
        entries = {name: with_floats(item) for name, item in value.items()}
        return entries if any(entries[name] is not item for name, item in value.items()) else value
    return value
