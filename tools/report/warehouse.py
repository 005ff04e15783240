"""The models of dbt/ in a DuckDB file, over the period of a page."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta, timezone
from functools import cached_property
from pathlib import Path
from typing import Any, Final, Literal

import duckdb

from tools.report.words import in_days

Grain = Literal["day", "week", "month"]

SCHEMA: Final = "analytics_prefect"
"""The schema of the models: that of dbt/profiles.yml, and the suffix of dbt/dbt_project.yml."""

_ENHANCED: Final = "prefect__flow_runs_enhanced"
_COLUMNS: Final = 35  # periods that a chart has room for
# Names of several connections or workspaces begin with the schema, or the start of the workspace's id.
_ORIGIN: Final = "regexp_replace(regexp_extract(relation, '[^./]+$'), '(-[0-9a-f]+){4}$', '') || ': '"
_NAMES: Final = """
CREATE OR REPLACE TEMP MACRO origin(relation) AS {origin};
CREATE OR REPLACE TEMP MACRO label_of(relation, flow, deployment) AS
    origin(relation) || coalesce(flow, '(deleted flow)') || coalesce(' / ' || deployment, '')
"""
_RUNS: Final = """
CREATE OR REPLACE TEMP VIEW runs AS
SELECT *,
    label_of(source_relation, flow_name, deployment_name) AS label,
    CASE WHEN is_final THEN lower(state_type) ELSE 'open' END AS outcome,
    CAST(date_trunc('{grain}', expected_start_time) AS DATE) AS period
FROM {schema}.prefect__flow_runs_enhanced
WHERE expected_start_time <= TIMESTAMP '{until}'
"""


class NoModels(RuntimeError):
    """The file does not have the models of dbt/."""


@dataclass(frozen=True)
class Warehouse:
    """A DuckDB file with the models. Instants are in UTC, without an offset.

    Attributes:
        connection: Reads the file.
        days: The days that the period has at least, with that of the last sync.
        schema: The schema of the models.
    """

    connection: duckdb.DuckDBPyConnection
    days: int
    schema: str

    def rows(self, sql: str) -> list[dict[str, Any]]:
        """The rows of a query.

        In it, `runs` are all runs that were due by the last sync, and `label_of(source_relation, flow_name,
        deployment_name)` is what runs are counted under.
        """
        result = self.connection.execute(sql)
        names = [column[0] for column in result.description or []]
        return [dict(zip(names, row, strict=True)) for row in result.fetchall()]

    def row(self, sql: str) -> dict[str, Any]:
        """The one row of a query."""
        (row,) = self.rows(sql)
        return row

    def has(self, model: str) -> bool:
        """Whether the model has rows; it has none if the connector does not sync what it is made of."""
        known = self.connection.execute(
            "SELECT 1 FROM information_schema.tables WHERE table_schema = ? AND table_name = ?", [self.schema, model]
        ).fetchone()
        return known is not None and bool(self.rows(f"SELECT 1 FROM {model} LIMIT 1"))

    @cached_property
    def until(self) -> datetime:
        """When the last sync wrote a run, to the second; now if none did."""
        synced = self.row(f"SELECT max(_fivetran_synced) AS at FROM {_ENHANCED}")["at"]
        return (synced or datetime.now(timezone.utc).replace(tzinfo=None)).replace(microsecond=0)

    @cached_property
    def since(self) -> datetime:
        """The start of the period: a midnight, at which the first column of a chart begins."""
        return datetime.combine(first_day(self.until.date(), self.days), time.min)

    @property
    def length(self) -> int:
        """The days of the period."""
        return (self.until.date() - self.since.date()).days + 1

    @property
    def recently(self) -> datetime:
        """The start of the last quarter of the period, with which the rest is compared."""
        return self.until - timedelta(days=self.length / 4)

    @property
    def recent_days(self) -> str:
        """How people call the time since then."""
        return f"the last {in_days(max(1, round(self.length / 4)))}"

    @property
    def grain(self) -> Grain:
        """What a chart over time has a place for."""
        return _grain(self.days)

    @property
    def within(self) -> str:
        """The condition of SQL that a run was due in the period."""
        return f"expected_start_time >= TIMESTAMP '{self.since}'"

    @cached_property
    def periods(self) -> list[str]:
        """The days, weeks (from Monday) or months of the period, by their first days, as ISO dates."""
        days = (self.since.date() + timedelta(days=number) for number in range(self.length))
        return list(dict.fromkeys(str(_start(day, self.grain)) for day in days))


def first_day(last: date, days: int) -> date:
    """The first day of a period of so many days, or of the week or month in which that is if charts show those."""
    return _start(last - timedelta(days=days - 1), _grain(days))


def _grain(days: int) -> Grain:
    return "day" if days <= _COLUMNS else "week" if days <= 7 * _COLUMNS else "month"


def _start(day: date, grain: Grain) -> date:
    if grain == "week":
        return day - timedelta(days=day.weekday())
    return day.replace(day=1) if grain == "month" else day


@contextmanager
def opened(path: Path, days: int) -> Iterator[Warehouse]:
    """Open a file that has the models.

    Raises:
        NoModels: it does not.
        duckdb.Error: it is not a DuckDB file, or another process writes to it.
    """
    with duckdb.connect(str(path), read_only=True) as connection:
        yield of(connection, days)


def of(connection: duckdb.DuckDBPyConnection, days: int) -> Warehouse:
    """The models that a connection reads.

    Raises:
        NoModels: there are none.
    """
    found = connection.execute(
        "SELECT table_schema FROM information_schema.tables WHERE table_name = ? ORDER BY table_schema <> ?",
        [_ENHANCED, SCHEMA],
    ).fetchone()
    if found is None:
        raise NoModels(f"there is no {_ENHANCED} in the warehouse; leave out --no-build")
    schema = '"{}"'.format(found[0].replace('"', '""'))
    connection.execute(f"SET schema = {schema}")
    warehouse = Warehouse(connection, days, found[0])
    several = warehouse.row(f"SELECT count(DISTINCT source_relation) > 1 AS several FROM {_ENHANCED}")["several"]
    connection.execute(_NAMES.format(origin=_ORIGIN if several else "''"))
    connection.execute(_RUNS.format(grain=warehouse.grain, schema=schema, until=warehouse.until))
    return warehouse
