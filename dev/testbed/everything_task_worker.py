"""A task worker that serves a task until it is stopped. Runs in Prefect 3's environment."""

from __future__ import annotations

from everything_flows import extract
from prefect.task_worker import serve

if __name__ == "__main__":
    serve(extract)
