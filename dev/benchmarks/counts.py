"""What a sync sends and writes if nothing or little changed. These are counts, the same on every machine."""

from __future__ import annotations

import json
from collections.abc import Callable
from datetime import timedelta
from typing import Any, Final

from dev.benchmarks.destinations import Detailed, StrictLog
from dev.benchmarks.flow_runs import FlowRuns
from dev.benchmarks.measure import progress
from dev.benchmarks.results import Case, Table
from dev.benchmarks.slow_proxy import SlowProxy
from dev.testbed.everything import EVENTS, make_everything
from dev.testbed.loopback import Loopback, rows_by_offset
from dev.testbed.prefect_server import PROJECT, PrefectServer
from dev.testbed.seed import Shape, seed
from engine.spec.load import resolve
from engine.sync import sync

STREAMS: Final = PROJECT / "streams.yaml"
RUNS: Final = 500
ROWS: Final = 1_000
OPEN: Final = 500
HISTORY: Final = 100_000
OPEN_IN_HISTORY: Final = 1_000
MANY_OPEN: Final = 20_000
STATE_OF_HISTORY: Final = f"{HISTORY:,} runs, {OPEN_IN_HISTORY:,} open: the state"
_CHECKPOINTS: Final = "first sync of {:,} open runs: all checkpoints"
ALL_CHECKPOINTS: Final = _CHECKPOINTS.format(MANY_OPEN)
_HOUR: Final = timedelta(hours=1)

QUIET: Final = f"""\
A sync of all default tables of a Prefect 3 server on which nothing changes, into a destination that counts: {RUNS} \
seeded flow runs, 100 of them open, and rows of every kind. It is the third sync; the second one still finds what \
became visible late. Requests include those for the part of reconciliation that is due and for the runs named by \
events of the last five minutes."""
REFRESH: Final = f"""\
The table deployments with {ROWS:,} rows, from a list in memory: syncs after one row changed, after one row was \
deleted, and after nothing changed. What such a sync writes."""
CHILDREN: Final = f"""\
Requests of a sync of flow_run_states alone, with {ROWS:,} flow runs in memory, {OPEN} of them open; none has changed \
for an hour. Each run's states need a request of their own."""
STATE: Final = f"""\
Bytes of the state, as JSON, of the table flow_runs with {HISTORY:,} runs in memory, {OPEN_IN_HISTORY:,} of which are \
open and changed in the last minutes, after a first sync and one without changes; and all that the checkpoints of a \
first sync save if every run is open."""


class Connection:
    """Syncs of some streams, one after the other, each from the state that the one before it left.

    Args:
        url: The URL of the API.
        streams: The setting ``streams``; empty for the default streams.
        requests: The number of requests that the server has received so far.
    """

    def __init__(self, url: str, streams: str, requests: Callable[[], int]) -> None:
        self._spec = resolve(STREAMS, {"api_url": url, "batch_size": "200", "streams": streams})
        self._requests = requests
        self.state: dict[str, Any] = {}

    def sync(self) -> tuple[Detailed, int]:
        """Run a sync; returns what it wrote, and the number of its requests."""
        destination, before = Detailed(), self._requests()
        sync(self._spec, json.loads(json.dumps(self.state)), destination, StrictLog())
        self.state = destination.state or self.state
        return destination, self._requests() - before


def measure(full: bool) -> dict[str, Table]:
    """What syncs without and with few changes cost, and how large the state is."""
    with PrefectServer(3, environment=EVENTS[3]) as server, SlowProxy(server.api_url) as proxy:
        progress("a Prefect server with rows of every kind")
        make_everything(server)
        seed(server.database, Shape(runs=RUNS))
        tables = {"quiet": quiet(proxy)}
    progress("lists in memory")
    return tables | {"refresh": refresh(), "children": children(), "state": state()}


def quiet(proxy: SlowProxy) -> Table:
    """The third of three syncs of all default tables."""
    connection = Connection(proxy.url, "", proxy.requests.total)
    first, _ = connection.sync()
    connection.sync()
    written, requests = connection.sync()
    cases = {"requests": requests} | _written(written) | {"bytes of the state": len(json.dumps(connection.state))}
    return _table("A sync without changes, all default tables", QUIET, cases, first.rows)


def refresh() -> Table:
    """One changed row, one deleted row, and no change in a full refresh."""
    rows = [{"id": f"{number:08}-0000-4000-8000-000000000000", "name": "d"} for number in range(ROWS)]
    changes: dict[str, Callable[[], object]] = {
        "1 changed": lambda: rows[ROWS // 2].update(name="changed"),
        "1 deleted": lambda: rows.pop(ROWS // 2),
        "nothing changed": lambda: None,
    }
    cases: dict[str, int] = {}
    with Loopback(rows_by_offset(rows)) as server:
        connection = Connection(server.url, "deployments", lambda: len(server.seen))
        connection.sync()
        for what, change in changes.items():
            change()
            cases |= {f"{what}: {name}": count for name, count in _written(connection.sync()[0]).items()}
    return _table(f"Small changes of a full refresh of {ROWS:,} rows", REFRESH, cases, ROWS)


def children() -> Table:
    """The states of open runs that do not change."""
    with Loopback(FlowRuns(ROWS, OPEN, _HOUR).answer) as server:
        connection = Connection(server.url, "flow_run_states", lambda: len(server.seen))
        cases = {case: connection.sync()[1] for case in ("first sync", "nothing changed")}
    return _table("Requests for the states of open runs", CHILDREN, cases, OPEN)


def state() -> Table:
    """The size of the state after a first sync, and of all states that first syncs save."""
    cases = {STATE_OF_HISTORY: _states(HISTORY, OPEN_IN_HISTORY, syncs=2)[-1]}
    for rows in (MANY_OPEN // 2, MANY_OPEN):
        cases[_CHECKPOINTS.format(rows)] = sum(_states(rows, rows, syncs=1))
    return _table("State", STATE, cases, HISTORY, unit="bytes")


def _states(runs: int, opened: int, syncs: int) -> list[int]:
    """The bytes of each state that syncs of these flow runs save."""
    with Loopback(FlowRuns(runs, opened, timedelta()).answer) as server:
        connection = Connection(server.url, "flow_runs", lambda: len(server.seen))
        return [size for _ in range(syncs) for size in connection.sync()[0].states]


def _written(destination: Detailed) -> dict[str, int]:
    return {
        "upserts": destination.rows,
        "deletes": destination.deletes,
        "truncates": destination.truncates,
        "checkpoints": len(destination.states),
    }


def _table(title: str, method: str, cases: dict[str, int], size: int, unit: str = "count") -> Table:
    return Table(title, unit, method, {name: Case(count) for name, count in cases.items()}, size)
