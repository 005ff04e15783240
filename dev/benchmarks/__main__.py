"""`make bench`: measures everything, prints one table and writes docs/performance.md. In less than ten minutes.

make bench ARGS=--full            ten times the history: first syncs of 100,000 runs, depths of 1,000,000; 50 minutes
make bench ARGS="requests start"  only some; nothing is written
"""

from __future__ import annotations

import argparse
import sys
import time
from collections.abc import Callable, Iterator
from functools import partial

from dev.benchmarks import as_in_production, backfill, engine_alone, growth, report, requests_made, start, where_it_goes
from dev.benchmarks.measure import Broken, Table, tell
from dev.testbed.prefect_server import PROJECT, ServerError

PAGE = PROJECT / "docs" / "performance.md"
REQUIREMENTS = ("dev/testbed/requirements-prefect-3.txt", "dev/benchmarks/requirements-peers.txt")


def main() -> int:
    """Measure what was asked for; answers with the exit code."""
    benchmarks: dict[str, Callable[[], Iterator[Table]]] = {
        "engine": engine_alone.measure,
        "parts": where_it_goes.measure,
        "requests": requests_made.measure,
        "backfill": backfill.measure,
        "growth": growth.measure,
        "production": as_in_production.measure,
        "start": start.measure,
    }
    parser = argparse.ArgumentParser(prog="make bench", description="Measure the engine.")
    parser.add_argument("only", nargs="*", help=f"of {', '.join(benchmarks)}; all, if none is named")
    parser.add_argument("--full", action="store_true", help="ten times the history; takes 50 minutes")
    given = parser.parse_args()
    if unknown := set(given.only) - set(benchmarks):
        parser.error(f"unknown: {', '.join(sorted(unknown))}; known are {', '.join(benchmarks)}")
    if given.full:
        benchmarks["requests"] = partial(requests_made.measure, requests_made.RUNS_IN_FULL)
        benchmarks["backfill"] = partial(backfill.measure, backfill.RUNS_IN_FULL)
        benchmarks["growth"] = partial(growth.measure, growth.RUNS, growth.RUNS_IN_FULL)
        benchmarks["production"] = partial(as_in_production.measure, as_in_production.MANY_IN_FULL)
    began, tables = time.monotonic(), list[Table]()
    try:
        for name, measure in benchmarks.items():
            if not given.only or name in given.only:
                tell(f"{name}, after {time.monotonic() - began:.0f} s")
                tables += measure()
    except (Broken, ServerError) as error:
        print(f"make bench: {error}", file=sys.stderr)
        return 1
    print(report.text(tables))
    print(f"\n{time.monotonic() - began:.0f} s in all.")
    if not given.only:
        versions = ", ".join(report.versions_of(PROJECT / path) for path in REQUIREMENTS)
        PAGE.parent.mkdir(exist_ok=True)
        PAGE.write_text(report.page(tables, versions, given.full), "utf-8")
        print(f"Written: {PAGE.relative_to(PROJECT)}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
