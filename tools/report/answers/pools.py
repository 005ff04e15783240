"""How busy the work pools are."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final

from engine.nouns import counted
from tools.report.parts import Answer, Chart, Row, Table, numbers
from tools.report.warehouse import Warehouse
from tools.report.words import cell, name, on, share, total

_MOST: Final = 12
_LOADS: Final = """
SELECT origin(source_relation) || coalesce(work_pool_name, '(deleted pool)') AS pool,
    CAST(date_trunc('{grain}', date_day) AS DATE) AS period, date_day,
    peak_running_runs AS peak, concurrency_limit AS most, started_runs AS started, late_runs AS late, run_seconds
FROM prefect__work_pool_load WHERE date_day >= DATE '{since}' AND date_day <= DATE '{until}'
ORDER BY pool, date_day
"""


def answer(warehouse: Warehouse) -> Answer:
    """The load of each work pool by day, against its limit."""
    loads = _loads(warehouse) if warehouse.has("prefect__work_pool_load") else []
    pools = _pools(loads)
    return Answer(
        name="pools",
        title="How busy the work pools are",
        finding=_finding(pools),
        note="Peak: the most runs that a pool ran at a time. Full: the peak reached the pool's concurrency limit.",
        model="prefect__work_pool_load",
        charts=[_chart(warehouse, loads, pools)] if loads else [],
        table=_table(pools) if pools else None,
    )


def _loads(warehouse: Warehouse) -> list[dict[str, Any]]:
    bounds = {"since": warehouse.since.date(), "until": warehouse.until.date()}
    return warehouse.rows(_LOADS.format(grain=warehouse.grain, **bounds))


def _pools(loads: Sequence[Row]) -> list[dict[str, Any]]:
    """The days of each pool put together, the busiest first."""
    pools: dict[str, dict[str, Any]] = {}
    for row in loads:
        pool = pools.setdefault(
            row["pool"], {"pool": row["pool"], "most": row["most"], "days": 0, "full": 0, "peak": 0}
        )
        pool["days"] += 1
        pool["full"] += row["most"] is not None and row["peak"] >= row["most"]
        pool["peak"] = max(pool["peak"], row["peak"])
        for column in ("started", "late", "run_seconds"):
            pool[column] = pool.get(column, 0) + row[column]
    return sorted(pools.values(), key=lambda pool: (-pool["full"], -pool["run_seconds"], pool["pool"]))


def _finding(pools: Sequence[Row]) -> str:
    if not pools:
        return "No run used a work pool in this period."
    first = pools[0]
    if first["full"]:
        full = f"{counted(first['full'], 'days')} of {first['days']:,}"
        return f"{name(first['pool'])} reached its limit of {counted(first['most'], 'runs')} at a time on {full}."
    first = max(pools, key=lambda pool: pool["peak"])
    limited = any(pool["most"] is not None for pool in pools)
    text = "No work pool reached its limit." if limited else "No work pool has a limit."
    return f"{text} The highest peak was {counted(first['peak'], 'runs')} at a time, in {name(first['pool'])}."


def _chart(warehouse: Warehouse, loads: Sequence[Row], pools: Sequence[Row]) -> Chart:
    shown = [pool["pool"] for pool in pools[:_MOST]]
    peaks: dict[tuple[str, str], Row] = {}
    for row in loads:
        key = row["pool"], str(row["period"])
        if key not in peaks or row["peak"] > peaks[key]["peak"]:
            peaks[key] = row
    top = max(row["peak"] for row in loads)
    rows: list[dict[str, Any]] = []
    for pool in shown:
        for (of, period), row in peaks.items():
            if of == pool:
                filled = row["peak"] / (row["most"] or top or 1)
                load = 3 if filled >= 1 else 2 if filled >= 0.75 else 1 if filled >= 0.5 else 0
                tip = f"{name(pool)}, {on(period, warehouse.grain)}: at most {counted(row['peak'], 'runs')} at a time"
                rows.append({"name": name(pool), "at": period, "color": f"load-{load}", "tip": tip})
    return Chart(
        kind="cells",
        title="Peak of running runs, as a share of the limit or of the highest peak",
        alt=f"A grid with a line for each work pool and a column for each {warehouse.grain}; the darker, the fuller.",
        rows=rows,
        periods=warehouse.periods,
        legend={"below half": "load-0", "below 75%": "load-1", "below 100%": "load-2", "full": "load-3"},
    )


def _table(pools: Sequence[Row]) -> Table:
    rows = [
        [
            name(pool["pool"]),
            cell(pool["most"]),
            cell(pool["peak"]),
            f"{pool['full']:,} of {pool['days']:,}",
            cell(pool["started"]),
            share(pool["late"], pool["started"]),
            total(pool["run_seconds"]),
        ]
        for pool in pools[:_MOST]
    ]
    columns = ["work pool", *numbers("limit", "peak", "days full", "runs", "started late", "time running")]
    return Table(columns, rows, more=len(pools) - _MOST)
