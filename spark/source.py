"""Streams of a streams.yaml as a Spark data source. Its partitions are the parts of the stream's list.

An example, in Python:

    spark.dataSource.register(RestStreams)
    runs = spark.read.format("rest-streams").option("stream", "flow_runs").option("api_url", URL).load()

Options, besides the settings of streams.yaml that are not secret:

- ``stream``: the stream, required.
- ``file``: where streams.yaml is on every machine, or its name if `--files` brings it there. Default: streams.yaml.
- ``rows``: about how many rows a partition has at most, 100000 by default.
- ``share``: the share of the API's rate limit that each reader takes, 1 by default.
- ``parts``: the parts, as :func:`parts_option` writes them. Without it, they are planned.

A secret such as `api_key` comes from the environment of the driver and the executors: `REST_STREAMS_API_KEY`.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, Final

import pyarrow as pa
from pyspark import SparkFiles
from pyspark.sql import types
from pyspark.sql.datasource import DataSource, DataSourceReader, InputPartition

from engine.parts import Part, plan, read
from engine.spec.dialect import Field
from engine.spec.load import ResolvedSpec
from engine.spec.partitions import Partition
from spark import OPEN_AT
from spark.arrow import record_batch
from spark.settings import StandardLog, resolved

FORMAT: Final = "rest-streams"
_OWN: Final = frozenset({"stream", "file", "rows", "share", "parts"})
_TYPES: Final[Mapping[str, types.DataType]] = {
    "STRING": types.StringType(),
    "XML": types.StringType(),
    "JSON": types.StringType(),
    "BOOLEAN": types.BooleanType(),
    "SHORT": types.ShortType(),
    "INT": types.IntegerType(),
    "LONG": types.LongType(),
    "FLOAT": types.FloatType(),
    "DOUBLE": types.DoubleType(),
    "BINARY": types.BinaryType(),
    "NAIVE_DATE": types.DateType(),
    "NAIVE_DATETIME": types.TimestampNTZType(),
    "UTC_DATETIME": types.TimestampType(),
}


class RestStreams(DataSource):
    """The data source ``rest-streams``."""

    @classmethod
    def name(cls) -> str:
        """What `spark.read.format` calls it."""
        return FORMAT

    def schema(self) -> types.StructType:
        """The columns of the stream with their descriptions as comments, and whether a row is open."""
        found = connected(self.options)
        table = found.table_of(found.spec.streams[self.options["stream"]])
        columns = [_column(name, field) for name, field in table.fields.items()]
        about = {"comment": "Set if the row can still change: the timestamp at which the connector reads it again."}
        return types.StructType([*columns, types.StructField(OPEN_AT, types.TimestampType(), True, about)])

    def reader(self, schema: types.StructType) -> DataSourceReader:
        """A reader of the whole stream. It pickles, and holds no secret."""
        return PartReader(dict(self.options))


class PartReader(DataSourceReader):
    """Reads the parts of a stream. On each machine, it resolves the settings and connects on its own."""

    def __init__(self, options: Mapping[str, str]) -> None:
        self.options = options

    def partitions(self) -> Sequence[InputPartition]:
        """The parts: those in the options, or those that are planned now."""
        name, given = self.options["stream"], self.options.get("parts")
        if given is not None:
            return [InputPartition(_part(name, *one)) for one in json.loads(given)]
        rows = int(self.options.get("rows", 100_000))
        return [InputPartition(part) for part in plan(connected(self.options), name, StandardLog(), rows=rows).parts]

    def read(self, partition: InputPartition) -> Iterator[pa.RecordBatch]:
        """The rows of a part, a batch for each page."""
        found, part = connected(self.options), partition.value
        table = found.table_of(found.spec.streams[part.stream])
        for rows in read(found, part, StandardLog(), share=float(self.options.get("share", 1))):
            yield record_batch(table, rows)


def parts_option(parts: Iterable[Part]) -> str:
    """Parts as the value of an option."""
    return json.dumps([(part.position, part.partition and vars(part.partition)) for part in parts])


def _part(stream: str, position: str | None, partition: Mapping[str, Any] | None) -> Part:
    return Part(stream, position, Partition(**partition) if partition is not None else None)


def connected(options: Mapping[str, str]) -> ResolvedSpec:
    """The streams.yaml and the settings that the options and the environment name."""
    path = Path(options.get("file", "streams.yaml"))
    if not path.exists():
        path = Path(SparkFiles.get(path.name))
    return resolved(path, {name: value for name, value in options.items() if name not in _OWN})


def _column(name: str, field: Field) -> types.StructField:
    kind = _TYPES.get(field.type) or types.DecimalType(field.precision or 0, field.scale or 0)
    about: dict[str, Any] = {"comment": field.description} if field.description else {}
    return types.StructField(name, kind, True, about)
