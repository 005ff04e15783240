"""A Prefect server on which runs change while Spark reads them, and on which an executor can be killed."""

from __future__ import annotations

import os
import signal
import subprocess
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import requests

from dev.testbed.history import Json, PrefectApi
from dev.testbed.loopback import Reply, Seen

FINISHED = ("COMPLETED", "FAILED", "CRASHED", "CANCELLED")
_SETTLED_SECONDS = 60.0  # until the server's events are readable


@dataclass
class MovingServer:
    """Forwards requests to a Prefect server. Before the first page of each part, runs change in it and in another.

    The other part is the one before the last: two executors read two parts at a time, so it was read.

    Attributes:
        url: The URL of the Prefect API.
        kill_at: The number of the part at which an executor is killed, if one is.
        job: The Spark job.
        parts: The bounds of the parts that were requested, in their order.
        changed: The runs that changed.
        killed: The executor that was killed.
    """

    url: str
    kill_at: int | None = None
    job: subprocess.Popen[str] | None = None
    parts: list[tuple[str, str]] = field(default_factory=list)
    changed: set[str] = field(default_factory=set)
    killed: int | None = None
    _runs: list[Json] = field(default_factory=list)
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def __post_init__(self) -> None:
        self._api = PrefectApi(self.url)

    def reopen(self, every: int) -> None:
        """Reopen four of so many finished runs, so that every part has open ones."""
        self._runs = sorted(self._api.read_all("flow_runs", "ID_DESC"), key=lambda run: run["expected_start_time"])
        for number, run in enumerate(self._runs):
            if number % every < 4 and run["state_type"] in FINISHED:
                self._api.set_state(run["id"], {"type": "RUNNING"})
                run["state_type"] = "RUNNING"

    def answer(self, seen: Seen) -> Reply:
        """The server's response."""
        bounds = (seen.json or {}).get("flow_runs", {}).get("expected_start_time", {})
        if self.job is not None and seen.path.endswith("/flow_runs/filter") and "before_" in bounds:
            with self._lock:
                if bounds["before_"] not in {end for _, end in self.parts}:
                    self.parts.append((bounds.get("after_", ""), bounds["before_"]))
                    self._at_a_part(len(self.parts) - 1)
        target = self.url.removesuffix("/api") + seen.path
        given = requests.request(
            seen.method, target, params=seen.query, data=seen.content, headers={"Content-Type": "application/json"}
        )
        return Reply(status=given.status_code, body=given.content, headers={"Date": given.headers["Date"]})

    def _at_a_part(self, number: int) -> None:
        self._change(*self.parts[number])
        if number >= 2:
            self._change(*self.parts[number - 2])
        if number == self.kill_at and self.job is not None:
            self.killed = next(executors_of(self.job.pid))
            os.kill(self.killed, signal.SIGKILL)

    def _change(self, start: str, end: str) -> None:
        """Make a change of every kind among the runs of a part, each of them of a run that has not changed yet."""
        runs = [run for run in self._runs if start <= run["expected_start_time"] < end]
        untouched = [run for run in runs if run["id"] not in self.changed]
        opened = [run["id"] for run in untouched if run["state_type"] == "RUNNING"][:2]
        completed = [run["id"] for run in untouched if run["state_type"] == "COMPLETED"][:2]
        for run in opened[:1]:
            self._api.set_state(run, {"type": "COMPLETED"})
        for run in opened[1:]:
            self._api.call("DELETE", f"/flow_runs/{run}")
        for run, state in zip(completed, ("RUNNING", "FAILED"), strict=False):
            self._api.set_state(run, {"type": state})
        for run in runs[:1]:
            when = {"type": "SCHEDULED", "state_details": {"scheduled_time": run["expected_start_time"]}}
            self._api.make_flow_run({"flow_id": run["flow_id"], "name": "dated earlier", "state": when})
        self.changed |= {*opened, *completed}

    def settle(self) -> None:
        """Wait until the event of a last change is readable, and with it those of the changes before."""
        last = next(run["id"] for run in self._runs if run["id"] not in self.changed and run["state_type"] in FINISHED)
        self._api.set_state(last, {"type": "CRASHED", "name": "Last"})
        about = {"filter": {"resource": {"id": [f"prefect.flow-run.{last}"]}}}
        deadline = time.monotonic() + _SETTLED_SECONDS
        while not self._api.call("POST", "/events/filter", about)["total"]:
            assert time.monotonic() < deadline, "the server has recorded no event"
            time.sleep(0.2)


def executors_of(job: int) -> Iterator[int]:
    """The processes of Spark's executors that a job has started."""
    for folder in Path("/proc").iterdir():
        is_executor = folder.name.isdigit() and "CoarseGrainedExecutorBackend" in _read(folder / "cmdline")
        if is_executor and job in _ancestors(int(folder.name)):
            yield int(folder.name)


def _ancestors(process: int) -> Iterator[int]:
    while process > 1:
        fields = _read(Path("/proc") / str(process) / "stat").rpartition(")")[2].split()
        process = int(fields[1]) if fields else 0
        yield process


def _read(path: Path) -> str:
    try:
        return path.read_text("utf-8", "replace")
    except OSError:  # the process has ended
        return ""
