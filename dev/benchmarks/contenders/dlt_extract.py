"""dlt's extract step over its declarative REST source: rows go to files on disk, not yet mapped or typed."""

from __future__ import annotations

import tempfile

import dlt
from dlt.sources.rest_api import rest_api_source


def read(url: str) -> int:
    """Extract a list up to the first empty page."""
    dlt.config["runtime.dlthub_telemetry"] = False
    paginator = {"type": "offset", "limit": 200, "total_path": None}
    paginator |= {"offset_body_path": "offset", "limit_body_path": "limit"}
    endpoint = {"path": "flow_runs/filter", "method": "POST", "json": {}, "paginator": paginator, "data_selector": "$"}
    source = rest_api_source(
        {
            "client": {"base_url": f"{url}/"},
            "resources": [{"name": "flow_runs", "primary_key": "id", "endpoint": endpoint}],
        }
    )
    with tempfile.TemporaryDirectory() as folder:
        pipeline = dlt.pipeline("benchmark", pipelines_dir=folder, destination="duckdb")
        info = pipeline.extract(source)
    return sum(
        metrics["table_metrics"]["flow_runs"].items_count
        for load in info.metrics.values()
        for metrics in load
        if "flow_runs" in metrics["table_metrics"]
    )
