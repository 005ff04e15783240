"""A warehouse in DuckDB, and the same in PostgreSQL, with the types that Fivetran gives its columns there."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path
from typing import Any, Final

import duckdb

_TYPES: Final = {"TIMESTAMP WITH TIME ZONE": "timestamptz", "JSON": "jsonb", "VARCHAR": "text", "DOUBLE": "float8"}
"""Types of DuckDB and of PostgreSQL, where they differ."""


def copy_to_postgres(warehouse: Path, schema: str, database: str, folder: Path) -> None:
    """Copy the tables of a schema of a DuckDB file into a schema ``prefect`` of a database, by way of a folder."""
    with duckdb.connect(str(warehouse), read_only=True) as source:
        columns = source.execute(
            "SELECT table_name, column_name, data_type FROM information_schema.columns WHERE table_schema = ? "
            "ORDER BY table_name, ordinal_position",
            [schema],
        ).fetchall()
        script = ["CREATE SCHEMA prefect;"]
        for table in dict.fromkeys(table for table, _, _ in columns):
            types = ", ".join(f'"{name}" {_TYPES.get(kind, kind)}' for of, name, kind in columns if of == table)
            file = folder / f"{table}.csv"
            source.execute(f"COPY {schema}.{table} TO '{file}' (HEADER false)")
            script += [f"CREATE TABLE prefect.{table} ({types});", f"\\copy prefect.{table} FROM '{file}' (FORMAT csv)"]
    psql = ["psql", "-X", "-q", "-v", "ON_ERROR_STOP=1", database]
    subprocess.run(psql, input="\n".join([*script, "ANALYZE;"]), text=True, check=True, timeout=300)


def query_duckdb(warehouse: Path, sql: str) -> list[dict[str, Any]]:
    """The rows of a query, each by column."""
    with duckdb.connect(str(warehouse), read_only=True) as connection:
        result = connection.execute(sql)
        names = [column[0] for column in result.description or []]
        return [dict(zip(names, row, strict=True)) for row in result.fetchall()]


def query_postgres(database: str, sql: str) -> list[dict[str, Any]]:
    """The rows of a query, each by column."""
    command = [
        "psql",
        "-X",
        "-A",
        "-t",
        "-c",
        f"SELECT coalesce(json_agg(answer), '[]') FROM ({sql}) AS answer",
        database,
    ]
    done = subprocess.run(command, capture_output=True, text=True, check=True, timeout=300)
    rows: list[dict[str, Any]] = json.loads(done.stdout)
    return rows
