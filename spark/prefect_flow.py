"""The same backfill without a JVM: a Prefect flow that reads the parts of a stream, several at once.

On the command line, with the settings in the environment:

    export REST_STREAMS_API_URL=... REST_STREAMS_API_KEY=...
    python -m spark.prefect_flow flow_runs lake/flow_runs state.json
"""

from __future__ import annotations

import json
import sys
from datetime import timedelta
from pathlib import Path

from prefect import flow, task
from pyarrow.parquet import ParquetWriter

from engine.parts import Part, PartRow, hand_over, plan, read
from spark.arrow import arrow_schema, record_batch
from spark.settings import StandardLog, resolved

STREAMS = Path("streams.yaml")


@task(retries=3)
def read_part(part: Part, to: Path) -> list[PartRow]:
    """Write a part to a file of its own, which a retry replaces; returns its open rows."""
    connected = resolved(STREAMS, {})
    table, opened = connected.table_of(connected.spec.streams[part.stream]), []
    with ParquetWriter(to, arrow_schema(table)) as file:
        for rows in read(connected, part, StandardLog(), share=1 / 4):
            file.write_batch(record_batch(table, rows))
            opened += [row for row in rows if row.open_at is not None]
    return opened


@flow
def backfill(name: str, folder: Path, state: Path) -> None:
    """Write the history of a stream to Parquet, and update the state with which the connector goes on."""
    connected, before = resolved(STREAMS, {}), json.loads(state.read_text()) if state.exists() else {}
    made = plan(connected, name, StandardLog(), recent=timedelta(hours=24))
    hand_over(connected, made, (), before)  # fails before anything is read
    folder.mkdir(parents=True)
    files = [folder / f"{number:05}.parquet" for number in range(len(made.parts))]
    opened = [row for rows in read_part.map(made.parts, files).result() for row in rows]
    state.write_text(json.dumps(hand_over(connected, made, opened, before)))


if __name__ == "__main__":
    backfill(sys.argv[1], Path(sys.argv[2]), Path(sys.argv[3]))
