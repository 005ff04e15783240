"""Flows with tasks, retries, failures and schedules. Runs in Prefect 3's environment.

The flows are async because Prefect spends a second at the end of every synchronous run, to join its heartbeat thread.
"""

from __future__ import annotations

import asyncio
import sys
from typing import Any

from prefect import flow, task
from prefect.schedules import Cron


@task
def extract(region: str) -> list[int]:
    """Return the rows of a region."""
    return list(range(len(region)))


@task(retries=2, retry_delay_seconds=0.2)
def load(rows: list[int], attempts: list[int]) -> int:
    """Fail at the first attempt, as warehouses do."""
    attempts.append(len(rows))
    if len(attempts) == 1:
        raise ConnectionError("the warehouse closed the connection")
    return len(rows)


@flow(log_prints=False)
async def load_orders(region: str = "eu", options: dict[str, Any] | None = None) -> int:
    """Run two tasks; the second needs a retry."""
    return load(extract(region), [])


@flow(retries=1, retry_delay_seconds=0.2)
async def refresh_prices(attempts: int = 1) -> str:
    """Fail at the first attempt, and succeed at the second."""
    from prefect.runtime import flow_run

    if attempts and flow_run.run_count == 1:
        raise TimeoutError("the price service timed out")
    return "fresh"


@flow
async def send_report(to: str = "team@example.com") -> None:
    """Fail."""
    raise ValueError(f"no report for {to}")


def deploy() -> None:
    """Make two deployments with schedules."""
    load_orders.to_deployment(name="hourly", schedules=[Cron("0 * * * *")], tags=["demo"]).apply()
    send_report.to_deployment(name="weekly", schedules=[Cron("0 8 * * 1")], tags=["demo"]).apply()


async def first_day() -> None:
    """Make six runs."""
    for region in ("eu", "us", "日本"):
        await load_orders(region, {"full": region == "eu", "limits": [1, None]})
    await refresh_prices()
    for _ in range(2):
        await send_report(return_state=True)


async def second_day() -> None:
    """Make one more run."""
    await load_orders("eu")


if __name__ == "__main__":
    if sys.argv[1] == "first":
        deploy()
        asyncio.run(first_day())
    else:
        asyncio.run(second_day())
