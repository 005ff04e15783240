"""docs/compatibility.md claims what `make test-versions` ran, and nothing else."""

from __future__ import annotations

import re
from datetime import date

from dev.testbed.releases import RELEASES
from tests.versions.conftest import PAGE
from tests.versions.page import Result, page


def test_a_release_has_its_result_and_what_its_server_lacks() -> None:
    """In two tables: what was compared, and which alternatives a sync used instead."""
    lines = [
        "task_runs: the server rejects pagination style 1; trying the next",
        "flow_runs: the server rejects alternative 1 of 2 for query 1; trying the next",
        "flow_runs: the server rejects alternative 1 of 2 for query 1; trying the next",
        "flow_runs: the server does not know CANCELLING; leaving that out. flow_runs: POST /flow_runs/filter ...",
        "flow_runs: 3 rows read, 3 synced",
    ]
    made = page([Result("2.7.0", date(2022, 12, 1), 12, 3456, {"work_queues", "artifacts"}, lines)])
    assert "| 2.7.0 | 2022-12-01 | works | 12 | 3,456 |\n" in made
    used = "task_runs: pagination style 2; flow_runs: fallback of query 1; flow_runs: open rows without CANCELLING"
    assert f"| 2.7.0 | `artifacts`, `work_queues` | {used} |\n" in made


def test_the_page_was_written_from_these_releases() -> None:
    """Each release of the list is on it, with its day, and one more: the newest at the time."""
    found = dict(re.findall(r"^\| ([\d.]+) \| (\d{4}-\d\d-\d\d) \| works \|", PAGE.read_text("utf-8"), re.MULTILINE))
    assert {name: found.get(name) for name in RELEASES} == {name: str(day) for name, day in RELEASES.items()}
    assert len(found) == len(RELEASES) + 1
