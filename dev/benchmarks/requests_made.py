"""How many requests a sync of the three main tables makes: the first, and later ones by what changed."""

from __future__ import annotations

import json
import tempfile
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from typing import Final

from dev.benchmarks.measure import Contender, Line, Table, run, tell
from dev.benchmarks.slow_proxy import SlowProxy
from dev.testbed.history import PrefectApi
from dev.testbed.prefect_server import PrefectServer
from dev.testbed.seed import Shape, seed
from engine.instants import format_instant, parse_instant

RUNS: Final = 10_000
RUNS_IN_FULL: Final = 100_000
OPEN: Final = 100
CHANGES: Final = 50
THREE: Final = "flow_runs, flows, deployments"
_SCAN: Final = "full scan, pages of 200"
_ABOUT: Final = f"""\
Requests to a Prefect 3 server with {{runs:,}} flow runs, {OPEN} of them open, `batch_size` 200, as a proxy counted
them. The ratios are to a scan of all flow runs in pages of 200, of which each sync without a way to ask for changes
needs one. The {CHANGES} changes are made through the API: 20 open runs go on to another state, 15 are edited, 15
runs are new; all 50 must arrive. Whenever a sync runs, it also looks at that part of the history whose turn it is
within 24 hours (the sweep), which over a day adds up to one scan: the sync "an hour later" has an hour's part, the
others have seconds'."""


def measure(runs: int = RUNS) -> Iterator[Table]:
    """One table: requests by kind of sync, with a history of so many runs."""
    with PrefectServer(3) as server, tempfile.TemporaryDirectory() as folder:
        tell(f"seeding {runs:,} flow runs")
        shape = Shape(runs=runs, open_runs=OPEN)
        seed(server.database, shape)
        state = Path(folder) / "state.json"
        with SlowProxy(server.api_url) as proxy:

            def sync(case: str, rows: int | None, streams: str = THREE) -> Line:
                tell(case)
                proxy.requests.clear()
                run(Contender(case, "connector", (proxy.url, streams, str(state)), rows))
                return Line(case, [proxy.requests.total()], _SCAN, [runs / 200 + 1])

            lines = [Line("full scan, pages of 100", [runs / 100 + 1]), Line(_SCAN, [runs / 200 + 1])]
            lines.append(sync("first sync", runs + shape.flows + shape.deployments))
            lines.append(sync("nothing changed", shape.deployments))
            _change(PrefectApi(server.api_url))
            lines.append(sync(f"{CHANGES} changes", CHANGES + shape.deployments))
            _let_an_hour_pass(state)
            lines.append(sync("nothing changed, an hour later", shape.deployments))
            sync("first sync of the other tables", None, "")
            lines.append(sync("nothing changed, all tables that are read when nobody chose", None, ""))
    yield Table("Requests", "requests a sync", lines, about=_ABOUT.format(runs=runs))


def _change(api: PrefectApi) -> None:
    """Change fifty flow runs."""
    is_open = {"state": {"type": {"any_": ["RUNNING", "PENDING", "SCHEDULED"]}}}
    runs = api.call("POST", "/flow_runs/filter", {"flow_runs": is_open, "sort": "ID_DESC", "limit": 35})
    for number, flow_run in enumerate(runs):
        if number < 20:
            api.set_state(flow_run["id"], {"type": ("COMPLETED", "FAILED", "CANCELLED", "RUNNING")[number % 4]})
        else:
            api.call("PATCH", f"/flow_runs/{flow_run['id']}", {"tags": ["edited"]})
    for number in range(CHANGES - len(runs)):
        api.make_flow_run({"flow_id": runs[0]["flow_id"], "name": f"new-{number}"})


def _let_an_hour_pass(state: Path) -> None:
    """Make the round of the sweep in a saved state an hour older."""
    document = json.loads(state.read_text("utf-8"))
    sweep = document["streams"]["flow_runs"]["sweep"]
    sweep["began"] = format_instant(parse_instant(sweep["began"]) - timedelta(hours=1))
    state.write_text(json.dumps(document), "utf-8")
