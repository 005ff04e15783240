"""Each answer of the report says what its rows say."""

from __future__ import annotations

from datetime import timedelta

import pytest

from tests.tools.report.models import DAY, NOW, Row, run, warehouse
from tools.report.answers import (
    answers,
    causes,
    deployments,
    durations,
    lateness,
    outcomes,
    pools,
    stuck,
    tags,
    tasks,
    waiting,
)
from tools.report.tiles import tiles

HOUR = timedelta(hours=1)


def test_the_failure_rate_is_of_runs_that_succeeded_or_failed() -> None:
    """Crashed runs failed; cancelled and open ones say nothing."""
    states = ["COMPLETED"] * 6 + ["FAILED", "CRASHED", "CANCELLED", "RUNNING"]
    found = outcomes.answer(warehouse([run(state) for state in states]))
    assert found.finding == "2 of 8 runs failed (25%). The most on Nov 25: 2 of 8."
    assert sum(row["value"] for row in found.charts[0].rows) == len(states)
    assert found.table is not None and found.table.rows == [["2026-11-25", "10", "1", "6", "1", "1", "1", "25%"]]
    (tile, *_) = tiles(warehouse([run(state) for state in states]))
    assert (tile.value, tile.detail) == ("25%", "2 of 8 runs; 25% in 7 days")


def test_the_period_before_is_compared_only_if_its_runs_are_all_there() -> None:
    """A history that begins within it would compare days with hours."""
    runs = [run("FAILED"), run(), run("FAILED", NOW - 8 * DAY), run("COMPLETED", NOW - 9 * DAY)]
    assert ", after" not in outcomes.answer(warehouse(runs)).finding
    found = outcomes.answer(warehouse([*runs, *(run("COMPLETED", NOW - 13 * DAY) for _ in range(2))]))
    assert found.finding.startswith("1 of 2 runs failed (50%), after 25% in the 7 days before.")


def test_runs_that_are_not_due_yet_do_not_count() -> None:
    """Prefect schedules runs ahead; they are no open runs of today."""
    assert outcomes.answer(warehouse([run(), run("SCHEDULED", NOW + HOUR)])).charts[0].rows[-1]["color"] == "completed"


HEALTHY: Row = {"flow_name": "etl", "deployment_name": "a", "health": "healthy", "failure_streak": 0, "recent_runs": 3}


@pytest.mark.parametrize(
    ("changes", "finding"),
    [
        ([{}], "The last run of the only deployment succeeded."),
        ([{}, {}], "The last run of each of the 2 deployments succeeded."),
        ([{}, {"health": "paused"}], "No deployment is failing."),
        ([{}, {"health": "failing", "failure_streak": 3}], "1 of 2 deployments is failing: etl / a, 3 times in a row."),
        ([{"health": "late"}], "No deployment is failing. etl / a is late."),
        ([], "There are no deployments."),
    ],
)
def test_the_health_of_deployments_is_said_in_a_sentence(changes: list[Row], finding: str) -> None:
    """Who fails comes first, then who is late."""
    health = [{**HEALTHY, **change} for change in changes]
    assert deployments.answer(warehouse([run()], deployment_health=health)).finding == finding


def test_a_grid_of_many_deployments_shows_those_that_fail_most() -> None:
    """Those that are failing now come first, and the title says how many are left out."""
    runs = [run("FAILED", deployment_name=f"d{number:02}") for number in range(20) for _ in range(number)]
    failing = {**HEALTHY, "deployment_name": "d01", "health": "failing", "failure_streak": 1}
    (chart,) = deployments.answer(warehouse(runs, deployment_health=[failing])).charts
    names = list(dict.fromkeys(row["name"] for row in chart.rows))
    assert names[:3] == ["etl / d01", "etl / d19", "etl / d18"] and len(names) == 12
    assert "7 more" in chart.title


def test_messages_that_differ_in_ids_and_numbers_are_one() -> None:
    """Else each failure would be one of its own."""
    key = "0b7e4d2c-9f5e-4a1b-8c3d-4e5f60718293"
    said = [f"KeyError: run {key}, row {number}" for number in range(1000, 1003)] + ["boom", None]
    found = causes.answer(warehouse([run("FAILED", state_message=message) for message in said]))
    assert found.finding == "3 of 5 runs that failed say “KeyError: run #, row #”."
    assert found.table is not None
    assert found.table.rows[0][:3] == ["KeyError: run #, row #", "3", "etl / nightly"]
    assert {row[0] for row in found.table.rows} == {"KeyError: run #, row #", "boom", "(no message)"}
    few = [run("FAILED", state_message=message) for message in ("boom", "bang")]
    assert causes.answer(warehouse(few)).finding == "2 runs failed, each for a reason of its own."


