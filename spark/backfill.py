"""A first sync by Spark: writes the history of a stream, and the state with which the connector goes on.

On the command line, with the secrets in the environment:

    spark-submit --py-files rest_streams.zip spark/backfill.py --stream flow_runs --to lake/flow_runs --state state.json

docs/scale.md has the whole procedure.
"""

from __future__ import annotations

import argparse
import json
import re
from collections.abc import Iterator, Mapping
from datetime import timedelta
from pathlib import Path
from typing import Any

from pyspark.sql import DataFrame, SparkSession, functions

from engine.declare.values import DURATION, duration
from engine.instants import EPOCH
from engine.parts import PartRow, Plan, hand_over, plan
from engine.spec.load import ResolvedSpec
from spark import OPEN_AT
from spark.settings import StandardLog
from spark.source import FORMAT, RestStreams, connected, parts_option


def backfill(
    spark: SparkSession,
    options: Mapping[str, str],
    to: str,
    state: Mapping[str, Any] | None,
    *,
    rows: int = 100_000,
    recent: timedelta = timedelta(hours=24),
    table_format: str = "parquet",
) -> tuple[Plan, dict[str, Any] | None]:
    """Read a stream in parts, write it, and return the plan and the state of the connection after it.

    Args:
        spark: The session.
        options: Those of the data source.
        to: A path for Parquet; otherwise a table. What is there is replaced.
        state: The connection's state so far; None to leave it as it is.
        rows: About how many rows a part has at most.
        recent: Leaves the rows dated less than this ago, and later, to the connector.
        table_format: parquet, iceberg or delta. Spark needs the catalog of the latter two.

    Raises:
        Failure: the stream cannot be handed over to the connector. Nothing is read then.
    """
    found = connected(options)
    made = plan(found, options["stream"], StandardLog(), rows=rows, recent=recent)
    if state is not None:
        hand_over(found, made, (), state)  # fails before anything is read
    share = 1 / max(1, min(len(made.parts), spark.sparkContext.defaultParallelism))
    spark.dataSource.register(RestStreams)
    frame = spark.read.format(FORMAT).options(**options, parts=parts_option(made.parts), share=str(share)).load()
    table = found.table_of(found.spec.streams[made.stream])
    if table.windows is not None:  # parts overlap by a second
        frame = frame.dropDuplicates(list(table.primary_key))
    written = _write(spark, frame, to, table_format)
    if state is None:
        return made, None
    return made, hand_over(found, made, _opened(written, found), state)


def _write(spark: SparkSession, frame: DataFrame, to: str, table_format: str) -> DataFrame:
    """Write a frame, which reads the API once; returns what was written."""
    if table_format != "parquet":
        frame.writeTo(to).using(table_format).createOrReplace()
        return spark.table(to)
    # Spark's default, INT96, loses the time zone, and no other writer of Iceberg accepts it.
    spark.conf.set("spark.sql.parquet.outputTimestampType", "TIMESTAMP_MICROS")
    frame.write.mode("overwrite").parquet(to)
    return spark.read.parquet(to)


def _opened(written: DataFrame, found: ResolvedSpec) -> Iterator[PartRow]:
    """The open rows, with the columns of their partition. Instants as numbers do not depend on the session's zone."""
    columns = list(found.partitions.columns) if found.partitions is not None else []
    rows = written.where(functions.col(OPEN_AT).isNotNull()).select(*columns, functions.unix_micros(OPEN_AT)).distinct()
    for *values, micros in rows.collect():
        yield PartRow(dict(zip(columns, values, strict=True)), EPOCH + timedelta(microseconds=micros))


def _span(text: str) -> timedelta:
    if re.fullmatch(DURATION, text) is None:
        raise argparse.ArgumentTypeError("expected a duration, such as 24h or 7d")
    return duration(text)


def _setting(text: str) -> tuple[str, str]:
    name, _, value = text.partition("=")
    return name, value


def parser() -> argparse.ArgumentParser:
    """The command line."""
    found = argparse.ArgumentParser(description="Write the history of a stream, and the state for the connector.")
    found.add_argument("--stream", required=True)
    found.add_argument("--to", required=True, help="a folder for Parquet, otherwise a table; it is replaced")
    found.add_argument("--state", type=Path, help="the connection's state, which is updated; without, only the history")
    found.add_argument("--file", default="streams.yaml", help="where streams.yaml is on every machine")
    found.add_argument("--format", default="parquet", choices=("parquet", "iceberg", "delta"))
    found.add_argument("--rows", type=int, default=100_000, help="about how many rows a part has at most")
    found.add_argument("--recent", type=_span, default=timedelta(hours=24), help="what is left to the connector: 24h")
    found.add_argument("--set", dest="settings", type=_setting, action="append", default=[], metavar="NAME=VALUE")
    return found


def main() -> None:
    """Run the command line."""
    given = parser().parse_args()
    before = None
    if given.state is not None:
        before = json.loads(given.state.read_text("utf-8")) if given.state.exists() else {}
    options = {"stream": given.stream, "file": given.file, **dict(given.settings)}
    spark = SparkSession.builder.appName(f"backfill of {given.stream}").getOrCreate()
    made, after = backfill(
        spark, options, given.to, before, rows=given.rows, recent=given.recent, table_format=given.format
    )
    if given.state is not None:
        given.state.write_text(json.dumps(after), "utf-8")
    print(f"{given.stream}: {len(made.parts)} parts, up to {made.until}; the rows are in {given.to}")
    spark.stop()


if __name__ == "__main__":
    main()
