"""A stream's field mappings, compiled once: record -> row, primary key, cursor."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Hashable, Mapping
from datetime import datetime
from typing import Any

from engine.failures import MissingKey
from engine.jsonpath import Getter, JsonPath
from engine.nouns import counted
from engine.requests import Record
from engine.rows.types import Rounded, TypeMismatch, converter, unchanged_type
from engine.spec.dialect import Field, Stream
from engine.spec.records import values_at

Row = dict[str, Any]


class RowMapping:
    """A stream's ``fields`` and ``where``, compiled into functions. Counts the values that do not fit their column."""

    def __init__(self, stream: Stream) -> None:
        self._stream = stream
        by_name = {name: (_value_of(field), converter(field)) for name, field in stream.fields.items()}
        self._columns = [
            (name, _key_of(field.path), *by_name[name], unchanged_type(field)) for name, field in stream.fields.items()
        ]
        self._conditions = [condition.holds for condition in stream.where]
        self._empty: Row = dict.fromkeys(stream.fields)
        self._key = [(name, *by_name[name]) for name in stream.primary_key]
        self._cursor = by_name[stream.cursor_field] if stream.cursor_field else None
        self._has_instants = stream.has_instants
        self.volatile = frozenset(name for name, field in stream.fields.items() if field.volatile)
        self._mismatches: Counter[str] = Counter()
        self._first_mismatch: dict[str, str] = {}
        self._rounded: Counter[str] = Counter()
        self._first_rounded: dict[str, str] = {}

    def is_row(self, record: Record) -> bool:
        """Whether a record becomes a row of the table."""
        return not self._conditions or all(holds(record) for holds in self._conditions)

    def row(self, record: Record) -> Row:
        """The row of a record: every mapped column, None if the record's value is absent or does not fit."""
        row = self._empty.copy()
        for name, key, get, convert, unchanged in self._columns:
            value = get(record) if key is None else record.get(key)
            if value is None:
                continue
            if type(value) is not unchanged:
                try:
                    value = convert(value)
                except Rounded as rounded:
                    self._count_rounded(name, record)
                    value = rounded.replacement
                except TypeMismatch as mismatch:
                    self._count(name, value, record, mismatch.hint)
                    value = mismatch.replacement
            row[name] = value
        return row

    def key(self, record: Record) -> Hashable:
        """The values of the primary key.

        Raises:
            MissingKey: a part of the key is absent, null or of another type, so it does not identify the row.
        """
        values = []
        for name, get, convert in self._key:
            value = get(record)
            try:
                value = None if value is None else convert(value)
            except TypeMismatch as mismatch:
                value = mismatch.replacement
            if value is None:
                paths = " or ".join(path.text for path in self._stream.fields[name].path)
                raise MissingKey(
                    f'a record has no {self._stream.fields[name].type} for the primary key "{name}" at {paths}; '
                    f"it has the keys {', '.join(map(str, record))}"
                )
            values.append(value)
        return tuple(values)

    def cursor(self, record: Record) -> datetime | None:
        """The instant of the cursor field; None if it is absent, null or not an instant."""
        instant: datetime | None = self._cursor_value(record) if self._has_instants else None
        return instant

    def counter(self, record: Record) -> int | str | None:
        """The number or string of a cursor field that is no instant; None if it is absent, null or of another type."""
        value: int | str | None = None if self._has_instants else self._cursor_value(record)
        return value

    def _cursor_value(self, record: Record) -> Any:
        if self._cursor is None:
            return None
        get, convert = self._cursor
        value = get(record)
        try:
            return None if value is None else convert(value)
        except TypeMismatch:
            return None

    def mismatch_warnings(self) -> list[str]:
        """One warning per column in which values did not fit or were rounded. It names types and keys, never values."""
        return [
            *(
                f"{self._stream.name}.{name}: {counted(count, 'values')} did not fit {self._stream.fields[name].type} "
                f"and became {'JSON text' if self._stream.fields[name].type == 'STRING' else 'NULL'}; "
                f"{self._first_mismatch[name]}"
                for name, count in self._mismatches.items()
            ),
            *(
                f"{self._stream.name}.{name}: {counted(count, 'values')} had numbers with more digits than "
                f"{self._stream.fields[name].type} holds, which were rounded; the first was {self._first_rounded[name]}"
                for name, count in self._rounded.items()
            ),
        ]

    def _count(self, name: str, value: Any, record: Record, hint: str) -> None:
        self._mismatches[name] += 1
        if name not in self._first_mismatch:
            first = f"the first was {_json_type(value)}, {self._place(record)}"
            self._first_mismatch[name] = f"{first}; {hint}" if hint else first

    def _count_rounded(self, name: str, record: Record) -> None:
        self._rounded[name] += 1
        if name not in self._first_rounded:
            self._first_rounded[name] = self._place(record)

    def _place(self, record: Record) -> str:
        return f"in the row with {', '.join(f'{part}={get(record)}' for part, get, _ in self._key)}"


def instant_reader(stream: Stream, path: JsonPath) -> Callable[[Record], datetime | None]:
    """A function that returns the instant at a path of a record, None if there is none.

    If a column with that path has a format or a timezone, it holds here too.
    """
    declared = (column for column in stream.fields.values() if column.type == "UTC_DATETIME" and path in column.path)
    convert = converter(next(declared, Field(path=(path,), type="UTC_DATETIME")))

    def instant_at(record: Record) -> datetime | None:
        value = path.get(record)
        try:
            instant: datetime | None = None if value is None else convert(value)
        except TypeMismatch:
            return None
        return instant

    return instant_at


def _key_of(paths: tuple[JsonPath, ...]) -> str | None:
    """The name, if the only path is a single name. Its lookup needs no call, which is most of what a column costs."""
    return paths[0].key if len(paths) == 1 else None


def _value_of(field: Field) -> Getter:
    if field.present is not None:
        present = field.present
        return lambda record: any(value is not None for value in values_at(present, record))
    if not field.path:
        return lambda record: field.value
    return first_of(field.path, is_json=field.type == "JSON")


def first_of(paths: tuple[JsonPath, ...], *, is_json: bool = False) -> Getter:
    """A function that returns the first value other than null at one of several paths.

    ``is_json``: whether all matches of a path are wanted, also of one that chooses.
    """
    getters = [path.one if path.chooses and not is_json else path.get for path in paths]
    if len(getters) == 1:
        return getters[0]

    def get(record: Any) -> Any:
        for getter in getters:
            value = getter(record)
            if value is not None:
                return value
        return None

    return get


_JSON_TYPES: Mapping[type, str] = {
    str: "a string",
    bool: "a boolean",
    int: "a number",
    float: "a number",
    dict: "an object",
    list: "an array",
}


def _json_type(value: Any) -> str:
    return _JSON_TYPES.get(type(value), "a number")
