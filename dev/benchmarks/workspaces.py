"""What one connection of many workspaces costs: python -m dev.benchmarks.workspaces

Measures syncs of the default tables of many workspaces, from lists in memory, and writes the table in docs/scale.md.
Counts are the same on every machine. Takes two minutes.
"""

from __future__ import annotations

import json
import re
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import timedelta
from typing import Any, Final

from dev.benchmarks.destinations import Detailed
from dev.benchmarks.flow_runs import FlowRuns
from dev.benchmarks.measure import progress
from dev.benchmarks.memory import peak_memory
from dev.testbed.loopback import Loopback, Reply, Seen
from dev.testbed.prefect_server import PROJECT
from engine.spec.load import resolve
from engine.sync import sync

PAGE: Final = PROJECT / "docs" / "scale.md"
WORKSPACES: Final = (1, 10, 100)
RUNS: Final = 100  # of each workspace, ten of which are open
ROWS: Final = 20  # of each other table of each workspace
POOLS: Final = 2  # each with as many workers and queues
SECONDS_A_REQUEST: Final = 0.3  # of Prefect Cloud; an estimate
AT_ONCE: Final = 2  # of the four that are allowed; measured were 2.3 to 3, with 50 ms a request
STATE_MAX: Final = 10_000_000
_MARKS: Final = re.compile(r"(?<=<!-- workspaces -->\n).*?(?=<!-- /workspaces -->)", re.DOTALL)


@dataclass(frozen=True)
class Cost:
    """What a sync cost: upserted rows, requests, checkpoints, bytes of the last state, CPU seconds, peak memory."""

    rows: int
    requests: int
    checkpoints: int
    state: int
    cpu: float
    peak: int


class Account:
    """The API of an account whose workspaces have the same rows."""

    def __init__(self, workspaces: int) -> None:
        self._ids = [f"{number:08x}-0000-4000-8000-000000000000" for number in range(workspaces)]
        self._runs = FlowRuns(RUNS, RUNS // 10, timedelta(hours=1))
        stamps = {"created": "2024-05-01T10:00:00Z", "updated": "2024-05-01T10:00:00Z"}
        self._rows = [
            {"id": f"{number:08x}-0000-4000-9000-000000000000", "name": f"row-{number}", **stamps}
            for number in range(ROWS)
        ]

    def answer(self, seen: Seen) -> Reply:
        """The response to a request."""
        _, _, path = seen.path.partition("/workspaces/")
        if path == "filter":
            return self._page([{"id": key, "handle": f"space-{key[:8]}"} for key in self._ids], seen)
        _, _, inner = path.partition("/")
        if inner.startswith(("flow_runs/", "events/")):
            return self._runs.answer(seen)
        if inner.endswith("/count"):
            return Reply(ROWS)
        return self._page(self._rows[:POOLS] if inner == "work_pools/filter" else self._rows, seen)

    def _page(self, rows: list[dict[str, Any]], seen: Seen) -> Reply:
        first, limit = seen.json.get("offset", 0), seen.json.get("limit", 200)
        return Reply(rows[first : first + limit])


class _Log:
    """A log that drops what is no warning."""

    def info(self, message: str) -> None:
        """Drop a message."""

    def warning(self, message: str) -> None:
        """Print a warning: it can explain a figure."""
        progress(message[:200])


def measure(workspaces: int) -> tuple[Cost, Cost]:
    """A first sync, and one without changes after it, in a process of their own."""
    account = Account(workspaces)
    with Loopback(account.answer) as server:
        url = f"{server.url.removesuffix('/api')}/api/accounts/a/workspaces/{'0' * 8}-0000-4000-8000-000000000000"
        command = [sys.executable, "-m", "dev.benchmarks.workspaces", url]
        done = subprocess.Popen(command, cwd=PROJECT, stdout=subprocess.PIPE, text=True)
        assert done.stdout is not None
        found = []
        before = 0
        for line in done.stdout:
            requests, before = len(server.seen) - before, len(server.seen)
            found.append(Cost(requests=requests, **json.loads(line)))
        done.wait()
    first, _, idle = found  # the second sync still finds what became visible late
    return first, idle


def run(url: str) -> None:
    """Run a first sync and two without changes, and print what each cost. The second sends what came late."""
    spec = resolve(PROJECT / "streams.yaml", {"api_url": url, "batch_size": "200", "workspaces": "all"})
    state: dict[str, Any] = {}
    for _ in range(3):
        destination, began = Detailed(), time.process_time()
        sync(spec, json.loads(json.dumps(state)), destination, _Log())
        state = destination.state or state
        cost = {
            "rows": destination.rows,
            "checkpoints": len(destination.states),
            "state": len(json.dumps(state)),
            "cpu": time.process_time() - began,
            "peak": peak_memory(),
        }
        print(json.dumps(cost), flush=True)


def table(costs: dict[int, tuple[Cost, Cost]]) -> str:
    """The table of docs/scale.md."""
    lines = [
        "| workspaces | rows | first sync: requests | checkpoints | without changes: requests | checkpoints | CPU | "
        "state | peak memory |",
        f"|{' ---: |' * 9}",
    ]
    for workspaces, (first, idle) in costs.items():
        lines.append(
            f"| {workspaces} | {first.rows:,} | {first.requests:,} | {first.checkpoints:,} | {idle.requests:,} | "
            f"{idle.checkpoints} | {idle.cpu:.1f} s | {idle.state / 1000:,.0f} KB | {idle.peak / 1e6:,.0f} MB |"
        )
    return "\n".join([*lines, "", *_bounds(*list(costs.items())[-1]), ""])


def _bounds(workspaces: int, costs: tuple[Cost, Cost]) -> Iterator[str]:
    """At how many workspaces one connection is outgrown, by the costs of so many."""
    _, idle = costs
    requests, state = idle.requests / workspaces, idle.state / workspaces
    by_time = 3600 / SECONDS_A_REQUEST * AT_ONCE / requests
    yield f"- A workspace of which nothing changed takes {requests:.0f} requests. At {SECONDS_A_REQUEST} s a request,"
    yield f"  {AT_ONCE} at a time, an hour is enough for {_rounded(by_time)} workspaces, and 15 minutes for"
    yield f"  {_rounded(by_time / 4)}."
    yield f"- It takes {1000 * idle.cpu / workspaces:.0f} ms of CPU, which leaves room for more."
    yield f"- It takes {state / 1000:.0f} KB of the state. Fivetran keeps less than {STATE_MAX / 10**6:.0f} MB:"
    yield f"  {_rounded(STATE_MAX / state)} workspaces of this size."


def _rounded(number: float) -> str:
    """A number with two digits that count."""
    return f"{float(f'{number:.1e}'):,.0f}"


def main() -> None:
    """Measure, and rewrite the table."""
    if len(sys.argv) > 1:
        run(sys.argv[1])
        return
    costs = {}
    for workspaces in WORKSPACES:
        progress(f"{workspaces} workspaces")
        costs[workspaces] = measure(workspaces)
    page = PAGE.read_text("utf-8")
    assert _MARKS.search(page)
    PAGE.write_text(_MARKS.sub(lambda _: table(costs), page), "utf-8")
    print(table(costs))


if __name__ == "__main__":
    main()
