"""Where the CPU time of a row goes: the parts that cost most, each by itself."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from dev.benchmarks.measure import PEERS, Contender, Line, Table, in_turns
from dev.benchmarks.stub import Stub

ROWS: Final = 50_000
FEW_ROWS: Final = 10_000  # of what is slow
_WHOLE: Final = "engine, 30 mapped columns"
_ABOUT: Final = f"""\
The parts of the engine's work that a profile shows at the top, each measured by itself over {ROWS:,} rows, and the
ratio to all of it. What is left is HTTP itself (the floor without its decoding), and looking up key and cursor. What
the profiles taught is in the code: a JSONPath that names one place is a walk through dicts, compiled once, one that is
a single name needs no call at all, and jsonpath-ng is left the others; instants become `datetime` objects here, which
the Connector SDK takes more cheaply than text; JSON without faults is read by msgspec, which is exact where orjson
rounds (whole numbers of more than 64 bits), and what it refuses (NaN, half surrogate pairs) by the standard library;
requests would search the environment for proxies at each request, a fifth of what the threads that fetch did."""


def measure() -> Iterator[Table]:
    """One table: the whole and its parts."""
    with Stub(ROWS) as stub:
        contenders = [
            Contender(_WHOLE, "engine", (stub.url,), ROWS),
            Contender("requests and .json(), the floor", "floor", (stub.url,), ROWS),
            Contender("decoding JSON", "decode", (str(ROWS),), ROWS),
            Contender("decoding JSON by the standard library", "decode", (str(ROWS), "json.loads"), ROWS),
            Contender("decoding JSON by orjson", "decode", (str(ROWS), "orjson.loads"), ROWS, PEERS),
            Contender("mapping 30 columns", "mapping", (str(ROWS),), ROWS),
            Contender("mapping 30 columns by jsonpath-ng's find", "mapping", (str(FEW_ROWS), "find"), FEW_ROWS),
        ]
        costs = in_turns(contenders)
    values = [[cost.cpu / cost.rows * 1e6 for cost in own] for own in costs]
    lines = [Line(_WHOLE, values[0])] + [
        Line(contender.case, own, _WHOLE, values[0]) for contender, own in zip(contenders[1:], values[1:], strict=True)
    ]
    yield Table("Where a row's time goes", "µs of CPU a row", lines, ",.1f", _ABOUT)
