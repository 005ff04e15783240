"""What a row costs at which depth of a history: by keyset and by offset."""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping
from typing import Any, Final

import requests

from benchmarks.measure import Line, Table, tell
from testbed.prefect_server import PrefectServer
from testbed.seed import Shape, seed

RUNS: Final = 100_000
RUNS_IN_FULL: Final = 1_000_000
PAGE_SIZE: Final = 200
SAMPLES: Final = 9
DEPTHS: Final = (0.0, 0.25, 0.5, 0.75, 0.99)
_ABOUT: Final = f"""\
One page of {PAGE_SIZE} flow runs at several depths of the history, on a Prefect 3 server with SQLite: by keyset, as
the engine reads them, and by offset in the same order (EXPECTED_START_TIME_ASC). {SAMPLES} samples of each, in
turns; the ratios are to the first page by keyset. On PostgreSQL, which is not measured here, an offset has to pass
over every row before it."""


def measure(*sizes: int) -> Iterator[Table]:
    """A table for each size; for RUNS, if none is given."""
    for runs in sizes or (RUNS,):
        with PrefectServer(3) as server:
            tell(f"seeding {runs:,} flow runs")
            seed(server.database, Shape(runs=runs))
            lines = _curve(f"{server.api_url}/flow_runs/filter", runs)
        yield Table(f"Growth: {runs:,} flow runs", "µs a row", lines, about=_ABOUT if runs == RUNS else "")


def _curve(url: str, runs: int) -> list[Line]:
    session = requests.Session()
    cases: dict[str, tuple[Mapping[str, Any], list[float]]] = {}
    body: Mapping[str, Any]
    for style in ("keyset", "offset"):
        for depth in DEPTHS:
            offset = int(runs * depth)
            body = {"offset": offset}
            if style == "keyset":
                (row,) = _page(session, url, {"offset": offset, "limit": 1})
                body = {"flow_runs": {"expected_start_time": {"after_": row["expected_start_time"]}}}
            cases[f"{style}, after {depth:.0%} of the rows"] = body, []
    for number in range(SAMPLES):
        tell(f"sample {number + 1} of {SAMPLES}")
        for body, values in cases.values():
            began = time.perf_counter()
            rows = len(_page(session, url, body))
            values.append((time.perf_counter() - began) / rows * 1e6)
    first, *others = cases
    return [Line(first, cases[first][1]), *(Line(case, cases[case][1], first, cases[first][1]) for case in others)]


def _page(session: requests.Session, url: str, body: Mapping[str, Any]) -> Any:
    answer = session.post(url, json={"sort": "EXPECTED_START_TIME_ASC", "limit": PAGE_SIZE, **body}, timeout=300)
    answer.raise_for_status()
    return answer.json()
