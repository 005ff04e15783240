"""How long a first sync takes, beside a client that only downloads, close to the server and far from it."""

from __future__ import annotations

import statistics
from collections.abc import Iterator
from typing import Final

from dev.benchmarks.measure import Contender, Line, Table, in_turns, tell
from dev.benchmarks.slow_proxy import SlowProxy
from dev.testbed.prefect_server import PrefectServer
from dev.testbed.seed import Shape, seed

RUNS: Final = 10_000
RUNS_IN_FULL: Final = 100_000
DELAY: Final = 0.05
_ABOUT: Final = """\
A first sync of {runs:,} flow runs from a Prefect 3 server on SQLite (one process, on the same machine), with the
connector's own streams.yaml, into a destination that only counts. The ratios are to the fastest of the clients
that only download the same runs: by keyset, in pages of 200, over one or more connections, without compression, the
spans of time known beforehand. The engine always offers gzip, for which the server needs time too{gzip}. The
loop by offset has pages of 100, one after the other, as most readers of this API do; it keeps its connection. Nearly
all of the time is the server's, which makes one page after the other: the fastest download is the bound for every
client, and a loop that keeps such a server busy cannot be far from it."""
_FAR: Final = f"""\
The same through a proxy that holds each request back by {DELAY * 1000:.0f} ms, as a server on another continent
would. It delays and does not limit bandwidth, which would be in gzip's favour. Here a loop waits for the way at each
page; what is asked for ahead does not, until the server itself is the bound."""


def measure(runs: int = RUNS) -> Iterator[Table]:
    """Two tables: without and with latency."""
    brief = runs == RUNS
    about = _ABOUT.format(runs=runs, gzip="; a case shows what that alone costs" if brief else "")
    with PrefectServer(3) as server:
        tell(f"seeding {runs:,} flow runs")
        seed(server.database, Shape(runs=runs))
        yield Table("Backfill", "seconds", _beside_download(server.api_url, runs, gzip=brief), ",.2f", about)
        with SlowProxy(server.api_url, DELAY) as proxy:
            title = f"Backfill, {DELAY * 1000:.0f} ms away"
            yield Table(title, "seconds", _beside_download(proxy.url, runs), ",.2f", _FAR)


def _beside_download(url: str, runs: int, *, gzip: bool = False) -> list[Line]:
    downloads = [
        Contender(f"download, {number} connections", "download", (url, str(number), "identity"), runs)
        for number in (2, 4)
    ]
    others = [
        Contender("engine", "connector", (url,), runs),
        *([Contender("download, 2 connections, gzip", "download", (url, "2"), runs)] if gzip else []),
        Contender("loop by offset, pages of 100", "offset_loop", (url,), runs),
    ]
    contenders = [*downloads, *others]
    seconds = [[cost.seconds for cost in own] for own in in_turns(contenders)]
    fastest = min(range(len(downloads)), key=lambda index: statistics.median(seconds[index]))
    return [
        Line(contender.case, own)
        if index == fastest
        else Line(contender.case, own, contenders[fastest].case, seconds[fastest])
        for index, (contender, own) in enumerate(zip(contenders, seconds, strict=True))
    ]
