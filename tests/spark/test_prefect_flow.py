"""The Prefect flow reads the same parts without Spark, and hands over the same state."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from datetime import datetime, timedelta, timezone
from pathlib import Path

import duckdb
import pytest

from dev.testbed.history import read_all
from dev.testbed.prefect_server import PrefectServer
from dev.testbed.seed import Shape, seed
from spark import OPEN_AT
from tests.readme import PROJECT


@pytest.mark.long
def test_the_flow_writes_each_part_to_a_file(tmp_path: Path) -> None:
    """Every run that is older than a day is in one of them, and the state has the rest."""
    until = datetime.now(timezone.utc) - timedelta(days=2)  # all seeded runs are older than a day then
    with PrefectServer(3) as server:
        seed(server.database, Shape(runs=300, until=until))
        done = subprocess.run(
            [
                sys.executable,
                "-m",
                "spark.prefect_flow",
                "flow_runs",
                str(tmp_path / "lake"),
                str(tmp_path / "state.json"),
            ],
            cwd=PROJECT,
            env={
                **os.environ,
                "REST_STREAMS_API_URL": server.api_url,
                "PREFECT_API_URL": server.api_url,
                "PREFECT_HOME": str(tmp_path / "home"),
                "DO_NOT_TRACK": "1",
            },
            capture_output=True,
            text=True,
            timeout=240,
        )
        assert done.returncode == 0, done.stdout + done.stderr
        records = read_all(server.api_url, "flow_runs")
    files = f"read_parquet('{tmp_path}/lake/*.parquet')"
    found = duckdb.sql(f"SELECT id, {OPEN_AT} IS NOT NULL FROM {files}").fetchall()
    opened = ("SCHEDULED", "PENDING", "RUNNING")
    seeded = [record for record in records if record["name"].startswith("seeded-")]
    assert len(seeded) == 300
    assert sorted(found) == sorted((record["id"], record["state_type"] in opened) for record in seeded)
    position = json.loads((tmp_path / "state.json").read_text())["streams"]["flow_runs"]["pass"]["position"]
    assert len(position.split(",")) > 1
