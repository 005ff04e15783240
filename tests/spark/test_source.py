"""The data source: the columns of streams.yaml, every row once, and no secret anywhere that Spark shows or sends."""

from __future__ import annotations

import pickle
from collections.abc import Iterator
from pathlib import Path

import pytest
from pyspark import cloudpickle
from pyspark.sql import SparkSession, functions
from pyspark.sql.types import StructType

from dev.testbed.loopback import Loopback
from engine.instants import parse_instant
from spark import OPEN_AT
from spark.source import FORMAT, RestStreams
from tests.reading.model import FINAL, OPEN, Model
from tests.specs import SHIPPED, edited
from tests.test_parts import IN_PROJECTS, SECRET, WITH_SECRET, in_projects, server_of


@pytest.fixture(scope="module")
def model() -> Model:
    model = Model()
    for number in range(40):
        model.make(OPEN[0] if number % 5 == 0 else FINAL[number % 2], -600 * (40 - number))
    return model


@pytest.fixture
def options(model: Model, tmp_path: Path) -> Iterator[dict[str, str]]:
    """The options of the data source. The key is in the environment."""
    (tmp_path / "streams.yaml").write_text(WITH_SECRET, "utf-8")
    with Loopback(model.answer) as server:
        yield {"file": str(tmp_path / "streams.yaml"), "stream": "runs", "api_url": server.url, "rows": "10"}


def test_the_columns_are_those_of_streams_yaml() -> None:
    """With their types and, as comments, their descriptions."""
    schema = RestStreams({"file": str(SHIPPED), "stream": "flow_runs", "api_url": "http://127.0.0.1/api"}).schema()
    columns = {field.name: field for field in schema.fields}
    assert columns["expected_start_time"].dataType.simpleString() == "timestamp"
    assert columns["parameters"].dataType.simpleString() == "string"
    assert columns["run_count"].dataType.simpleString() == "int"
    assert columns["id"].metadata == {"comment": "The flow run's id."}
    assert schema.names[-1] == OPEN_AT


def test_every_row_is_read_once(session: SparkSession, model: Model, options: dict[str, str]) -> None:
    """In as many partitions as there are parts, with exact timestamps."""
    session.dataSource.register(RestStreams)
    frame = session.read.format(FORMAT).options(**options).load()
    assert frame.rdd.getNumPartitions() > 3
    rows = frame.select("id", "state", functions.unix_micros("updated"), functions.unix_micros(OPEN_AT)).collect()
    assert len(rows) == len(model.runs)
    micros = {key: int(parse_instant(run["updated"]).timestamp() * 10**6) for key, run in model.runs.items()}
    assert {key: (state, at) for key, state, at, _ in rows} == {
        key: (run["state"], micros[key]) for key, run in model.runs.items()
    }
    assert {key for key, _, _, open_at in rows if open_at is not None} == {
        key for key, run in model.runs.items() if run["state"] in OPEN
    }


def test_the_partitions_of_a_connection_are_read_in_parts(session: SparkSession, tmp_path: Path) -> None:
    """Each of them in several, with its column. Rows of both have the same keys."""
    text = edited(IN_PROJECTS, add={"configuration.api_key": {"description": "The key.", "secret": True}})
    (tmp_path / "streams.yaml").write_text(text, "utf-8")
    session.dataSource.register(RestStreams)
    options = {"file": str(tmp_path / "streams.yaml"), "stream": "runs", "projects": "a, b", "rows": "10"}
    with Loopback(in_projects({"a": server_of(), "b": server_of()})) as server:
        frame = session.read.format(FORMAT).options(**options, api_url=server.url).load()
        rows = frame.select("project", "id").collect()
        assert frame.rdd.getNumPartitions() > 4
    assert frame.columns[:2] == ["project", "id"]
    assert len(rows) == len(set(rows)) == 60
    assert {project for project, _ in rows} == {"a", "b"}


def test_no_secret_shows(
    session: SparkSession, options: dict[str, str], capfd: pytest.CaptureFixture[str], spark_log: Path
) -> None:
    """Not in the plan, in what travels to the executors, in the logs, nor in the error of a failed task."""
    session.dataSource.register(RestStreams)
    session.sparkContext.setLogLevel("INFO")
    frame = session.read.format(FORMAT).options(**options).load()
    frame.explain("extended")
    frame.collect()
    reader = RestStreams(options).reader(StructType())
    sent = cloudpickle.dumps([reader, reader.partitions()])  # type: ignore[no-untyped-call]
    travels = sent + pickle.dumps(reader.partitions())
    assert SECRET.encode() not in travels
    with Loopback(lambda seen: pytest.fail("closed")) as closed:
        gone = {**options, "api_url": closed.url, "parts": "[[null, null]]"}
    with pytest.raises(Exception, match="http://127") as failure:  # no such server
        session.read.format(FORMAT).options(**gone).load().collect()
    session.sparkContext.setLogLevel("WARN")
    shown = "".join(capfd.readouterr()) + str(failure.value) + spark_log.read_text("utf-8")
    assert "== Physical Plan ==" in shown
    assert "TaskSetManager" in shown  # the log of Spark
    assert "Connection refused" in shown
    assert SECRET not in shown


def test_a_secret_in_the_options_is_refused(session: SparkSession, options: dict[str, str]) -> None:
    """Spark would print it."""
    session.dataSource.register(RestStreams)
    with pytest.raises(Exception, match="set the environment variable REST_STREAMS_API_KEY") as refused:
        session.read.format(FORMAT).options(**options, api_key="CANARY-IN-AN-OPTION").load()
    assert "CANARY-IN-AN-OPTION" not in str(refused.value)
