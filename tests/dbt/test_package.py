"""The dbt package on warehouses that the connector filled from real servers: it builds, and its figures are right."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest
import yaml

from dev.testbed.everything import read
from dev.testbed.history import Json, PrefectApi
from dev.testbed.postgres import Postgres
from dev.testbed.postgres import installed as postgres_installed
from dev.testbed.prefect_server import PrefectServer
from dev.testbed.seed import Shape, seed
from tests.conftest import MAJORS
from tests.copies import Copied
from tests.dbt import recomputed
from tests.dbt.package import DBT, PACKAGE, build
from tests.dbt.warehouses import copy_to_postgres, query_duckdb, query_postgres
from tests.fivetran.project import UserProject
from tests.readme import PROJECT
from tests.specs import shipped

STATES = {"prefect__using_flow_run_states": True}
ALL_TABLES = {f"prefect__using_{stream.destination_table}": True for stream in shipped().streams.values()}
pytestmark = [pytest.mark.dbt, pytest.mark.usefixtures("dbt")]
Query = Callable[[str], list[dict[str, Any]]]


@contextmanager
def in_duckdb(warehouse: Path, folder: Path, variables: Mapping[str, Any]) -> Iterator[Query]:
    """Build the package on a copy of a warehouse, and query the models."""
    copy = folder / "warehouse.db"
    shutil.copy(warehouse, copy)
    variables = {**variables, "prefect_schema": "tester"}
    assert build(folder / "dbt", "duckdb", variables, {"PREFECT_WAREHOUSE": str(copy)}) == []
    yield lambda sql: query_duckdb(copy, sql)


@contextmanager
def in_postgres(warehouse: Path, folder: Path, variables: Mapping[str, Any]) -> Iterator[Query]:
    """Build the package on the same rows in PostgreSQL, and query the models."""
    with Postgres() as postgres:
        database = postgres.create("warehouse")
        copy_to_postgres(warehouse, "tester", database, folder)
        url = urlsplit(database)
        settings = {"PGHOST": str(url.hostname), "PGPORT": str(url.port), "PGUSER": str(url.username)}
        assert build(folder / "dbt", "postgres", variables, {**settings, "PGDATABASE": "warehouse"}) == []
        yield lambda sql: query_postgres(database, sql)


def assert_figures(query: Query, flow_runs: list[Json], deployments: list[Json]) -> None:
    """Three models have the rows and figures that the API's answers give."""
    for model, keys, expected in (
        ("prefect__daily_metrics", ["date_day"], recomputed.daily_metrics(flow_runs)),
        ("prefect__tag_usage", ["date_day", "tag_name"], recomputed.tag_usage(flow_runs)),
        ("prefect__deployment_health", ["deployment_id"], recomputed.deployment_health(deployments, flow_runs)),
    ):
        rows = query(f"SELECT * FROM analytics_prefect.{model}")
        rows = [row for row in rows if row.get("grouped_by", "workspace") == "workspace"]
        figures = {tuple(None if row[key] is None else str(row[key]) for key in keys): row for row in rows}
        assert figures.keys() == expected.keys()
        for key, values in expected.items():
            found = {name: figures[key][name] for name in values}
            assert found == {name: pytest.approx(value) for name, value in values.items()}, (model, key)


def queries() -> list[str]:
    """The query in the description of each model."""
    models = yaml.safe_load((PACKAGE / "models" / "prefect.yml").read_text("utf-8"))["models"]
    return [model["config"]["meta"]["query"] for model in models if "config" in model]


@pytest.mark.parametrize("major", MAJORS)
def test_it_builds_on_what_the_connector_copied(copies: dict[int, Copied], tmp_path: Path, major: int) -> None:
    """Every model, unit test and data test passes: of Prefect 3 in DuckDB, of Prefect 2 in PostgreSQL.

    The figures are those that the API's answers give, and the queries in the descriptions run.
    """
    if major == 2 and postgres_installed() is None:
        pytest.skip("needs PostgreSQL")
    copied = copies[major]
    where, variables = (in_duckdb, ALL_TABLES) if major == 3 else (in_postgres, STATES)
    with where(copied.warehouse, tmp_path, variables) as query:
        assert_figures(query, copied.flow_runs, copied.deployments)
        for sql in queries():
            query(sql.replace("from prefect__", "from analytics_prefect.prefect__"))


def test_a_long_history(request: pytest.FixtureRequest, tmp_path: Path) -> None:
    """As many runs as `make test-models` asks for, in both warehouses."""
    runs = request.config.getoption("--runs")
    if not runs:
        pytest.skip("long: run `make test-models`")
    with PrefectServer(3) as server:
        seed(server.database, Shape(runs=runs))
        api = PrefectApi(server.api_url)
        flow_runs, deployments = read(api, "flow_runs"), read(api, "deployments")
        project = UserProject.create(tmp_path / "connector", {"api_url": server.api_url, "batch_size": "200"})
        done = replace(project, patience=3600).debug()
        assert done.code == 0, done.output
    for where in (in_duckdb, in_postgres):
        folder = tmp_path / where.__name__
        folder.mkdir()
        began = time.monotonic()
        with where(project.folder / "files" / "warehouse.db", folder, {}) as query:
            print(f"{where.__name__}: {time.monotonic() - began:.0f} s")
            assert_figures(query, flow_runs, deployments)


def test_other_warehouses_could_parse_it(tmp_path: Path) -> None:
    """Compiled with the macros of dbt's own adapters: the SQL of a first build, and of one that adds to it.

    Nothing is run, as the drivers of those warehouses are not installed.
    """
    streams = shipped().streams.values()
    columns = {s.destination_table: [*s.fields, "_fivetran_synced", "_fivetran_deleted"] for s in streams}
    (tmp_path / "columns.json").write_text(json.dumps(columns))
    command = [str(DBT.with_name("python")), "-m", "tests.dbt.compile_elsewhere", "compiled", "columns.json"]
    environment = {**os.environ, "PYTHONPATH": str(PROJECT), "DO_NOT_TRACK": "1"}
    done = subprocess.run(command, cwd=tmp_path, env=environment, capture_output=True, text=True, timeout=600)
    assert done.returncode == 0, done.stdout + done.stderr
    assert done.stdout == ""
    assert len(list(tmp_path.glob("compiled/snowflake/*/compiled/prefect/models/prefect__*.sql"))) >= 10
