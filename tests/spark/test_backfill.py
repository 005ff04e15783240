"""A history of a real Prefect, read by two executors and continued by `fivetran debug`: no gap and no double."""

from __future__ import annotations

import json
import os
import re
import shlex
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from zipfile import ZipFile

import duckdb
import pytest

from dev.testbed.history import read_all
from dev.testbed.loopback import Loopback
from dev.testbed.prefect_server import PrefectServer
from dev.testbed.seed import Shape, seed
from spark.backfill import parser
from spark.view import view
from tests.fivetran.comparison import columns, differences
from tests.fivetran.project import UserProject
from tests.readme import PROJECT
from tests.spark.moving_server import MovingServer
from tests.specs import shipped

pytestmark = pytest.mark.long

RUNS = 3000
PAGE = PROJECT / "docs" / "scale.md"
FIGURES = re.compile(r"(?<=<!-- spark -->\n).*?(?=<!-- /spark -->)", re.DOTALL)
HEAD = """\
| executors | parts | rows by Spark | duplicates | rows by the connector | changed meanwhile | gaps | wrong values |
| --- | ---: | ---: | ---: | ---: | ---: | ---: | ---: |
"""


@dataclass(frozen=True)
class Figures:
    """What one run showed."""

    executors: str
    parts: int
    rows: int
    duplicates: int
    synced: int
    changed: int
    gaps: int
    wrong: int

    def __str__(self) -> str:
        return "| " + " | ".join(f"{n:,}" if isinstance(n, int) else n for n in vars(self).values()) + " |\n"


@pytest.fixture(scope="module")
def figures(request: pytest.FixtureRequest) -> Any:
    """The figures of all runs, which `--record` writes into docs/scale.md."""
    found: list[Figures] = []
    yield found
    if request.config.getoption("--record") and len(found) == 2:
        table = HEAD + "".join(map(str, found))
        PAGE.write_text(FIGURES.sub(lambda match: table, PAGE.read_text("utf-8")), "utf-8")


def spark_job(url: str, folder: Path) -> subprocess.Popen[str]:
    """Start the backfill on a cluster of two executors, with the project in a zip file, as docs/scale.md says."""
    with ZipFile(folder / "rest_streams.zip", "w") as archive:
        for path in (path for top in ("engine", "spark") for path in (PROJECT / top).rglob("*.py")):
            archive.write(path, path.relative_to(PROJECT))
    conf = {"spark.ui.enabled": "false", "spark.executor.memory": "512m", "spark.driver.memory": "512m"}
    conf |= {"spark.network.timeout": "900s", "spark.executor.heartbeatInterval": "60s"}  # for a busy machine
    command = [str(Path(sys.executable).with_name("spark-submit")), "--master", "local-cluster[2,1,1024]"]
    command += [part for name, value in conf.items() for part in ("--conf", f"{name}={value}")]
    command += ["--py-files", str(folder / "rest_streams.zip"), "--files", "streams.yaml", "spark/backfill.py"]
    command += ["--stream", "flow_runs", "--set", f"api_url={url}", "--set", "batch_size=200", "--rows", "350"]
    command += ["--to", str(folder / "lake"), "--state", str(folder / "state.json")]
    environment = {**os.environ, "PYSPARK_PYTHON": sys.executable}
    environment |= {"SPARK_LOCAL_DIRS": str(folder), "SPARK_WORKER_DIR": str(folder)}
    log = (folder / "spark.log").open("w")
    return subprocess.Popen(command, cwd=PROJECT, env=environment, stdout=log, stderr=log, text=True)


def failures_in(log: Path) -> str:
    """What a log of Spark says about executors that ended and about errors."""
    lines = log.read_text("utf-8").splitlines()
    return "\n".join(line for line in lines if re.search(r"ERROR|WARN|exited with|Error:|Exception", line))[-8000:]


def rows_of(project: UserProject, lake: Path) -> list[dict[str, Any]]:
    """The rows of the view over the history and the connector's table, as :func:`differences` compares them."""
    kinds = {name: kind for name, (kind, _) in columns("flow_runs").items()}
    selected = [f"epoch_us({name})" if kind == "UTC_DATETIME" else name for name, kind in kinds.items()]
    history = f"read_parquet('{lake}/*.parquet')"
    with duckdb.connect(str(project.folder / "files" / "warehouse.db")) as warehouse:
        statement = view(shipped().streams["flow_runs"], "tester.united", "tester.flow_runs", history)
        warehouse.execute(statement)
        found = warehouse.execute(f"SELECT {', '.join(selected)} FROM tester.united").fetchall()
    return [
        {
            name: json.loads(value) if kinds[name] == "JSON" and value is not None else value
            for name, value in zip(kinds, values, strict=True)
        }
        | {"_fivetran_deleted": False}
        for values in found
    ]


def test_the_command_of_the_docs_is_accepted() -> None:
    """Every option that docs/scale.md names exists."""
    block = PAGE.read_text("utf-8").split("spark/backfill.py ")[1].split("```")[0]
    given = parser().parse_args(shlex.split(block.replace("\\\n", " ")))
    assert (given.stream, given.to, str(given.state)) == ("flow_runs", "lake/flow_runs", "state.json")
    assert [name for name, _ in given.settings] == ["api_url", "batch_size"]


@pytest.mark.parametrize("executors", ["both live", "one killed"])
def test_no_gap_and_no_double(executors: str, tmp_path: Path, figures: list[Figures]) -> None:
    """Whatever changes while Spark reads, also if an executor dies: then history and table equal the server."""
    with PrefectServer(3) as server:
        seed(server.database, Shape(runs=RUNS))
        moving = MovingServer(server.api_url, kill_at=3 if executors == "one killed" else None)
        moving.reopen(every=300)
        with Loopback(moving.answer) as url:
            moving.job = spark_job(url.url, tmp_path)
            assert moving.job.wait(900) == 0, failures_in(tmp_path / "spark.log")
            moving.job = None
            moving.settle()
            project = UserProject.create(
                tmp_path / "connector", {"api_url": url.url, "batch_size": "200", "streams": "flow_runs"}
            )
            (project.folder / "files").mkdir()
            (tmp_path / "state.json").rename(project.folder / "files" / "state.json")
            configuration = str(project.folder / "configuration.json")
            done = project.fivetran("debug", "--configuration", configuration, executables=PROJECT / ".venv" / "bin")
            assert done.code == 0, done.output
        records = read_all(server.api_url, "flow_runs")
    assert (moving.killed is not None) == (executors == "one killed")
    lake = tmp_path / "lake"
    ((read, ids),) = duckdb.sql(f"SELECT count(*), count(DISTINCT id) FROM read_parquet('{lake}/*.parquet')").fetchall()
    rows = rows_of(project, lake)
    by_key = {row["id"]: row for row in rows}
    wrong = differences("flow_runs", by_key, records)
    gaps = {record["id"] for record in records} ^ by_key.keys()
    ((synced,),) = project.query("SELECT count(*) FROM flow_runs")
    duplicates = (read - ids) + (len(rows) - len(by_key))
    figures.append(
        Figures(executors, len(moving.parts), read, duplicates, synced, len(moving.changed), len(gaps), len(wrong))
    )
    assert (duplicates, gaps, wrong) == (0, set(), [])
    assert read > RUNS * 0.9
    assert synced < RUNS / 2
    assert len(moving.parts) > 6
    assert len(moving.changed) > 3 * len(moving.parts)
