"""A view over a history and the connector's table: each row once, in its latest version.

On the command line, it prints the statement that creates the view:

    python -m spark.view flow_runs --synced prefect.flow_runs --history history.flow_runs

Names are not quoted: warehouses disagree on how, and on upper and lower case.
"""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from pathlib import Path

from engine.spec.dialect import Stream
from engine.spec.load import load, with_columns
from spark import OPEN_AT


def view(stream: Stream, name: str, synced: str, history: str, *, text: str = "VARCHAR") -> str:
    """The statement that creates the view. Rows that are deleted on the server are in neither part of it.

    A row of the history counts if it was not open, and if the connector's table does not have it, or has an older
    version of it: one that only a later reading of the history has found.

    Args:
        stream: The stream.
        name: The view.
        synced: The connector's table.
        history: The history that was read in parts.
        text: The warehouse's type of strings, to which JSON is cast: the history has it as strings.
    """
    own = ",\n  ".join(
        f"CAST(s.{column} AS {text}) AS {column}" if field.type == "JSON" else f"s.{column}"
        for column, field in stream.fields.items()
    )
    past = ",\n  ".join(f"h.{column}" for column in stream.fields)
    key = " AND ".join(f"s.{column} = h.{column}" for column in stream.primary_key)
    cursor = stream.cursor_field
    is_later = f"COALESCE(h.{cursor} > s.{cursor}, FALSE)" if cursor is not None else "FALSE"
    return f"""\
CREATE OR REPLACE VIEW {name} AS
SELECT
  {own}
FROM {synced} AS s
WHERE NOT s._fivetran_deleted
  AND NOT EXISTS (SELECT 1 FROM {history} AS h WHERE {key} AND h.{OPEN_AT} IS NULL AND {is_later})
UNION ALL
SELECT
  {past}
FROM {history} AS h
WHERE h.{OPEN_AT} IS NULL
  AND NOT EXISTS (SELECT 1 FROM {synced} AS s WHERE {key} AND (s._fivetran_deleted OR NOT {is_later}));
"""


def main(arguments: Sequence[str] | None = None) -> None:
    """Run the command line."""
    parser = argparse.ArgumentParser(prog="python -m spark.view", description="Print the statement for the view.")
    parser.add_argument("stream")
    parser.add_argument("--synced", required=True, help="the connector's table")
    parser.add_argument("--history", required=True, help="the history: a table, or read_parquet('lake/flow_runs/*')")
    parser.add_argument("--name", help="the view; by default the stream's name and _with_history")
    parser.add_argument("--file", type=Path, default=Path("streams.yaml"))
    parser.add_argument("--partitions", action="store_true", help="the connection has partitions, such as workspaces")
    parser.add_argument("--text", default="VARCHAR", help="the type of strings: STRING on Databricks and BigQuery")
    given = parser.parse_args(arguments)
    spec = load(given.file)
    stream = spec.streams[given.stream]
    if given.partitions and spec.api.partitions is not None:
        stream = with_columns(stream, spec.api.partitions.fields)
    name = given.name or f"{given.stream}_with_history"
    print(view(stream, name, given.synced, given.history, text=given.text), end="")


if __name__ == "__main__":
    main()
