"""`make bench`: measure the engine, and write the results to docs/performance.json, .md and .svg. Takes ten minutes.

make bench ARGS=--full            ten times the history: first syncs of 100,000 runs, pages of 1,000,000; 50 minutes
make bench ARGS="requests start"  only these; the other results stay
make bench ARGS=--page            measure nothing: rewrite page and chart from docs/performance.json
"""

from __future__ import annotations

import argparse
import sys
import time
from collections.abc import Callable, Mapping
from typing import Final

from dev.benchmarks import backfill, breakdown, counts, growth, request_count, resources, results, start, throughput
from dev.benchmarks.chart import chart
from dev.benchmarks.measure import BenchmarkError, progress
from dev.benchmarks.page import page
from dev.testbed.prefect_server import PROJECT, ServerError

RESULTS: Final = PROJECT / "docs" / "performance.json"
PAGE: Final = RESULTS.with_suffix(".md")
CHART: Final = RESULTS.with_suffix(".svg")

BENCHMARKS: Final[Mapping[str, Callable[[bool], results.Tables]]] = {
    "throughput": throughput.measure,
    "breakdown": breakdown.measure,
    "requests": request_count.measure,
    "counts": counts.measure,
    "backfill": backfill.measure,
    "growth": growth.measure,
    "resources": resources.measure,
    "start": start.measure,
}


def main() -> int:
    """Run the benchmarks named on the command line, or all; returns the exit code."""
    parser = argparse.ArgumentParser(prog="make bench", description="Measure the engine.")
    parser.add_argument("only", nargs="*", metavar="BENCHMARK", help=f"{', '.join(BENCHMARKS)}; default: all")
    parser.add_argument("--full", action="store_true", help="ten times the history; takes 50 minutes")
    parser.add_argument("--page", action="store_true", help="measure nothing; rewrite page and chart from the results")
    given = parser.parse_args()
    if unknown := set(given.only) - set(BENCHMARKS):
        parser.error(f"unknown: {', '.join(sorted(unknown))}; choose from {', '.join(BENCHMARKS)}")
    names = [] if given.page else [name for name in BENCHMARKS if not given.only or name in given.only]
    began = time.monotonic()
    try:
        for name in names:
            progress(f"{name}, after {time.monotonic() - began:.0f} s")
            measured = BENCHMARKS[name](given.full)
            print(f"\n{results.text(measured)}\n", flush=True)
            _publish(measured)
    except (BenchmarkError, ServerError) as error:
        print(f"make bench: {error}", file=sys.stderr)
        return 1
    if given.page:
        _publish({})
    print(f"Wrote {', '.join(str(path.relative_to(PROJECT)) for path in (RESULTS, PAGE, CHART))}")
    return 0


def _publish(measured: results.Tables) -> None:
    """Save the tables of one benchmark and write the page and the chart, at once: a later benchmark may fail."""
    known = results.load(RESULTS)
    for name in results.smaller(known, measured):
        progress(f"{name}: kept the result for {known[name].size:,} rows, which is larger (--full)")
    merged = results.merge(known, measured)
    results.save(RESULTS, merged)
    PAGE.write_text(page(merged), "utf-8")
    CHART.write_text(chart(merged), "utf-8")


if __name__ == "__main__":
    sys.exit(main())
