"""What a destination must hold: the server's records, mapped as streams.yaml declares, without the engine's code.

Rows of all destinations are compared in one form: instants as microseconds since 1970, JSON decoded.
"""

from __future__ import annotations

import json
from collections.abc import Collection, Iterable, Iterator, Mapping
from datetime import datetime, timedelta, timezone
from functools import cache
from typing import Any

from jsonpath_ng.parser import JsonPathParser

from tests.fivetran.project import UserProject
from tests.shop import Recorder
from tests.specs import SHIPPED, parsed

PARSER = JsonPathParser()

EPOCH = datetime(1970, 1, 1, tzinfo=timezone.utc)
DUCKDB_TYPES = {
    "STRING": "VARCHAR",
    "JSON": "JSON",
    "UTC_DATETIME": "TIMESTAMP WITH TIME ZONE",
    "DOUBLE": "DOUBLE",
    "INT": "INTEGER",
    "BOOLEAN": "BOOLEAN",
}

Row = Mapping[str, Any]
Rows = Mapping[str, Row]
"""Rows by key, each with its columns and ``_fivetran_deleted``."""


@cache
def _streams() -> dict[str, Any]:
    streams: dict[str, Any] = parsed(SHIPPED.read_text("utf-8"))["streams"]
    return streams


def key_of(table: str) -> str:
    """The primary key column of a table. The API's property has the same name."""
    key: str = _streams()[table]["primary_key"]
    return key


@cache
def columns(table: str) -> dict[str, tuple[str, tuple[Any, ...]]]:
    """The type and JSONPaths of each column that is not volatile. A parent's record is in the property ``parent``."""
    found = {}
    for name, declared in _streams()[table]["fields"].items():
        field = {"path": declared} if isinstance(declared, str) else declared
        paths = field["path"] if isinstance(field["path"], list) else [field["path"]]
        if not field.get("volatile"):  # differs between two responses
            found[name] = (
                field.get("type", "STRING"),
                tuple(PARSER.parse(path.replace("$parent", "$.parent")) for path in paths),
            )
    return found


def expected(table: str, record: Mapping[str, Any]) -> dict[str, Any]:
    """The row that a record must become, without ``_fivetran_deleted``."""
    row = {}
    for name, (kind, paths) in columns(table).items():
        values = (match.value for path in paths for match in path.find(record) if match.value is not None)
        value = next(values, None)
        if value is not None and kind == "UTC_DATETIME":
            value = microseconds(datetime.fromisoformat(value.replace("Z", "+00:00")))
        row[name] = value
    return row


def microseconds(instant: datetime) -> int:
    """An instant as microseconds since 1970."""
    return (instant - EPOCH) // timedelta(microseconds=1)


def in_duckdb(project: UserProject, table: str) -> Rows:
    """The rows of a table that `fivetran debug` wrote. Their types are checked."""
    kinds = {name: kind for name, (kind, _) in columns(table).items()}
    types = project.types(table)
    assert {name: types[name] for name in kinds} == {name: DUCKDB_TYPES[kind] for name, kind in kinds.items()}
    selected = [
        f'epoch_us("{name}")' if kind == "UTC_DATETIME" else f'"{name}"::VARCHAR' if kind == "JSON" else f'"{name}"'
        for name, kind in kinds.items()
    ]
    rows = {}
    for *values, deleted in project.query(f"SELECT {', '.join(selected)}, _fivetran_deleted FROM {table}"):
        row = {
            name: json.loads(value) if kinds[name] == "JSON" and value is not None else value
            for name, value in zip(kinds, values, strict=True)
        }
        rows[row[key_of(table)]] = {**row, "_fivetran_deleted": deleted}
    return rows


def in_recorder(recorder: Recorder, table: str) -> Rows:
    """The rows of a table in a recorder."""
    return {
        key: {
            "_fivetran_deleted" if name == "deleted" else name: microseconds(value)
            if isinstance(value, datetime)
            else value
            for name, value in row.items()
        }
        for key, row in recorder.tables.get(table, {}).items()
    }


def differences(
    table: str, rows: Rows, records: Iterable[Mapping[str, Any]], ignored: Collection[str] = ()
) -> list[str]:
    """How rows differ from the server's records, one line for each value. ``ignored``: keys of rows to leave out.

    Rows that the server does not have are not compared.
    """
    key = key_of(table)
    return [line for record in records if record[key] not in ignored for line in _differences(table, rows, record)]


def _differences(table: str, rows: Rows, record: Mapping[str, Any]) -> Iterator[str]:
    key = record[key_of(table)]
    row, want = rows.get(key), expected(table, record)
    if row is None:
        yield f"{table} {key}: is missing"
    elif row["_fivetran_deleted"]:
        yield f"{table} {key}: is deleted"
    else:
        for name, value in want.items():
            if row[name] != value or type(row[name]) is not type(value):
                yield f"{table} {key}: {name} is {row[name]!r}, expected {value!r}"
