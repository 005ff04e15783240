"""What a row costs at different depths of a history: by keyset and by offset."""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping
from contextlib import ExitStack
from typing import Any, Final

import requests

from dev.benchmarks.measure import progress
from dev.benchmarks.results import Table, compare
from dev.testbed.prefect_server import PrefectServer
from dev.testbed.seed import Shape, seed

RUNS: Final = (100_000,)
RUNS_IN_FULL: Final = (100_000, 1_000_000)
PAGE_SIZE: Final = 200
SAMPLES: Final = 9
DEPTHS: Final = (0.0, 0.25, 0.5, 0.75, 0.99)
_METHOD: Final = f"""\
One page of {PAGE_SIZE} flow runs at several depths of a history, on a Prefect 3 server with SQLite: by keyset, as the \
engine reads them, and by offset in the same order (EXPECTED_START_TIME_ASC). {SAMPLES} samples of each, in turns; the \
ratio is to the first page by keyset. On PostgreSQL, which is not measured here, an offset scans every row before it."""

Body = Mapping[str, Any]


def measure(full: bool) -> dict[str, Table]:
    """Microseconds per row, with one server for each size of history."""
    sizes = RUNS_IN_FULL if full else RUNS
    pages: dict[str, tuple[str, Body]] = {}
    session = requests.Session()
    with ExitStack() as servers:
        for runs in sizes:
            server = servers.enter_context(PrefectServer(3))
            progress(f"seeding {runs:,} flow runs")
            seed(server.database, Shape(runs=runs))
            url = f"{server.api_url}/flow_runs/filter"
            pages |= {f"{runs:,} runs: {place}": (url, body) for place, body in _pages(session, url, runs)}
        samples: dict[str, list[float]] = {case: [] for case in pages}
        for number in range(SAMPLES):
            progress(f"sample {number + 1} of {SAMPLES}")
            for case, (url, body) in pages.items():
                began = time.perf_counter()
                rows = len(_read(session, url, body))
                samples[case].append((time.perf_counter() - began) / rows * 1e6)
    return {"growth": Table("Growth", "µs per row", _METHOD, compare(samples, 0, next(iter(samples))), max(sizes))}


def _pages(session: requests.Session, url: str, runs: int) -> Iterator[tuple[str, Body]]:
    """The name of each page, and the body that requests it."""
    for depth in DEPTHS:
        (row,) = _read(session, url, {"offset": int(runs * depth), "limit": 1})
        body = {"flow_runs": {"expected_start_time": {"after_": row["expected_start_time"]}}}
        yield f"keyset, after {depth:.0%} of the rows", body
    for depth in DEPTHS:
        yield f"offset, after {depth:.0%} of the rows", {"offset": int(runs * depth)}


def _read(session: requests.Session, url: str, body: Body) -> Any:
    response = session.post(url, json={"sort": "EXPECTED_START_TIME_ASC", "limit": PAGE_SIZE, **body}, timeout=300)
    response.raise_for_status()
    return response.json()
