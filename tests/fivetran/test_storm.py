"""Syncs in the middle of a storm: real servers, several threads that change everything, then row by row."""

from __future__ import annotations

import json
import random
import threading
import time
from pathlib import Path
from typing import Any

import pytest

from engine.instants import parse_instant
from engine.spec.load import Connection, connect
from engine.sync import sync
from testbed.history import STATES, History, PrefectApi, read_all
from tests.fivetran.conftest import MAJORS
from tests.fivetran.project import PROJECT
from tests.shop import Lines, Recorder

CHANGES = 150
THREADS = 2
OPEN = {"SCHEDULED", "PENDING", "RUNNING", "PAUSED", "CANCELLING"}


class Storm(threading.Thread):
    """Random changes of every kind that the API allows; what one thread deletes, another may not find."""

    def __init__(self, api_url: str, history: History, seed: int) -> None:
        super().__init__()
        self.api, self.history, self.dice = PrefectApi(api_url), history, random.Random(seed)
        self.failure: BaseException | None = None

    def run(self) -> None:
        try:
            for _ in range(CHANGES // THREADS):
                try:
                    self.change()
                except RuntimeError as error:
                    if " 404 " not in str(error):
                        raise
        except BaseException as failure:  # a thread's failure must not pass for a calm
            self.failure = failure

    def change(self) -> None:
        """One change."""
        api, dice, history = self.api, self.dice, self.history
        run, deployment = dice.choice(history.flow_runs), dice.choice(history.deployments)
        kind = dice.randrange(10)
        if kind < 4:
            api.set_state(run, dict(dice.choice(STATES)))
        elif kind == 4:
            api.call("PATCH", f"/flow_runs/{run}", {"tags": [f"tag-{dice.random()}"]})
        elif kind == 5:
            api.call("PATCH", f"/flow_runs/{run}", {"name": f"renamed-{dice.random()}"})
        elif kind == 6:
            body = {"flow_id": dice.choice(history.flows), "name": "new", "deployment_id": deployment}
            history.flow_runs.append(api.make_flow_run({**body, "state": dict(dice.choice(STATES))}))
        elif kind == 7:
            api.call("PATCH", f"/flows/{dice.choice(history.flows)}", {"tags": [f"tag-{dice.random()}"]})
        elif kind == 8:
            api.call("PATCH", f"/deployments/{deployment}", {"description": f"{dice.random()}"})
        else:
            api.call("DELETE", f"/deployments/{deployment}")  # and with it the runs that were scheduled for it
            history.deployments.remove(deployment)
            name = f"again-{dice.random()}"
            history.deployments.append(api.make_deployment(name, dice.choice(history.flows), []))


@pytest.mark.parametrize("major", MAJORS)
def test_after_the_storm_the_destination_equals_the_server(stormy_servers: Any, tmp_path: Path, major: int) -> None:
    """Syncs run while threads change everything; after a sync with its sweep every row is as the server's."""
    server, history = stormy_servers[major]
    seed = random.randrange(10**6)
    print(f"seed {seed}")
    path = tmp_path / "streams.yaml"
    path.write_text((PROJECT / "streams.yaml").read_text("utf-8").replace("every: 24h", "every: 1s"), "utf-8")
    connected = connect(path, {"api_url": server.api_url, "batch_size": "20"})
    recorder = Recorder()
    run(connected, recorder)
    threads = [Storm(server.api_url, history, seed + number) for number in range(THREADS)]
    for thread in threads:
        thread.start()
    syncs = 0
    while any(thread.is_alive() for thread in threads):
        run(connected, recorder)
        syncs += 1
    for thread in threads:
        thread.join()
        assert thread.failure is None, thread.failure
    assert syncs > 1
    time.sleep(1.1)  # a period of the sweep
    run(connected, recorder)
    time.sleep(1.1)
    run(connected, recorder)
    for table in ("flow_runs", "flows", "deployments"):
        answers = {record["id"]: record for record in read_all(server.api_url, table)}
        rows = recorder.tables[table]
        assert answers.keys() <= rows.keys()
        for key, record in answers.items():
            row = rows[key]
            assert not row["deleted"], (table, key)
            assert row["updated"] == parse_instant(record["updated"]), (table, key)
            for column in {"name", "tags", "state_type", "state_name", "description"} & row.keys():
                assert row[column] == record[column], (table, key, column)
        for key in rows.keys() - answers.keys():
            assert rows[key]["deleted"] or rows[key].get("state_type", "") not in OPEN, (table, key)


def run(connected: Connection, recorder: Recorder) -> None:
    """One sync from the recorder's own state."""
    sync(connected, json.loads(json.dumps(recorder.state)), recorder, Lines())
