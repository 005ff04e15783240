"""Memory and CPU of a sync as it runs in production: a queue for rows, a small part of a machine."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from dev.benchmarks.measure import Contender, Line, Table, in_turns, run, tell
from dev.benchmarks.slow_proxy import SlowProxy
from dev.benchmarks.stub import Stub

FEW: Final = 50_000
MANY: Final = 250_000
MANY_IN_FULL: Final = 1_000_000
_ABOUT: Final = f"""\
The most memory that the engine's process had during a first sync from the stub, Python and all libraries included,
with a destination that takes rows as production does: through a queue of 100, emptied by another thread. One run of
{{many:,}} records, the ratio to the run of {FEW:,} before it."""

PAGES: Final = 50
PAGE_SECONDS: Final = 0.045
_SHARE: Final = f"""\
The share of one CPU that the engine needs to keep up with a server that takes {PAGE_SECONDS * 1000:.0f} ms for a page
of 200 records, about what Prefect 3 takes: CPU time of {PAGES} pages, by the time they took. Fivetran gives a connector
about half a CPU."""


def measure(many: int = MANY) -> Iterator[Table]:
    """Two tables: the peak by the number of records, and the share of a CPU."""
    lines: list[Line] = []
    for rows in (FEW, many):
        tell(f"memory: {rows:,} records")
        with Stub(rows) as stub:
            cost = run(Contender("engine", "engine_queued", (stub.url,), rows))
        peak = [cost.peak / 1e6]
        lines.append(Line(f"{rows:,} records", peak, *((lines[0].case, lines[0].values) if lines else ())))
    yield Table("Memory", "MB at most", lines, ",.1f", _ABOUT.format(many=many))
    rows = PAGES * 200
    with Stub(rows) as stub, SlowProxy(stub.url, PAGE_SECONDS) as proxy:
        (costs,) = in_turns([Contender("engine, 30 mapped columns", "engine_queued", (proxy.url,), rows)])
    share = [100 * cost.cpu / cost.seconds for cost in costs]
    yield Table("Half a CPU", "% of a CPU", [Line("engine, 30 mapped columns", share)], ",.0f", _SHARE)
