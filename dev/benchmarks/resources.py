"""Memory and CPU of a sync in production's conditions: a queue for rows, and a small part of a machine."""

from __future__ import annotations

from typing import Final

from dev.benchmarks.measure import Contender, progress, run, run_in_turns
from dev.benchmarks.results import Table, compare, summarize
from dev.benchmarks.slow_proxy import SlowProxy
from dev.benchmarks.stub import stub

FEW: Final = 50_000
MANY: Final = 250_000
MANY_IN_FULL: Final = 1_000_000
_MEMORY: Final = f"""\
The peak memory of the engine's process during a first sync from the stub, including Python and all libraries, with a \
destination that takes rows as production does: through a queue of 100 rows that another thread empties. One run of \
{{many:,}} records; the ratio is to the run of {FEW:,}."""

PAGES: Final = 50
PAGE_SECONDS: Final = 0.045
_SHARE: Final = f"""\
The share of one CPU that the engine needs to keep up with a server that takes {PAGE_SECONDS * 1000:.0f} ms for a page \
of 200 records, about as long as Prefect 3: the CPU time of {PAGES} pages, divided by their wall-clock time. Fivetran \
gives a connector about half a CPU."""
_ENGINE: Final = "engine, 30 mapped columns"


def measure(full: bool) -> dict[str, Table]:
    """Peak memory by the number of records, and the share of a CPU."""
    many = MANY_IN_FULL if full else MANY
    peaks: dict[str, list[float]] = {}
    for rows in (FEW, many):
        progress(f"memory: {rows:,} records")
        with stub(rows) as url:
            peak = run(Contender("engine", "engine", (url, "queued"), rows)).peak
        peaks[f"{rows:,} records"] = [peak / 1e6]
    memory = compare(peaks, 1, f"{FEW:,} records")
    rows = PAGES * 200
    with stub(rows) as url, SlowProxy(url, PAGE_SECONDS) as proxy:
        costs = run_in_turns([Contender(_ENGINE, "engine", (proxy.url, "queued"), rows)])[_ENGINE]
    share = {_ENGINE: summarize([100 * cost.cpu / cost.seconds for cost in costs], 0)}
    return {
        "memory": Table("Peak memory", "MB", _MEMORY.format(many=many), memory, many),
        "cpu_share": Table("Share of a CPU", "% of one CPU", _SHARE, share, rows),
    }
