"""What the tests put the connector through and what was lost, as counted by the tests that ran: docs/reliability.md."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Final

from tests.readme import PROJECT

PAGE: Final = PROJECT / "docs" / "reliability.md"

_HEAD: Final = """\
# Reliability

Written by `make reliability` from what its tests counted; do not edit. All of them are part of `make test`.

## What was tried

Nothing was lost: each case ended with a destination that holds every row of the server as it is there, or with a
failure that says what happened and a state from which the next sync brings every row. What other tools do was measured
with airbyte-cdk 7.39.1, dlt 1.31.0, singer-sdk 0.54.9 and tap-rest-api-msdk 1.4.2.

| What happens | Tried | Lost or wrong | Seeds | Other tools |
| --- | --- | ---: | --- | --- |
"""
_READINGS: Final = """
## The same changes, read in other ways

An API in memory on which rows are inserted, changed, deleted and committed late while syncs run, with ties and a clock
that is off. Afterwards the destination is compared with it.

| Reading | Storms | After which rows were wrong |
| --- | ---: | ---: |
"""


@dataclass(frozen=True)
class Subject:
    """Something that happens, what is counted of it, and what others are known to do then."""

    happens: str
    counted: str
    others: str = ""


SUBJECTS: Final = {
    "storm-3-sqlite": Subject("Prefect 3 on SQLite is changed at random while syncs run", "changes"),
    "storm-2-sqlite": Subject("Prefect 2 on SQLite is changed at random while syncs run", "changes"),
    "storm-3-postgresql": Subject("Prefect 3 on PostgreSQL is changed by three threads while syncs run", "changes"),
    "storm-2-postgresql": Subject("Prefect 2 on PostgreSQL is changed by three threads while syncs run", "changes"),
    "everything-3": Subject("All that Prefect 3 tells is changed at random while syncs run", "changes"),
    "everything-2": Subject("All that Prefect 2 tells is changed at random while syncs run", "changes"),
    "kills-scripted": Subject(
        "SIGKILL at random moments of syncs of a changing API",
        "kills",
        "dlt: a crash during an extract keeps nothing. Airbyte: checkpoints only between slices",
    ),
    "kills-real": Subject("SIGKILL at random moments of syncs of a changing Prefect 3", "kills"),
    "restart": Subject("The server is restarted during a sync", "restarts"),
    "stopped": Subject("A sync is stopped before or after any of its operations", "places"),
    "refused-row": Subject("The destination refuses a row", "places"),
    "passing-fault": Subject(
        "A request fails for a passing reason: a connection cut, a timeout, 408, 429, 5xx, a broken body",
        "kinds and places",
        "Airbyte: a broken body with status 200 ends the sync as a success, and the state passes what was not read",
    ),
    "lasting-fault": Subject("Such a reason does not pass", "kinds"),
    "retry-after": Subject("The server says how long to wait", "ways to say it", "Singer: it is not heeded"),
    "short-pages": Subject(
        "The server's pages are shorter than was asked for",
        "lengths",
        "A short page is taken for the end: 100 of 1,000 rows, and success",
    ),
    "offset-ignored": Subject(
        "The server ignores the offset", "lists", "The first page is read for ever: no guard, no end"
    ),
    "bad-json": Subject("A body is no JSON: cut, empty, another encoding, nested without end", "bodies"),
    "odd-json": Subject("A body spells what no warehouse stores, or spells it oddly", "bodies"),
    "future-state": Subject(
        "The saved state is dated in the future", "states", "No row arrives in any further sync, and nothing says so"
    ),
    "bad-state": Subject("The saved state is damaged, or of another API", "states"),
    "secrets": Subject(
        "An error path is walked with marked secrets, which must appear nowhere",
        "paths",
        "Airbyte: a wrong configuration is printed whole, secrets included",
    ),
    "bad-yaml": Subject(
        "A streams.yaml is wrong: the exact message and its place are demanded",
        "files",
        "Unknown keys are accepted (`primary_keyy`), and no message tells a place",
    ),
    "planted": Subject("A mistake that only a server can know is planted for `check`", "mistakes"),
}


@dataclass
class _Tally:
    count: int = 0
    lost: int = 0
    seeds: list[str] = field(default_factory=list)


class Reliability:
    """Takes what tests counted."""

    def __init__(self) -> None:
        self._tried: dict[str, _Tally] = {}
        self._readings: dict[str, _Tally] = {}

    def tried(self, subject: str, count: int = 1, *, lost: int = 0, seed: int | None = None) -> None:
        """Count cases of one of SUBJECTS, and the rows that were lost or wrong in them."""
        assert subject in SUBJECTS, subject
        self._add(self._tried, subject, count, lost, seed)

    def reading(self, name: str, storms: int, lost: int) -> None:
        """Count the storms of the model in which a way of reading ended with wrong rows."""
        self._add(self._readings, name, storms, lost, None)

    def _add(self, tallies: dict[str, _Tally], name: str, count: int, lost: int, seed: int | None) -> None:
        tally = tallies.setdefault(name, _Tally())
        tally.count += count
        tally.lost += lost
        tally.seeds += [] if seed is None else [str(seed)]

    def dump(self) -> dict[str, dict[str, tuple[int, int, list[str]]]]:
        """What was counted, as plain values."""
        return {
            kind: {name: (tally.count, tally.lost, tally.seeds) for name, tally in tallies.items()}
            for kind, tallies in (("tried", self._tried), ("readings", self._readings))
        }

    def add(self, dumped: Mapping[str, Mapping[str, tuple[int, int, list[str]]]]) -> None:
        """Add what was counted elsewhere."""
        for kind, tallies in (("tried", self._tried), ("readings", self._readings)):
            for name, (count, lost, seeds) in dumped.get(kind, {}).items():
                self._add(tallies, name, count, lost, None)
                tallies[name].seeds += seeds

    def missing(self) -> list[str]:
        """The subjects of which nothing was counted."""
        return [name for name in SUBJECTS if name not in self._tried]

    def lines(self) -> Iterator[str]:
        """The rows of both tables, as text."""
        for name, subject in SUBJECTS.items():
            if name in self._tried:
                tally = self._tried[name]
                seeds = f" (seed {', '.join(tally.seeds)})" if tally.seeds else ""
                yield f"{subject.happens}; {subject.counted}: {tally.count}, lost: {tally.lost}{seeds}"
        for name, tally in sorted(self._readings.items()):
            yield f"{name}: rows wrong after {tally.lost} of {tally.count} storms"

    def page(self) -> str:
        """The whole page, in Markdown."""
        rows = []
        for name, one in SUBJECTS.items():
            tally = self._tried[name]
            cells = (one.happens, f"{one.counted}: {tally.count}", str(tally.lost), ", ".join(tally.seeds), one.others)
            rows.append(f"| {' | '.join(cells)} |\n")
        readings = sorted(self._readings.items(), key=lambda item: (item[1].lost > 0, item[0]))
        rows_of_readings = [f"| {name} | {tally.count} | {tally.lost} |\n" for name, tally in readings]
        return "".join([_HEAD, *rows, _READINGS, *rows_of_readings])
