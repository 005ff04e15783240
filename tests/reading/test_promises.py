"""What docs/streams.md promises of the project's own tables and no other test shows."""

from __future__ import annotations

from datetime import timedelta

from dev.benchmarks.flow_runs import FlowRuns
from dev.testbed.loopback import Loopback, Reply, Seen
from engine.spec.load import resolve
from engine.sync import sync
from tests.readme import PROJECT
from tests.shop import Lines, Recorder

HOUR = timedelta(hours=1)


class Server:
    """Twenty flow runs, five of them open, none of which changes. ``requested``: whose inputs were requested."""

    def __init__(self) -> None:
        self.runs = FlowRuns(20, 5, HOUR)
        self.requested: list[str] = []

    def answer(self, seen: Seen) -> Reply:
        """Runs, no inputs, and no other rows."""
        if seen.path.endswith("/input/filter"):
            self.requested.append(seen.path)
            return Reply([])
        return self.runs.answer(seen) if "flow_runs" in seen.path or "events" in seen.path else Reply([])

    def sync(self, recorder: Recorder, streams: str) -> None:
        """Run one sync with the state of the last checkpoint."""
        recorder.operations.clear()
        self.requested.clear()
        with Loopback(self.answer) as server:
            resolved = resolve(PROJECT / "streams.yaml", {"api_url": server.url, "streams": streams})
            recorder.state |= {"api": server.url} if recorder.state else {}
            sync(resolved, recorder.state, recorder, Lines())


def test_the_children_of_open_rows_are_read_if_they_do_not_move_its_cursor() -> None:
    """At each sync, also if the open rows have not changed."""
    server, recorder = Server(), Recorder()
    server.sync(recorder, "flow_run_inputs")
    assert len(server.requested) == 20
    server.sync(recorder, "flow_run_inputs")
    assert len(server.requested) == 5


def test_a_re_sync_truncates_a_table_of_which_open_rows_are_deleted() -> None:
    """A re-sync loses the keys of the rows that were open. A table whose rows stay is not truncated."""
    server, recorder = Server(), Recorder()
    for _ in range(2):
        recorder.state = {}
        server.sync(recorder, "flow_runs, artifacts")
    assert recorder.count("truncate", "flow_runs") == 1
    assert recorder.count("truncate", "artifacts") == 0
    assert not any(row["deleted"] for row in recorder.tables["flow_runs"].values())
