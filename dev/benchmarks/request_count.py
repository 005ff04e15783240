"""How many requests a sync of the three main tables sends: the first sync, and later ones by what changed."""

from __future__ import annotations

import json
import tempfile
from datetime import timedelta
from pathlib import Path
from typing import Final

from dev.benchmarks.measure import Contender, progress, run
from dev.benchmarks.results import Table, summarize
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
_METHOD: Final = f"""\
Requests to a Prefect 3 server with {{runs:,}} flow runs, {OPEN} of them open, batch_size 200, counted by a proxy. The \
ratio is to a scan of all flow runs in pages of 200, which a connector that cannot query changes needs for each sync. \
The {CHANGES} changes are made through the API: 20 open runs change their state, 15 are edited, 15 runs are new; all \
{CHANGES} must arrive, and nothing else. Each sync also reconciles the part of the history that is due; a round takes \
24 hours and costs about one scan. The sync an hour later reconciles an hour's part, the others a few seconds' part."""


def measure(full: bool) -> dict[str, Table]:
    """Requests by kind of sync."""
    runs = RUNS_IN_FULL if full else RUNS
    scan = [runs / 200 + 1]
    cases = {"full scan, pages of 100": summarize([runs / 100 + 1], 0), _SCAN: summarize(scan, 0)}
    with PrefectServer(3) as server, tempfile.TemporaryDirectory() as folder:
        progress(f"seeding {runs:,} flow runs")
        shape = Shape(runs=runs, open_runs=OPEN)
        seed(server.database, shape)
        state = Path(folder) / "state.json"
        with SlowProxy(server.api_url) as proxy:

            def sync(case: str, rows: int | None, streams: str = THREE) -> None:
                progress(case)
                proxy.requests.clear()
                run(Contender(case, "connector", (proxy.url, streams, str(state)), rows))
                cases[case] = summarize([proxy.requests.total()], 0, _SCAN, scan)

            sync("first sync", runs + shape.flows + shape.deployments)
            sync("nothing changed", 0)
            _change(PrefectApi(server.api_url))
            sync(f"{CHANGES} changes", CHANGES)
            _let_an_hour_pass(state)
            sync("nothing changed, an hour later", 0)
            sync("first sync of the other default tables", None, "")
            sync("nothing changed, all default tables", None, "")
    return {"requests": Table("Requests", "requests per sync", _METHOD.format(runs=runs), cases, runs)}


def _change(api: PrefectApi) -> None:
    """Change CHANGES flow runs."""
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
    """Make the round of reconciliation in a saved state an hour older."""
    document = json.loads(state.read_text("utf-8"))
    reconcile = document["streams"]["flow_runs"]["reconcile"]
    reconcile["began"] = format_instant(parse_instant(reconcile["began"]) - timedelta(hours=1))
    state.write_text(json.dumps(document), "utf-8")
