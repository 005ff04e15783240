"""The engine by itself: how many rows a second it can take from a server that costs next to nothing."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack
from typing import Final

from dev.benchmarks.measure import PEERS, Contender, Line, Table, in_turns
from dev.benchmarks.stub import Stub

ROWS: Final = 50_000
ROWS_OF_THE_SLOWEST: Final = 5_000  # it takes most of a minute for ROWS

_FLOOR: Final = "requests and .json()"
_ABOUT: Final = f"""\
{ROWS:,} records of 36 keys and 1.9 KB from a server on the loopback interface, in pages of 200 by `POST` with
`limit` and `offset`. The engine maps 30 columns of all types, from streams.yaml, and gives its rows to a
destination that only counts. The floor, to which the ratios are, is the same pages fetched with one
`requests.Session` and decoded with `.json()`. dlt and Airbyte's CDK read the same list; what a case leaves out
stands beside it. Airbyte with mapped fields reads {ROWS_OF_THE_SLOWEST:,} records, because of the time that it
takes. All are in processes of their own; importing them is not counted."""


def measure() -> Iterator[Table]:
    """Two tables: rows by the clock, and CPU time."""
    with ExitStack() as stack:
        url = stack.enter_context(Stub(ROWS)).url
        short = stack.enter_context(Stub(ROWS_OF_THE_SLOWEST)).url
        contenders = [
            Contender(_FLOOR, "floor", (url,), ROWS),
            Contender("engine, 30 mapped columns", "engine", (url,), ROWS),
            Contender("dlt RESTClient.paginate, nothing mapped", "dlt_client", (url,), ROWS, PEERS),
            Contender("dlt extract step, nothing mapped", "dlt_extract", (url,), ROWS, PEERS),
            Contender("Airbyte CDK, nothing mapped", "airbyte", (url,), ROWS, PEERS),
            Contender("Airbyte CDK, 30 mapped fields", "airbyte", (short, "mapped"), ROWS_OF_THE_SLOWEST, PEERS),
        ]
        costs = in_turns(contenders)
    speeds = [[cost.rows / cost.seconds for cost in own] for own in costs]
    cpu = [[cost.cpu / cost.rows * 1e6 for cost in own] for own in costs]
    cases = [contender.case for contender in contenders]
    yield Table("Engine alone: speed", "rows a second", _beside_the_floor(cases, speeds), about=_ABOUT)
    yield Table("Engine alone: CPU time", "µs a row", _beside_the_floor(cases, cpu), ",.1f")


def _beside_the_floor(cases: list[str], values: list[list[float]]) -> list[Line]:
    return [Line(cases[0], values[0])] + [
        Line(case, own, _FLOOR, values[0]) for case, own in zip(cases[1:], values[1:], strict=True)
    ]
