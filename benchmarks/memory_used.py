"""How much memory a sync needs, and that a longer one needs no more."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from benchmarks.measure import Contender, Line, Table, run, tell
from benchmarks.stub import Stub

FEW: Final = 50_000
MANY: Final = 1_000_000
_ABOUT: Final = f"""\
The most memory that the engine's process had during a first sync from the stub, Python and all libraries included,
with a destination that takes rows as production does: through a queue of 100, emptied by another thread. One run of
{MANY:,} records, the ratio to the run of {FEW:,} before it."""


def measure() -> Iterator[Table]:
    """One table: the peak by the number of records."""
    lines: list[Line] = []
    for rows in (FEW, MANY):
        tell(f"memory: {rows:,} records")
        with Stub(rows) as stub:
            cost = run(Contender("engine", "engine_queued", (stub.url,), rows))
        peak = [cost.peak / 1e6]
        lines.append(Line(f"{rows:,} records", peak, *((lines[0].case, lines[0].values) if lines else ())))
    yield Table("Memory", "MB at most", lines, ",.1f", _ABOUT)
