"""Where the CPU time of a row goes: the most expensive parts, each measured alone."""

from __future__ import annotations

from typing import Final

from dev.benchmarks.measure import PEERS, Contender, cpu_per_row, run_in_turns
from dev.benchmarks.results import Table, compare
from dev.benchmarks.stub import stub

ROWS: Final = 50_000
FEW_ROWS: Final = 10_000  # for what is slow
_WHOLE: Final = "engine, 30 mapped columns"
_METHOD: Final = f"""\
The parts that lead the engine's profile, each measured alone over {ROWS:,} rows, with the ratio to the whole. The \
rest is HTTP (the floor without its decoding) and the lookup of key and cursor. What the profiles led to: a JSONPath \
with one match is compiled once to plain dict lookups, a single name needs no call at all, and jsonpath-ng evaluates \
the others; the engine parses timestamps to datetime objects, which the Connector SDK handles faster than strings; \
msgspec decodes valid JSON, because it is exact where orjson rounds (integers over 64 bits), and the standard library \
decodes what msgspec rejects (NaN, unpaired surrogates); proxies are read from the environment once, because requests \
would search it on each request, a fifth of the fetching threads' time."""


def measure(full: bool) -> dict[str, Table]:
    """CPU time per row: the whole and its parts."""
    with stub(ROWS) as url:
        costs = run_in_turns(
            [
                Contender(_WHOLE, "engine", (url,), ROWS),
                Contender("requests and .json(), the floor", "loop", (url,), ROWS),
                Contender("decoding JSON", "decode", (str(ROWS),), ROWS),
                Contender("decoding JSON with the standard library", "decode", (str(ROWS), "json.loads"), ROWS),
                Contender("decoding JSON with orjson", "decode", (str(ROWS), "orjson.loads"), ROWS, PEERS),
                Contender("mapping 30 columns", "mapping", (str(ROWS),), ROWS),
                Contender("mapping 30 columns with jsonpath-ng's find", "mapping", (str(FEW_ROWS), "find"), FEW_ROWS),
            ]
        )
    cases = compare(cpu_per_row(costs), 1, _WHOLE)
    return {"breakdown": Table("Where a row's CPU time goes", "µs per row", _METHOD, cases, ROWS)}
