"""Airflow's example."""

from __future__ import annotations

from datetime import timedelta

import pytest

from tests.examples.example import Example
from tests.examples.stubs.airflow import PASSWORD, USER, Airflow
from tests.examples.stubs.api import DAY

HOUR = timedelta(hours=1)


@pytest.fixture
def airflow() -> Airflow:
    """A server with runs of two DAGs: one of a time before the first sync's start, and one that shows no change."""
    api = Airflow()
    for name in ("load", "report"):
        api.add_dag(name)
    api.add_run("load", api.ago(300 * DAY))
    for number in range(6):
        api.add_run(("load", "report")[number % 2], api.ago((6 - number) * HOUR), tasks=0)
    api.add_run("load", api.ago(HOUR / 2), tasks=3)
    api.updated_at["load", f"scheduled__{api.ago(6 * HOUR).isoformat()}"] = None
    return api


def connected(api: Airflow, *streams: str, password: str = PASSWORD) -> Example:
    """The example, from 90 days ago on."""
    start = f"{api.ago(90 * DAY):%Y-%m-%d}"
    return Example("airflow", api, *streams, username=USER, password=password, start_date=start)


def test_all_rows_arrive_then_only_those_that_changed(airflow: Airflow) -> None:
    """One list has the runs of all DAGs that changed since, and each of those is asked for its tasks."""
    example = connected(airflow)
    assert {table: len(keys) for table, keys in example.sync().items()} == {
        "dags": 2,
        "dag_runs": 7,
        "task_instances": 3,
    }
    dag, run = example.tables.rows["dags"]["load"], ("load", f"scheduled__{airflow.ago(HOUR / 2).isoformat()}")
    assert (dag["schedule"], dag["owners"], dag["tags"], dag["is_active"]) == ("0 * * * *", ["ada"], ["daily"], True)
    row = example.tables.rows["dag_runs"][run]
    assert (row["state"], row["conf"], row["logical_date"]) == ("running", {"full": True}, airflow.ago(HOUR / 2))
    assert example.tables.rows["task_instances"][(*run, "task0", -1)]["queued_at"] == airflow.ago(HOUR / 2)

    airflow.now += HOUR
    assert example.sync() == {}
    airflow.finish(run)
    airflow.dags[1]["is_active"] = False
    airflow.now += HOUR
    later = airflow.add_run("report", airflow.ago(HOUR / 2))
    assert example.sync() == {
        "dags": ["report"],
        "dag_runs": sorted([run, later]),
        "task_instances": [*((*run, f"task{number}", -1) for number in range(3)), (*later, "task0", -1)],
    }
    assert example.column("task_instances", "state")[(*run, "task0", -1)] == "success"
    assert len(example.requests) == 4


@pytest.mark.parametrize("most", [100, 50])
def test_long_lists_are_read_in_pages(airflow: Airflow, most: int) -> None:
    """Where the maximum_page_limit is lower than what is asked, pages are shorter."""
    airflow.most = most
    for number in range(130):
        airflow.add_run("load", airflow.ago((200 - number) * HOUR), tasks=0)
    assert len(connected(airflow, "dag_runs").sync()["dag_runs"]) == 137


def test_a_wrong_password_is_reported(airflow: Airflow) -> None:
    """With the setting's name, and without the password."""
    failure = connected(airflow, "dags", password="wr0ng").failure()
    assert "401" in failure
    assert "password" in failure
    assert "wr0ng" not in failure
