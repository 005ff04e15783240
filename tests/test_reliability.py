"""docs/reliability.md is what the tests counted, and has every scenario that there is now."""

from __future__ import annotations

import re

from tests.reading.naive import STRATEGIES
from tests.readme import PROJECT
from tests.scenarios import PAGE, SCENARIOS


def tables() -> list[list[list[str]]]:
    """The cells of the rows of both tables."""
    parts = PAGE.read_text("utf-8").split("\n## ")[1:]
    rows = [[line.strip("|").split("|") for line in part.splitlines() if line.startswith("|")][2:] for part in parts]
    return [[[cell.strip() for cell in row] for row in table] for table in rows]


def test_the_page_has_every_scenario() -> None:
    """A scenario that was added since is missing until `make reliability` ran."""
    scenarios, _ = tables()
    assert [(row[0], row[3]) for row in scenarios] == [(s.happens, s.others) for s in SCENARIOS.values()]
    assert all(int(row[1].split(": ")[1]) > 0 for row in scenarios)


def test_other_readings_lose_rows_in_the_same_storms() -> None:
    """A model in which nothing can be lost would show nothing."""
    _, readings = tables()
    lost = {name: int(count) for name, _, count in readings}
    assert lost.pop("this project's") == 0
    assert set(STRATEGIES) < set(lost)
    assert all(lost.values())


def test_every_scenario_is_counted_by_a_test() -> None:
    """A scenario that no test goes through would stay on the page unnoticed."""
    tests = "\n".join(path.read_text("utf-8") for path in (PROJECT / "tests").rglob("*.py"))
    counted = set(re.findall(r'mark\.scenario\("([^"]*)"[,)]', tests))
    storms = {f"storm-{major}-{database}" for major in (2, 3) for database in ("sqlite", "postgresql")}
    assert counted | storms | {f"everything-{major}" for major in (2, 3)} == set(SCENARIOS)
