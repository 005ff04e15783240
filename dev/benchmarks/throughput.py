"""How many rows per second the engine processes when the server costs next to nothing."""

from __future__ import annotations

from contextlib import ExitStack
from typing import Final

from dev.benchmarks.measure import PEERS, Contender, cpu_per_row, run_in_turns
from dev.benchmarks.results import Table, compare
from dev.benchmarks.stub import stub

ROWS: Final = 50_000
ROWS_OF_THE_SLOWEST: Final = 5_000  # ROWS would take it most of a minute
_FLOOR: Final = "requests and .json()"
_METHOD: Final = f"""\
{ROWS:,} records of 36 keys and 1.9 KB from a server on the loopback interface, in pages of 200, by POST with limit \
and offset. The engine maps 30 columns of all types and writes to a destination that only counts rows. The floor \
fetches the same pages with one requests.Session and decodes them with .json(). dlt and Airbyte's CDK read the \
same list; each case names what it leaves out. Airbyte with mapped fields reads {ROWS_OF_THE_SLOWEST:,} records, \
because it is slow. Each case runs in its own process; imports are not counted."""


def measure(full: bool) -> dict[str, Table]:
    """Rows per second, and CPU time per row."""
    with ExitStack() as stack:
        url = stack.enter_context(stub(ROWS))
        short = stack.enter_context(stub(ROWS_OF_THE_SLOWEST))
        costs = run_in_turns(
            [
                Contender(_FLOOR, "loop", (url,), ROWS),
                Contender("engine, 30 mapped columns", "engine", (url,), ROWS),
                Contender("dlt RESTClient.paginate, nothing mapped", "dlt_client", (url,), ROWS, PEERS),
                Contender("dlt extract step, nothing mapped", "dlt_extract", (url,), ROWS, PEERS),
                Contender("Airbyte CDK, nothing mapped", "airbyte", (url,), ROWS, PEERS),
                Contender("Airbyte CDK, 30 mapped fields", "airbyte", (short, "mapped"), ROWS_OF_THE_SLOWEST, PEERS),
            ]
        )
    speeds = {case: [cost.rows / cost.seconds for cost in own] for case, own in costs.items()}
    return {
        "throughput": Table("Throughput", "rows per second", _METHOD, compare(speeds, 0, _FLOOR), ROWS),
        "cpu": Table("CPU time", "µs per row", _METHOD, compare(cpu_per_row(costs), 1, _FLOOR), ROWS),
    }
