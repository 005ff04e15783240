"""dlt with a configuration of its REST source. The records are those that it hands to a destination."""

from __future__ import annotations

import runpy
from collections.abc import Mapping
from typing import Any

import dlt
import time_machine
from dlt.sources.rest_api import rest_api_source


def sync(file: str, url: str, now: str, folder: str, settings: Mapping[str, str]) -> list[tuple[str, Any]]:
    """Run a pipeline, which keeps its state in a folder, at the time of the server."""
    sent: list[tuple[str, Any]] = []
    dlt.config["runtime.dlthub_telemetry"] = False

    @dlt.destination(batch_size=10_000, naming_convention="direct", max_table_nesting=0)  # type: ignore[untyped-decorator]
    def keep(records: list[dict[str, Any]], table: Mapping[str, Any]) -> None:
        sent.extend((table["name"], record) for record in records)

    with time_machine.travel(now):
        config = runpy.run_path(file)["config"](url, **settings)
        pipeline = dlt.pipeline("comparison", pipelines_dir=folder, destination=keep)
        pipeline.run(rest_api_source(config, name="comparison")).raise_on_failed_jobs()
    return sent
