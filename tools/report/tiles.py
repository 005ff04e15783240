"""The figures at the top of the page: what somebody looks at first in the morning."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import timedelta

from engine.nouns import counted
from tools.report.answers.outcomes import failed_of
from tools.report.parts import Tile
from tools.report.warehouse import Warehouse
from tools.report.words import duration, share


def tiles(warehouse: Warehouse) -> Sequence[Tile]:
    """The figures, as of the last sync."""
    return [_failed(warehouse), _failing(warehouse), _stuck(warehouse), _late(warehouse), _took(warehouse)]


def _failed(warehouse: Warehouse) -> Tile:
    day = warehouse.until - timedelta(days=1)
    recent, all_runs = (
        failed_of(
            {
                row["outcome"]: row["runs"]
                for row in warehouse.rows(f"SELECT outcome, count(*) AS runs FROM runs WHERE {when} GROUP BY outcome")
            }
        )
        for when in (f"expected_start_time >= TIMESTAMP '{day}'", warehouse.within)
    )
    detail = f"{recent[0]:,} of {counted(recent[1], 'runs')}; {share(*all_runs)} in {warehouse.length} days"
    return Tile("failed in the last 24 hours", share(*recent), detail, recent[0] > 0, "outcomes")


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
