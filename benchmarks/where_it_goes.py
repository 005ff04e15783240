"""Where the CPU time of a row goes: the parts that cost most, each by itself."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from benchmarks.measure import PEERS, Contender, Line, Table, in_turns
from benchmarks.stub import Stub

ROWS: Final = 50_000
FEW_ROWS: Final = 10_000  # of what is slow
_WHOLE: Final = "engine, 30 mapped columns"
_ABOUT: Final = f"""\
The parts of the engine's work that a profile shows at the top, each measured by itself over {ROWS:,} rows, and the
ratio to all of it. What is left is HTTP itself (the floor without its decoding), and looking up key and cursor. Three
lessons are in the code: a JSONPath that names one place is a walk through dicts, compiled once, and
jsonpath-ng is left the others; instants become `datetime` objects here, which the
Connector SDK takes more cheaply than text; and JSON is read by the standard library. orjson would save the difference
of its line, but it rejects what servers really send (NaN, half surrogate pairs) and rounds whole numbers of more than
64 bits, so that each answer would need a second way to be read; and a real Prefect server takes many times longer to
make a row than that difference."""


def measure() -> Iterator[Table]:
    """One table: the whole and its parts."""
    with Stub(ROWS) as stub:
        contenders = [
            Contender(_WHOLE, "engine", (stub.url,), ROWS),
            Contender("requests and .json(), the floor", "floor", (stub.url,), ROWS),
            Contender("decoding JSON", "decode", (str(ROWS),), ROWS),
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
