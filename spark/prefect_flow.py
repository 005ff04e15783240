"""The same backfill without a JVM: a Prefect flow that reads the parts of a stream, several at once.

On the command line, with the settings in the environment:

    export REST_STREAMS_API_URL=... REST_STREAMS_API_KEY=...
    python -m spark.prefect_flow flow_runs lake/flow_runs state.json
"""

from __future__ import annotations

import json
import sys
from datetime import datetime, timedelta
from pathlib import Path

from prefect import flow, task
from pyarrow.parquet import ParquetWriter

from engine.parts import Part, hand_over, plan, read
from spark.arrow import arrow_schema, record_batch
from spark.settings import StandardLog, resolved

STREAMS = Path("streams.yaml")


@task(retries=3)
def read_part(part: Part, to: Path) -> list[datetime]:
    """Write a part to a file of its own, which a retry replaces; returns where its open rows lie."""
    connected = resolved(STREAMS, {})
    stream, open_at = connected.spec.streams[part.stream], []
    with ParquetWriter(to, arrow_schema(stream)) as file:
        for rows in read(connected, part, StandardLog(), share=1 / 4):
            file.write_batch(record_batch(stream, rows))
            open_at += [at for _, at in rows if at is not None]
    return open_at


@flow
def backfill(name: str, folder: Path, state: Path) -> None:
    """Write the history of a stream to Parquet, and the state with which the connector goes on."""
    connected = resolved(STREAMS, {})
    made = plan(connected, name, StandardLog(), recent=timedelta(hours=24))
    hand_over(connected, made, ())  # fails before anything is read
    folder.mkdir(parents=True)
    files = [folder / f"{number:05}.parquet" for number in range(len(made.parts))]
    open_at = [at for found in read_part.map(made.parts, files).result() for at in found]
    state.write_text(json.dumps(hand_over(connected, made, open_at)))


if __name__ == "__main__":
    backfill(sys.argv[1], Path(sys.argv[2]), Path(sys.argv[3]))
