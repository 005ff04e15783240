"""docs/reliability.md is what the tests counted, of all subjects that there are now."""

from __future__ import annotations

import json
import re

from tests.reading.naive import STRATEGIES
from tests.readme import PROJECT
from tests.reliability import PAGE, SUBJECTS, Reliability


def tables() -> list[list[list[str]]]:
    """The cells of the rows of both tables."""
    parts = PAGE.read_text("utf-8").split("\n## ")[1:]
    rows = [[line.strip("|").split("|") for line in part.splitlines() if line.startswith("|")][2:] for part in parts]
    return [[[cell.strip() for cell in row] for row in table] for table in rows]


def test_every_subject_is_there_and_nothing_was_lost() -> None:
    tried, _ = tables()
    assert [(row[0], row[2], row[4]) for row in tried] == [(s.happens, "0", s.others) for s in SUBJECTS.values()]
    assert all(int(row[1].split(": ")[1]) > 0 for row in tried)


def test_other_readings_lose_rows_in_the_same_storms() -> None:
    """A model in which nothing can be lost would show nothing."""
    _, readings = tables()
    lost = {name: int(count) for name, _, count in readings}
    assert lost.pop("this project's") == 0
    assert set(STRATEGIES) < set(lost)
    assert all(lost.values())


def test_every_subject_is_counted_by_a_test() -> None:
    tests = "\n".join(path.read_text("utf-8") for path in (PROJECT / "tests").rglob("test_*.py"))
    counted = set(re.findall(r"reliability\.tried\(f?\"([^\"]*)\"", tests))
    storms = {f"storm-{major}-{database}" for major in (2, 3) for database in ("sqlite", "postgresql")}
    storms |= {f"everything-{major}" for major in (2, 3)}
    assert (counted - {"storm-{major}-{database}", "everything-{major}"}) | storms == set(SUBJECTS)


def test_what_processes_counted_is_added_up() -> None:
    elsewhere, counted = Reliability(), Reliability()
    elsewhere.tried("planted", 3, seed=7)
    elsewhere.reading("a way", 15, 2)
    for _ in range(2):
        counted.add(json.loads(json.dumps(elsewhere.dump())))
    assert counted.dump() == {"tried": {"planted": (6, 0, ["7", "7"])}, "readings": {"a way": (30, 4, [])}}


def test_a_page_is_not_written_while_something_is_missing() -> None:
    counted = Reliability()
    counted.tried("planted")
    assert set(counted.missing()) == set(SUBJECTS) - {"planted"}
