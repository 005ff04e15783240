"""A pytest plugin that counts failure scenarios: docs/reliability.md.

A test marked ``@pytest.mark.scenario("bad-yaml")`` counts as one case of that scenario once it passes. Tests that go
through many cases say how many, as in ``scenario("fuzz", cases=500)`` or with pytest's ``record_property``:

- ``scenario``: a name, if a marker cannot have it; ``cases``: their number; ``seed``: what replays them;
- ``reading``, ``storms``, ``wrong``: a way of reading, the number of storms, after how many of them rows were wrong.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any, Final

import pytest

from tests.readme import PROJECT

PAGE: Final = PROJECT / "docs" / "reliability.md"

RecordProperty = Callable[[str, object], None]

_HEAD: Final = """\
# Reliability

Written by `make reliability` from what its tests counted; do not edit. All of them are part of `make test`.

## Failure scenarios

Nothing was lost. Each case ended with a destination that holds every row of the server, or with a failure that says
what happened and a state from which the next sync brings every row. The behavior of other tools was measured with
airbyte-cdk 7.39.1, dlt 1.31.0, singer-sdk 0.54.9 and tap-rest-api-msdk 1.4.2.

| Scenario | Cases | Seeds | Other tools |
| --- | --- | --- | --- |
"""
_READINGS: Final = """
## The same changes, read in other ways

An API in memory on which rows are inserted, changed, deleted and committed late during syncs, with ties and a clock
that is off. Afterwards the destination is compared with it.

