"""The figures at the top of the page: what somebody looks at first in the morning."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import timedelta

from engine.nouns import counted
from tools.report.answers.outcomes import failures
from tools.report.parts import Tile
from tools.report.warehouse import Warehouse
from tools.report.words import duration, share


def tiles(warehouse: Warehouse) -> Sequence[Tile]:
    """The figures, as of the last sync."""
    return [_failed(warehouse), _failing(warehouse), _stuck(warehouse), _late(warehouse), _took(warehouse)]


def _failed(warehouse: Warehouse) -> Tile:
    day_ago = warehouse.until - timedelta(days=1)
    day = failures(warehouse, f"expected_start_time >= TIMESTAMP '{day_ago}'")
    period = failures(warehouse, warehouse.within)
    detail = (
        f"{day['failed']:,} of {counted(day['ended'], 'runs')}; "
        f"{share(period['failed'], period['ended'])} in {counted(warehouse.length, 'days')}"
    )
    return Tile(
        "failed in the last 24 hours", share(day["failed"], day["ended"]), detail, day["failed"] > 0, "outcomes"
    )


def _failing(warehouse: Warehouse) -> Tile:
    if not warehouse.has("prefect__deployment_health"):
        return Tile("deployments failing", "–", "no deployments", False, "deployments")
    row = warehouse.row(
        "SELECT count(*) AS deployments, count(*) FILTER (health = 'failing') AS failing, "
        "count(*) FILTER (health = 'late') AS late FROM prefect__deployment_health"
    )
    detail = f"of {row['deployments']:,}; {row['late']:,} late"
    return Tile("deployments failing", f"{row['failing']:,}", detail, row["failing"] > 0, "deployments")


def _stuck(warehouse: Warehouse) -> Tile:
    row = warehouse.row("SELECT count(*) AS runs, max(stuck_seconds) AS longest FROM prefect__stuck_runs")
    detail = f"the longest for {duration(row['longest'])}" if row["runs"] else "no open run is overdue"
    return Tile("runs stuck", f"{row['runs']:,}", detail, row["runs"] > 0, "stuck")


def _late(warehouse: Warehouse) -> Tile:
    row = warehouse.row(
        "SELECT count(*) AS runs, count(*) FILTER (is_late) AS late, quantile_cont(lateness_seconds, 0.9) AS p90 "
        f"FROM runs WHERE {warehouse.within} AND lateness_seconds IS NOT NULL"
    )
    detail = f"p90 of lateness: {duration(row['p90'])}"
    return Tile("of runs start late", share(row["late"], row["runs"]), detail, False, "lateness")


def _took(warehouse: Warehouse) -> Tile:
    row = warehouse.row(
        "SELECT quantile_cont(duration_seconds, [0.5, 0.99]) AS p FROM runs "
        f"WHERE {warehouse.within} AND duration_seconds IS NOT NULL"
    )
    p50, p99 = row["p"] or (None, None)
    return Tile("median duration", duration(p50), f"p99: {duration(p99)}", False, "durations")
