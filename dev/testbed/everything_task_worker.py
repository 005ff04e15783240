"""A task worker, which serves a task until it is stopped. Runs with Prefect 3's own interpreter."""

from __future__ import annotations

from everything_flows import extract
from prefect.task_worker import serve

if __name__ == "__main__":
    serve(extract)