| Reading | Storms | After which rows were wrong |
| --- | ---: | ---: |
"""


@dataclass(frozen=True)
class Scenario:
    """Something that happens, what is counted of it, and what other tools do then."""

    happens: str
    counted: str
    others: str = ""


SCENARIOS: Final = {
    "storm-3-sqlite": Scenario("Prefect 3 on SQLite changes at random during syncs", "changes"),
    "storm-2-sqlite": Scenario("Prefect 2 on SQLite changes at random during syncs", "changes"),
    "storm-3-postgresql": Scenario("Prefect 3 on PostgreSQL is changed by three threads during syncs", "changes"),
    "storm-2-postgresql": Scenario("Prefect 2 on PostgreSQL is changed by three threads during syncs", "changes"),
    "everything-3": Scenario("All tables of Prefect 3 change at random during syncs", "changes"),
    "everything-2": Scenario("All tables of Prefect 2 change at random during syncs", "changes"),
    "kills-scripted": Scenario(
        "SIGKILL at random moments of syncs of a changing API",
        "kills",
        "dlt: a crash during an extract keeps nothing. Airbyte: checkpoints only between slices",
    ),
    "kills-real": Scenario("SIGKILL at random moments of syncs of a changing Prefect 3", "kills"),
    "restart": Scenario("The server is restarted during a sync", "restarts"),
    "stopped": Scenario("A sync is stopped before or after any of its operations", "places"),
    "refused-row": Scenario("The destination refuses a row", "places"),
    "transient-failure": Scenario(
        "A request fails for a transient reason: a connection cut, a timeout, 408, 429, 5xx, a broken body",
        "kinds and places",
        "Airbyte: a broken body with status 200 ends the sync as a success, and the state moves past what was not read",
    ),
    "lasting-failure": Scenario("Such a failure persists", "kinds"),
    "retry-after": Scenario("The server says how long to wait (Retry-After)", "ways to say it", "Singer: ignored"),
    "short-pages": Scenario(
        "Pages are shorter than requested",
        "lengths",
        "A short page counts as the end: 100 of 1,000 rows, and success",
    ),
    "offset-ignored": Scenario("The server ignores the offset", "lists", "The first page is read forever"),
    "bad-json": Scenario("A response is not JSON: truncated, empty, another encoding, endlessly nested", "bodies"),
    "odd-json": Scenario("A response holds values that no warehouse stores, or spells them unusually", "bodies"),
    "future-state": Scenario(
        "The saved state is dated in the future", "states", "No row arrives in any later sync, without a message"
    ),
    "bad-state": Scenario("The saved state is damaged, or was made for another API", "states"),
    "secrets": Scenario(
        "An error path runs with marked secrets, which must appear nowhere",
        "paths",
        "Airbyte: prints a wrong configuration, secrets included",
    ),
    "bad-yaml": Scenario(
        "A streams.yaml is wrong; message and place must match exactly",
        "files",
        "Unknown keys are accepted (`primary_keyy`), and no message has a place",
    ),
    "planted": Scenario("A mistake that only the server can reveal is planted for `check`", "mistakes"),
    "misbehavior": Scenario(
        "An API misbehaves in one way: late, moving or cut lists, foreign keys, wrong 404s, clocks and counts",
        "cases",
    ),
    "hostile": Scenario("An API misbehaves in random ways, one after the other, between and during syncs", "stories"),
    "wrong-reader": Scenario(
        "A reader that is wrong in one way is put in place of a sync, and must be found by an invariant of the stories",
        "readers",
    ),
    "fuzz": Scenario("A parser of foreign input gets input that is damaged at random", "inputs"),
}


class Scenarios:
    """Counts what the tests report, in the process that all workers report to."""

    def __init__(self, config: pytest.Config) -> None:
        self._writes_page = bool(config.getoption("--reliability"))
        self._cases: Counter[str] = Counter()
        self._seeds: dict[str, list[str]] = defaultdict(list)
        self._readings: dict[str, tuple[int, int]] = {}

    @pytest.hookimpl(trylast=True)
    def pytest_collection_modifyitems(self, config: pytest.Config, items: list[pytest.Item]) -> None:
        """Hand each marker on to the reports; with ``--reliability``, run only the tests that count."""
        counting: list[pytest.Item] = []
        others: list[pytest.Item] = []
        for item in items:
            marker = item.get_closest_marker("scenario")
            if marker is not None:
                item.user_properties += [("scenario", marker.args[0]), *marker.kwargs.items()]
            counts = marker is not None or "record_property" in getattr(item, "fixturenames", ())
            (counting if counts else others).append(item)
        if self._writes_page:
            config.hook.pytest_deselected(items=others)
            items[:] = counting

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        """Count what a test that passed went through."""
        found = dict(report.user_properties)
        if report.when != "call" or not report.passed:
            return
        if "scenario" in found:
            name = str(found["scenario"])
            assert name in SCENARIOS, name
            self._cases[name] += int(str(found.get("cases", 1)))
            self._seeds[name] += [str(found["seed"])] if "seed" in found else []
        if "reading" in found:
            self._readings[str(found["reading"])] = int(str(found["storms"])), int(str(found["wrong"]))

    def pytest_terminal_summary(self, terminalreporter: Any, exitstatus: int) -> None:
        """Print the counts; with ``--reliability``, write the page if nothing failed and nothing is missing."""
        if not self._cases:
            return
        terminalreporter.section("failure scenarios")
        for name in (name for name in SCENARIOS if name in self._cases):
            terminalreporter.line(f"{SCENARIOS[name].happens}; {SCENARIOS[name].counted}: {self._cases[name]}")
        if self._writes_page:
            missing = sorted(SCENARIOS.keys() - self._cases.keys())
            if exitstatus or missing:
                terminalreporter.line(f"docs/reliability.md is not written; without cases: {missing or 'none'}")
                return
            PAGE.write_text("".join(self._page()), "utf-8")
            terminalreporter.line("docs/reliability.md is written")

    def _page(self) -> Iterator[str]:
        yield _HEAD
        for name, one in SCENARIOS.items():
            cells = (one.happens, f"{one.counted}: {self._cases[name]}", ", ".join(self._seeds[name]), one.others)
            yield f"| {' | '.join(cells)} |\n"
        yield _READINGS
        for name, (storms, wrong) in sorted(self._readings.items(), key=lambda item: (item[1][1] > 0, item[0])):
            yield f"| {name} | {storms} | {wrong} |\n"


def pytest_addoption(parser: pytest.Parser) -> None:
    """The option of `make reliability`."""
    parser.addoption(
        "--reliability", action="store_true", help="run the tests that count scenarios, and write docs/reliability.md"
    )


def pytest_configure(config: pytest.Config) -> None:
    """Start to count."""
    config.addinivalue_line("markers", "scenario(name, cases=1): counts as a case of a failure scenario once it passes")
    config.pluginmanager.register(Scenarios(config), "scenarios")
