"""Tests that need Spark, in an environment of its own: `make test-spark`. Elsewhere they are not collected."""

from __future__ import annotations

import importlib.util
import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from tests.readme import PROJECT
from tests.test_parts import SECRET

ENVIRONMENT = {"PYSPARK_PYTHON": sys.executable, "PYTHONPATH": str(PROJECT)}
"""What Spark's processes need to run the project's code."""

collect_ignore_glob = [] if importlib.util.find_spec("pyspark") else ["test_*.py"]


@pytest.fixture(scope="session")
def spark_log(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """What the processes of the session write to their standard error."""
    return tmp_path_factory.mktemp("spark") / "stderr"


@pytest.fixture(scope="session")
def session(spark_log: Path) -> Iterator[Any]:
    """A Spark session with one core. The processes that it starts have a secret in their environment."""
    from pyspark.sql import SparkSession

    with pytest.MonkeyPatch.context() as environment:
        for name, value in {**ENVIRONMENT, "REST_STREAMS_API_KEY": SECRET}.items():
            environment.setenv(name, value)
        builder = SparkSession.builder.master("local[1]").config("spark.ui.enabled", "false")
        with written_to(spark_log):
            spark = builder.config("spark.driver.memory", "512m").getOrCreate()
        yield spark
        spark.stop()


@contextmanager
def written_to(path: Path) -> Iterator[None]:
    """Let processes that are started now write their standard error to a file."""
    before = os.dup(2)
    with path.open("w") as file:
        os.dup2(file.fileno(), 2)
        try:
            yield
        finally:
            os.dup2(before, 2)
            os.close(before)


def pytest_addoption(parser: pytest.Parser) -> None:
    """The option of `make test-spark`."""
    parser.addoption("--record", action="store_true", help="write the figures of docs/scale.md")
