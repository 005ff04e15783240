"""Tests that need Spark, in an environment of its own: `make test-spark`. Elsewhere they are not collected."""

from __future__ import annotations

import importlib.util
import sys
from collections.abc import Iterator
from typing import Any

import pytest

from tests.readme import PROJECT
from tests.test_parts import SECRET

ENVIRONMENT = {"PYSPARK_PYTHON": sys.executable, "PYTHONPATH": str(PROJECT)}
"""What Spark's processes need to run the project's code."""

collect_ignore_glob = [] if importlib.util.find_spec("pyspark") else ["test_*.py"]


@pytest.fixture(scope="session")
def session() -> Iterator[Any]:
    """A Spark session with one core. The processes that it starts have a secret in their environment."""
    from pyspark.sql import SparkSession

    with pytest.MonkeyPatch.context() as environment:
        for name, value in {**ENVIRONMENT, "REST_STREAMS_API_KEY": SECRET}.items():
            environment.setenv(name, value)
        builder = SparkSession.builder.master("local[1]").config("spark.ui.enabled", "false")
        spark = builder.config("spark.driver.memory", "512m").config("spark.sql.shuffle.partitions", "1").getOrCreate()
        spark.sparkContext.setLogLevel("WARN")
        yield spark
        spark.stop()


def pytest_addoption(parser: pytest.Parser) -> None:
    """The option of `make test-spark`."""
    parser.addoption("--record", action="store_true", help="write the figures of docs/scale.md")
