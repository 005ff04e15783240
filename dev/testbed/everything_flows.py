"""Flows with tasks, a subflow, a retry, logs and, from 2.10 on, artifacts. Runs in the environment of any Prefect.

The flows are async because Prefect 3 spends a second at the end of every synchronous run, to join its heartbeat thread,
and the tasks because Prefect 2.7 waits forever for a synchronous one.
"""

from __future__ import annotations

import asyncio
from contextlib import suppress

from prefect import flow, get_run_logger, task

create_markdown_artifact = create_table_artifact = None
with suppress(ImportError):  # since Prefect 2.10
    from prefect.artifacts import create_markdown_artifact, create_table_artifact


@task(tags=["api"])
async def extract(n: int) -> list[int]:
    """Log a line, and make a table artifact."""
    get_run_logger().info("extracting %s", n)
    if create_table_artifact:
        await create_table_artifact(key=f"numbers-{n}", table={"n": list(range(n))})
    return list(range(n))


@task(retries=1, retry_delay_seconds=0)
async def load(rows: list[int], attempts: list[int]) -> int:
    """Fail at the first attempt."""
    attempts.append(1)
    if len(attempts) == 1:
        raise ConnectionError("hung up")
    return len(rows)


@flow
async def child(n: int) -> int:
    """A subflow, which a task run represents in its parent."""
    return await load(await extract(n), [])


@flow
async def everything() -> None:
    """Run a few of each."""
    for n in range(3):
        await child(n)
    if create_markdown_artifact:
        await create_markdown_artifact(key="summary", markdown="# done")
    await extract(5)


async def twice() -> None:
    """Run everything again."""
    await everything()
    await everything()


if __name__ == "__main__":
    asyncio.run(twice())
