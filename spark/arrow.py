"""Rows in Arrow: the columns of a stream, and for each row whether it is open."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from decimal import Decimal
from typing import Any, Final

import pyarrow as pa

from engine.parts import PartRow
from engine.rows.mapping import Row
from engine.spec.dialect import Field, Stream
from spark import OPEN_AT

_TYPES: Final[Mapping[str, pa.DataType]] = {
    "STRING": pa.string(),
    "XML": pa.string(),
    "JSON": pa.string(),
    "BOOLEAN": pa.bool_(),
    "SHORT": pa.int16(),
    "INT": pa.int32(),
    "LONG": pa.int64(),
    "FLOAT": pa.float32(),
    "DOUBLE": pa.float64(),
    "BINARY": pa.binary(),
    "NAIVE_DATE": pa.date32(),
    "NAIVE_DATETIME": pa.timestamp("us"),
    "UTC_DATETIME": pa.timestamp("us", "UTC"),
}


def arrow_schema(stream: Stream) -> pa.Schema:
    """The columns of a stream, and :data:`OPEN_AT`."""
    columns = [pa.field(name, _type(field)) for name, field in stream.fields.items()]
    return pa.schema([*columns, pa.field(OPEN_AT, _TYPES["UTC_DATETIME"])])


def record_batch(stream: Stream, rows: Sequence[PartRow]) -> pa.RecordBatch:
    """Rows of a part in these columns. JSON is text."""
    values = [{**_values(stream, row), OPEN_AT: open_at} for row, open_at in rows]
    return pa.RecordBatch.from_pylist(values, arrow_schema(stream))


def _type(field: Field) -> pa.DataType:
    return pa.decimal128(field.precision, field.scale) if field.type == "DECIMAL" else _TYPES[field.type]


def _values(stream: Stream, row: Row) -> dict[str, Any]:
    return {name: _value(stream.fields[name].type, value) for name, value in row.items() if value is not None}


def _value(kind: str, value: Any) -> Any:
    if kind == "JSON":
        return json.dumps(value, ensure_ascii=False)
    return Decimal(value) if kind == "DECIMAL" else value