def test_a_flow_that_got_slower_is_named() -> None:
    """The last quarter of the period is compared with the rest, if both have enough runs."""
    slow = [run("COMPLETED", NOW - n * DAY, duration_seconds=600 if n < 7 else 200) for n in range(20)]
    found = durations.answer(warehouse([*slow, *(run(deployment_name="b") for _ in range(100))], days=28))
    assert found.finding.startswith("Half of the runs take less than 60 s, nine of ten less than 3.3 min")
    assert found.finding.endswith(
        "etl / nightly got slower: its median went from 3.3 min to 10 min in the last 7 days."
    )
    assert "slower" not in durations.answer(warehouse(slow[:10], days=28)).finding


def test_percentiles_of_a_day_that_is_not_over_are_left_out() -> None:
    """They cannot be compared with those of others; a single day is better than none."""
    of_today = run("COMPLETED", NOW - HOUR)
    lines = durations.answer(warehouse([run(), of_today])).charts[0].rows
    assert {row["at"] for row in lines} == {"2026-11-25"}
    assert {row["at"] for row in durations.answer(warehouse([of_today])).charts[0].rows} == {"2026-11-26"}


def test_the_hour_at_which_runs_are_late_is_named() -> None:
    """It is when somebody should move a schedule."""
    runs = [run(), *(run("COMPLETED", NOW - DAY + 3 * HOUR, lateness_seconds=120.0) for _ in range(3))]
    found = lateness.answer(warehouse(runs))
    assert found.finding.startswith("3 of 4 runs started more than 30 seconds late (75%).")
    assert found.finding.endswith(
        "100% of them were due between 15:00 and 15:59 UTC, when one run in ten is late by 2 min."
    )
    assert lateness.answer(warehouse([run()] * 2)).finding == "None of 2 runs started more than 30 seconds late."
    once = lateness.answer(warehouse([run(), run(lateness_seconds=120.0)]))
    assert once.finding == "1 of 2 runs started more than 30 seconds late (50%)."


def test_what_runs_waited_for_is_summed_up() -> None:
    """Only waiting counts: neither the time before a run was due nor that after it ended."""
    seconds = {"AwaitingConcurrencySlot": 3 * 3600, "Scheduled": 9**6, "Completed": 9**6, "Late": 3600, "Running": 7200}
    types = {"Running": "RUNNING", "Completed": "COMPLETED"}
    times = [
        {"source_relation": "warehouse.prefect", "flow_run_id": "0", "state_name": name, "seconds": spent}
        | {"state_type": types.get(name, "SCHEDULED")}
        for name, spent in seconds.items()
    ]
    found = waiting.answer(warehouse([run()], state_time=times))
    assert found.finding == (
        "Runs spent 4 h waiting, against 2 h running. 75% of it was for a concurrency slot, "
        "most of all by etl / nightly: 3 h in 1 run."
    )
    assert found.charts[0].legend == {"a concurrency slot": "series-2", "a worker": "series-3"}


def test_a_table_that_is_not_synced_is_said_with_the_remedy() -> None:
    """States take a request for each run, so many do not sync them."""
    found = waiting.answer(warehouse([run()]))
    assert "not synced" in found.finding and "flow_run_states" in found.note and not found.charts


def test_bars_of_many_add_up() -> None:
    """What is not shown is in a bar of its own."""
    task: Row = {"flow_name": "etl", "task_runs": 2, "failed_task_runs": 0, "crashed_task_runs": 0, "retries": 0}
    hotspots = [{**task, "task_key": f"t{hours:02}", "run_seconds": 3600.0 * hours} for hours in range(1, 16)]
    found = tasks.answer(warehouse([run()], task_hotspots=hotspots))
    assert found.finding == "t15 of etl takes the most: 15 h, 12% of the time of all tasks."
    bars = found.charts[0].rows
    assert [bar["label"] for bar in bars][-2:] == ["6 h", "15 h"] and bars[-1]["name"] == "5 others"
    assert sum(bar["value"] for bar in bars) == 3600 * sum(range(1, 16))


def test_a_pool_that_reached_its_limit_is_named() -> None:
    """With on how many days."""
    day = {"work_pool_name": "k8s", "started_runs": 9, "late_runs": 1, "run_seconds": 60.0, "concurrency_limit": 2}
    days = [{**day, "date_day": (NOW - n * DAY).date(), "peak_running_runs": 1 + n % 2} for n in range(3)]
    found = pools.answer(warehouse([run()], work_pool_load=days))
    assert found.finding == "k8s reached its limit of 2 runs at a time on 1 day of 3."
    assert [row["color"] for row in found.charts[0].rows] == ["load-1", "load-3", "load-1"]
    endless = [{**one, "concurrency_limit": None} for one in days]
    assert pools.answer(warehouse([run()], work_pool_load=endless)).finding.startswith("No work pool has a limit.")


