"""Types that only the spec knows: the columns of a table and what they reference."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta, timezone
from typing import Final, Literal, get_args

from engine.declare.types import NAME_PATTERN
from engine.declare.values import DURATION, Choice, Text
from engine.instants import parse_instant, parse_offset
from engine.variables import Variable, parse

ColumnType = Literal[
    "STRING", "JSON", "BOOLEAN", "SHORT", "INT", "LONG", "DECIMAL", "FLOAT", "DOUBLE", "NAIVE_DATE", "NAIVE_DATETIME",
    "UTC_DATETIME", "BINARY", "XML",
]  # fmt: skip

COLUMN_TYPES: Final[Mapping[str, str]] = {
    "STRING": "a string; any other JSON value becomes its JSON text",
    "JSON": "any JSON value. Its numbers are rounded as those of DOUBLE",
    "BOOLEAN": "true or false",
    "SHORT": "a 16-bit integer",
    "INT": "a 32-bit integer",
    "LONG": "a 64-bit integer",
    "DECIMAL": "a decimal number, exact; needs precision and scale. Digits beyond the scale are rounded, which the log "
    "counts",
    "FLOAT": "a 32-bit number",
    "DOUBLE": "a 64-bit number. One with more digits is rounded, which the log counts",
    "NAIVE_DATE": "a date, such as 2024-05-01",
    "NAIVE_DATETIME": "a date and time without an offset",
    "UTC_DATETIME": "an instant, stored in UTC: a date and time with its offset, in ISO 8601 or RFC 1123, or "
    "`/Date(1714557600000)/`. Anything else needs `format` or `timezone`",
    "BINARY": "bytes, as a base64 string",
    "XML": "an XML string",
}
"""The column types of the Fivetran Connector SDK, and what each accepts from a JSON response."""

PartitionColumnType = Literal["STRING", "SHORT", "INT", "LONG"]

PARTITION_TYPES: Final = get_args(PartitionColumnType)
"""The column types that the state has as they are."""

KEY_TYPES: Final = frozenset({"STRING", "SHORT", "INT", "LONG", "NAIVE_DATE", "NAIVE_DATETIME", "UTC_DATETIME"})
"""The column types that compare and hash exactly, as a primary key must."""

INTEGERS: Final = frozenset({"SHORT", "INT", "LONG"})

Start = datetime | timedelta
"""Where a list begins: an instant, or a time before now."""


def _since(text: str) -> Variable:
    found = parse(text)
    assert isinstance(found, Variable)
    return found


def _start(text: str) -> Start | None:
    if not text:
        return None
    if text.startswith("$"):
        earlier = _since(text).earlier
        assert isinstance(earlier, timedelta)
        return earlier
    if len(text) == len("2024-05-01"):
        text += "T00:00:00Z"
    return parse_instant(text, timezone.utc)


SINCE: Final = Text(rf"\$since(-{DURATION})?", "$since, or a time before it, such as $since-15m", _since)

START: Final = Text(
    rf"|\d{{4}}-\d\d-\d\d.*|\$now-{DURATION}",
    "a date, such as 2024-05-01, a date and time, or a time before now, such as $now-90d",
    _start,
    noun="a date, a date and time, or a time before now",
    may_be_date=True,
)


def _pattern(text: str) -> str:
    moment = datetime(2024, 11, 25, 13, 45, 59, tzinfo=timezone.utc)
    try:
        datetime.strptime(moment.strftime(text), text)
    except ValueError:
        raise ValueError(f'"{text}" is no pattern of a date and time, such as %Y-%m-%d %H:%M') from None
    return text


PATTERN: Final = Text(
    r".*%.*",
    "a pattern of a date and time, such as %Y-%m-%d %H:%M",
    _pattern,
    noun="a pattern such as `%Y-%m-%d %H:%M`, in the directives of Python's `strptime`",
)
"""How dates and times are written, in the directives of Python's ``strptime``."""

TIME_FORMATS: Final[Mapping[str, str]] = {
    "epoch_seconds": "seconds since the beginning of 1970, as a number or a string of digits",
    "epoch_milliseconds": "milliseconds since then",
    "epoch_microseconds": "microseconds since then",
}

TIME_FORMAT: Final = Choice("a format of dates and times", tuple(TIME_FORMATS), TIME_FORMATS, other=PATTERN)

VALUE_FORMATS: Final[Mapping[str, str]] = {
    **TIME_FORMATS,
    "text": 'a number, or true or false, as a string: `"12.50"`. An empty string is NULL',
}

CURSOR_TYPES: Final = ("UTC_DATETIME", "SHORT", "INT", "LONG", "STRING")
"""The column types of a cursor field."""

FROM_TEXT: Final = frozenset({"BOOLEAN", "SHORT", "INT", "LONG", "DECIMAL", "FLOAT", "DOUBLE"})
"""The column types that take the format ``text``."""

OFFSET: Final = Text(
    r"UTC|[+-](0[0-9]|1[0-4]):[0-5][0-9]",
    "UTC or an offset from it, such as +02:00",
    parse_offset,
    noun="`UTC` or an offset",
)

SyncMode = Literal["incremental", "full_refresh"]

SYNC_MODES: Final[Mapping[str, str]] = {
    "incremental": "send the rows whose cursor field moved since the last complete pass",
    "full_refresh": "read the whole list, send the rows that changed, and soft-delete those that are gone. In a list "
    "of more than 5,000 rows, one change sends all of them",
}

Deleted = Literal["keep", "soft_delete"]

DELETED: Final[Mapping[str, str]] = {
    "keep": "rows that are deleted on the server stay, except rows that were open at the last sync. With `open`, a "
    "re-sync truncates the table first",
    "soft_delete": "rows that are deleted on the server are soft-deleted, which the keys of all rows, kept in the "
    "state, show. With `reconcile`, once per period, in which the whole list is read. Without it, by the next sync: "
    "the whole list is read if the server's count shows that rows are gone, which suits lists of a few thousand rows. "
    "If there are more than 100,000 rows, the table is truncated and all rows are sent again, in one sync: once per "
    "period or, without `reconcile`, once a day; also once if this is declared later than the stream. A re-sync "
    "truncates the table first",
}

GONE: Final[Mapping[str, str]] = {
    "keep": "they stay, and so does its state: if it returns, it is read on. A warning says so once. What truncates a "
    "table, such as a re-sync, soft-deletes them, too",
    "soft_delete": "they are soft-deleted in the tables in which rows that are gone are: full refreshes, "
    "`deleted: soft_delete`, and rows that were open. The list is read twice first",
}
"""What happens to the rows of a partition that is gone."""


@dataclass(frozen=True)
class Reference:
    """A column of a table (the same or another), whose values a column holds."""

    table: str
    column: str

    def __str__(self) -> str:
        return f"{self.table}.{self.column}"


def _reference(text: str) -> Reference:
    table, column = text.split(".")
    return Reference(table, column)


REFERENCE: Final = Text(
    rf"{NAME_PATTERN}\.{NAME_PATTERN}",
    "a table and its column, such as flows.id",
    _reference,
    noun="a table and its column",
)
