"""How long a first sync takes, compared with clients that only download, near the server and far from it."""

from __future__ import annotations

import statistics
from typing import Final

from dev.benchmarks.measure import Contender, progress, run_in_turns
from dev.benchmarks.results import Case, Table, compare
from dev.benchmarks.slow_proxy import SlowProxy
from dev.testbed.prefect_server import PrefectServer
from dev.testbed.seed import Shape, seed

RUNS: Final = 10_000
RUNS_IN_FULL: Final = 100_000
DELAY: Final = 0.05
_METHOD: Final = """\
A first sync of {runs:,} flow runs from a Prefect 3 server on SQLite (one process, on the same machine), with the \
connector's own streams.yaml, into a destination that only counts rows. The ratio is to the fastest client that only \
downloads the same runs: by keyset, in pages of 200, over several connections, without compression, with the time \
spans known in advance. The engine always offers gzip, which costs the server time too{gzip}. The loop by offset reads \
pages of 100 in sequence over one connection, as most readers of this API do. The server takes nearly all of the time, \
because it serves one page after another: the fastest download is the bound for every client, and a loop that keeps \
such a server busy comes close to it."""
_FAR: Final = f"""\
The same through a proxy that delays each request by {DELAY * 1000:.0f} ms, like a server on another continent. The \
proxy does not limit bandwidth, which would favor gzip. A loop waits for the round trip on each page; requests sent \
ahead do not, until the server itself is the bound."""


def measure(full: bool) -> dict[str, Table]:
    """Seconds without and with latency."""
    runs = RUNS_IN_FULL if full else RUNS
    method = _METHOD.format(runs=runs, gzip="" if full else "; one case shows what that alone costs")
    with PrefectServer(3) as server:
        progress(f"seeding {runs:,} flow runs")
        seed(server.database, Shape(runs=runs))
        near = _compare_with_downloads(server.api_url, runs, gzip=not full)
        with SlowProxy(server.api_url, DELAY) as proxy:
            far = _compare_with_downloads(proxy.url, runs)
    return {
        "first_sync": Table("First sync", "seconds", method, near, runs),
        "first_sync_far": Table(f"First sync, {DELAY * 1000:.0f} ms away", "seconds", _FAR, far, runs),
    }


def _compare_with_downloads(url: str, runs: int, *, gzip: bool = False) -> dict[str, Case]:
    downloads = [
        Contender(f"download, {number} connections", "download", (url, str(number), "identity"), runs)
        for number in (2, 4)
    ]
    others = [
        Contender("engine", "connector", (url,), runs),
        *([Contender("download, 2 connections, gzip", "download", (url, "2"), runs)] if gzip else []),
        Contender("loop by offset, pages of 100", "loop", (url, "100"), runs),
    ]
    costs = run_in_turns([*downloads, *others])
    seconds = {case: [cost.seconds for cost in own] for case, own in costs.items()}
    fastest = min((download.case for download in downloads), key=lambda case: statistics.median(seconds[case]))
    return compare(seconds, 2, fastest)