def test_what_has_not_run_yet_has_no_bar() -> None:
    """Tags and tasks of runs that have just started."""
    tag = {"date_day": NOW.date(), "tag_name": "a", "runs": 1, "completed_runs": 0, "failed_runs": 0, "run_seconds": 0}
    task = {"flow_name": "etl", "task_key": "load", "task_runs": 1, "failed_task_runs": 0, "crashed_task_runs": 0}
    found = warehouse([run("RUNNING")], tag_usage=[tag], task_hotspots=[{**task, "run_seconds": 0.0, "retries": 0}])
    for answer, finding in (
        (tags.answer(found), "No run with a tag ran in this period."),
        (tasks.answer(found), "No task ran in this period."),
    ):
        assert (answer.finding, answer.charts) == (finding, []) and answer.table is not None


def test_one_run_is_no_plural() -> None:
    """The first report of a new connection reads as well as any other; so does one over a day."""
    of_today = warehouse([run(due=NOW - HOUR)], days=1)
    assert tiles(of_today)[0].detail == "0 of 1 run; 0% in 1 day"
    found = [answer(warehouse([run()])).finding for answer in (outcomes.answer, durations.answer, lateness.answer)]
    assert found == ["The only run that ended succeeded.", "The only run took 60 s.", "The only run started 3 s late."]
    failed = causes.answer(warehouse([run("FAILED", state_message="boom")]))
    assert failed.finding == "The only run that failed says “boom”."
    (line,) = {row["tip"] for row in durations.answer(warehouse([run()])).charts[0].rows if row["name"] == "p50"}
    assert line == "Nov 25: p50 of 1 run was 60 s"


def test_the_tag_that_takes_the_most_is_named() -> None:
    """Of all the time, not of the sum of tags: a run can have several."""
    usage = {"date_day": (NOW - DAY).date(), "runs": 1, "completed_runs": 1, "failed_runs": 0, "run_seconds": 60.0}
    runs = [run(), run()]
    found = tags.answer(warehouse(runs, tag_usage=[{**usage, "tag_name": "team:a"}, {**usage, "tag_name": None}]))
    assert found.finding == "team:a takes the most time: 60 s of 2 min (50%), in 1 run."
    assert tags.answer(warehouse(runs, tag_usage=[{**usage, "tag_name": None}])).finding == "No run has a tag."


def test_the_longest_stuck_run_is_named() -> None:
    """With why, and how long such runs usually take."""
    row = {"flow_run_name": "amber-otter", "flow_name": "etl", "deployment_name": "a", "state_type": "RUNNING"}
    row |= {"reason": "running too long", "work_pool_name": "k8s"}
    rows = [{**row, "stuck_seconds": 90_000.0, "usual_seconds_p99": 600.0}, {**row, "stuck_seconds": 60.0}]
    found = stuck.answer(warehouse([run()], stuck_runs=rows))
    assert found.finding == (
        "2 runs are stuck. The longest is amber-otter of etl / a, running too long for 25 h; "
        "99 of 100 take less than 10 min."
    )
    one = stuck.answer(warehouse([run()], stuck_runs=rows[1:]))
    assert one.finding.startswith("1 run is stuck: amber-otter of etl / a, running too long for 60 s")


def test_a_warehouse_without_runs_has_answers() -> None:
    """Each says that there is nothing, and draws nothing."""
    empty = warehouse()
    assert [(one.finding[:3], one.charts, one.table) for one in answers(empty)] == [
        (found, [], None) for found in ("No ", "The", "No ", "No ", "No ", "No ", "The", "No ", "No ", "No ")
    ]
    assert [tile.value for tile in tiles(empty)] == ["–", "–", "0", "–", "–"]


def test_runs_of_several_connections_are_told_apart() -> None:
    """Two workspaces may have deployments of the same name."""
    workspace = "warehouse.prefect/7c1e4ad2-0b7e-4d2c-9f5e-0a1b2c3d4e5f"
    runs = [run("FAILED"), run("FAILED", source_relation=workspace)]
    failing = {**HEALTHY, "deployment_name": "nightly", "health": "failing", "source_relation": workspace}
    found = deployments.answer(warehouse(runs, deployment_health=[failing]))
    assert list(dict.fromkeys(row["name"] for row in found.charts[0].rows)) == [
        "7c1e4ad2: etl / nightly",
        "prefect: etl / nightly",
    ]
    assert "is failing: 7c1e4ad2: etl / nightly" in found.finding


@pytest.mark.parametrize(("days", "periods", "first"), [(7, 7, "Fri"), (180, 27, "Mon"), (730, 25, "Fri")])
def test_a_long_period_is_shown_by_week_or_month(days: int, periods: int, first: str) -> None:
    """A chart has room for a month of days."""
    found = warehouse([run()], days=days)
    assert len(found.periods) == periods
    assert outcomes.answer(found).charts[0].rows[0]["at"] in found.periods
