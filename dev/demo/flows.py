"""Flows with tasks, a retry, a failure and a scheduled deployment. Runs with Prefect 3's own interpreter."""

from __future__ import annotations

import sys
from typing import Any

from prefect import flow, task
from prefect.schedules import Cron


@task
def extract(region: str) -> list[int]:
    """Rows of one region."""
    return list(range(len(region)))


@task(retries=2, retry_delay_seconds=0.2)
def load(rows: list[int], attempts: list[int]) -> int:
    """Fails the first time, as destinations do."""
    attempts.append(len(rows))
    if len(attempts) == 1:
        raise ConnectionError("the warehouse hung up")
    return len(rows)


@flow(log_prints=False)
def load_orders(region: str = "eu", options: dict[str, Any] | None = None) -> int:
    """Two tasks, the second of which needs a second attempt."""
    return load(extract(region), [])


@flow(retries=1, retry_delay_seconds=0.2)
def refresh_prices(attempts: int = 1) -> str:
    """Succeeds when it is tried again."""
    from prefect.runtime import flow_run

    if attempts and flow_run.run_count == 1:
        raise TimeoutError("the price service did not answer")
    return "fresh"


@flow
def send_report(to: str = "team@example.com") -> None:
    """Fails."""
    raise ValueError(f"no report for {to}")


def first_day() -> None:
    """Six runs and a deployment that is to run every hour."""
    load_orders.to_deployment(name="hourly", schedules=[Cron("0 * * * *")], tags=["demo"]).apply()
    send_report.to_deployment(name="weekly", schedules=[Cron("0 8 * * 1")], tags=["demo"]).apply()
    for region in ("eu", "us", "日本"):
        load_orders(region, {"full": region == "eu", "limits": [1, None]})
    refresh_prices()
    for _ in range(2):
        send_report(return_state=True)


def second_day() -> None:
    """One more run."""
    load_orders("eu")


if __name__ == "__main__":
    {"first": first_day, "second": second_day}[sys.argv[1]]()
