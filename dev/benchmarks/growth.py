"""What a row costs at which depth of a history: by keyset and by offset."""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping
from contextlib import ExitStack
from typing import Any, Final

import requests

from dev.benchmarks.measure import Line, Table, tell
from dev.testbed.prefect_server import PrefectServer
from dev.testbed.seed import Shape, seed

RUNS: Final = 100_000
RUNS_IN_FULL: Final = 1_000_000
PAGE_SIZE: Final = 200
SAMPLES: Final = 9
DEPTHS: Final = (0.0, 0.25, 0.5, 0.75, 0.99)
_ABOUT: Final = f"""\
One page of {PAGE_SIZE} flow runs at several depths of a history, on a Prefect 3 server with SQLite: by keyset, as
the engine reads them, and by offset in the same order (EXPECTED_START_TIME_ASC). {SAMPLES} samples of each, in
turns; the ratios are to the first page by keyset. On PostgreSQL, which is not measured here, an offset has to pass
over every row before it."""

Body = Mapping[str, Any]


def measure(*sizes: int) -> Iterator[Table]:
    """One table: a server for each size; for RUNS, if none is given."""
    cases: dict[str, tuple[str, Body, list[float]]] = {}
    session = requests.Session()
    with ExitStack() as servers:
        for runs in sizes or (RUNS,):
            server = servers.enter_context(PrefectServer(3))
            tell(f"seeding {runs:,} flow runs")
            seed(server.database, Shape(runs=runs))
            url = f"{server.api_url}/flow_runs/filter"
            for place, body in _places(session, url, runs):
                cases[f"{runs:,} runs: {place}"] = url, body, []
        for number in range(SAMPLES):
            tell(f"sample {number + 1} of {SAMPLES}")
            for url, body, values in cases.values():
                began = time.perf_counter()
                rows = len(_page(session, url, body))
                values.append((time.perf_counter() - began) / rows * 1e6)
    (first, reference), *others = ((case, values) for case, (_, _, values) in cases.items())
    lines = [Line(first, reference), *(Line(case, values, first, reference) for case, values in others)]
    yield Table("Growth", "µs a row", lines, about=_ABOUT)


def _places(session: requests.Session, url: str, runs: int) -> Iterator[tuple[str, Body]]:
    """The pages of a history, and what asks for each."""
    for depth in DEPTHS:
        (row,) = _page(session, url, {"offset": int(runs * depth), "limit": 1})
        body = {"flow_runs": {"expected_start_time": {"after_": row["expected_start_time"]}}}
        yield f"keyset, after {depth:.0%} of the rows", body
    for depth in DEPTHS:
        yield f"offset, after {depth:.0%} of the rows", {"offset": int(runs * depth)}


def _page(session: requests.Session, url: str, body: Body) -> Any:
    answer = session.post(url, json={"sort": "EXPECTED_START_TIME_ASC", "limit": PAGE_SIZE, **body}, timeout=300)
    answer.raise_for_status()
    return answer.json()
