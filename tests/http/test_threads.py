"""Threads that no process waits for."""

from __future__ import annotations

import subprocess
import sys
import threading
from concurrent.futures import wait
from pathlib import Path

import pytest

from dev.testbed.loopback import Loopback, Reply, Seen
from engine.http.threads import DaemonThreads, Turns, TurnsEnded
from tests.readme import PROJECT
from tests.shop import STREAMS, connection
from tests.specs import edited

_SYNC = """
import sys
from pathlib import Path
from engine.spec.load import resolve
from engine.sync import sync
from tests.shop import Lines, Recorder
sync(resolve(Path(sys.argv[1]), {"api_url": sys.argv[2]}), {}, Recorder(), Lines())
"""


def test_a_failed_sync_does_not_wait_for_other_responses(tmp_path: Path) -> None:
    """Its process ends while another thread still waits for a response, which comes after minutes."""
    waiting, release = threading.Event(), threading.Event()

    def answer(seen: Seen) -> Reply:
        if seen.path.endswith("/owners/filter"):
            waiting.set()
            release.wait(300)
        elif seen.path.endswith("/orders/filter"):
            return Reply([])
        else:
            waiting.wait(60)
        return Reply({"detail": "no"}, 401)

    slow = {"api.timeout": {"connect": "2s", "read": "300s", "total": "300s"}}
    text = edited(STREAMS, replace=slow, add={"streams.owners": {**_OWNERS}})
    connection(tmp_path, "http://unused.test", text)
    with Loopback(answer) as server:
        command = [sys.executable, "-c", _SYNC, str(tmp_path / "streams.yaml"), server.url]
        try:
            done = subprocess.run(command, cwd=PROJECT, capture_output=True, text=True, timeout=60)
        finally:
            release.set()
    assert done.returncode == 1
    assert "returned 401" in done.stderr


_OWNERS = {
    "description": "One row per owner.",
    "endpoint": "POST /owners/filter",
    "primary_key": "id",
    "sync_mode": "full_refresh",
    "fields": {"id": "$.id"},
}


def test_calls_run_in_so_many_threads_and_no_more() -> None:
    """Each is run once, and its result or exception is that of its future."""
    threads, together, names = DaemonThreads(3, "test"), threading.Barrier(3), set[str]()

    def call(number: int) -> int:
        names.add(threading.current_thread().name)
        if number < 3:
            together.wait(30)
        return 1 // (number - 50)

    futures = [threads.submit(call, number) for number in range(100)]
    wait(futures, 30)
    threads.shutdown()
    assert names == {"test-0", "test-1", "test-2"}
    assert [future.exception() is None for future in futures] == [number != 50 for number in range(100)]
    assert futures[51].result() == 1
    with pytest.raises(RuntimeError, match="shut down"):
        threads.submit(call, 1)


def test_calls_that_wait_can_be_canceled() -> None:
    """Those that run are not, and nothing waits for them. It does no harm to ask twice."""
    threads, began, release = DaemonThreads(1, "test"), threading.Event(), threading.Event()

    def call() -> bool:
        began.set()
        return release.wait(30)

    running, waiting = threads.submit(call), threads.submit(call)
    assert began.wait(30)
    for _ in range(2):
        threads.shutdown(wait=False, cancel_futures=True)
    release.set()
    assert running.result(30)
    assert waiting.cancelled()


def test_threads_that_take_turns_run_one_at_a_time_and_wait_at_the_same_time() -> None:
    """Both are in their wait at once, or the barrier would break; neither runs while the other does."""
    turns, both = Turns(), threading.Barrier(2, timeout=30)
    running: list[None] = []

    def work() -> None:
        with turns.taken():
            for _ in range(3):
                running.append(None)
                assert len(running) == 1
                running.pop()
                with turns.given() as has_given:
                    assert has_given
                    both.wait()

    threads = DaemonThreads(2, "turns")
    for future in [threads.submit(work) for _ in range(2)]:
        future.result(30)
    with turns.given() as has_given:
        assert not has_given  # this thread has no turn


def test_no_thread_goes_on_once_the_turns_have_ended() -> None:
    """Neither one that waits for the server, nor one that waits for its turn."""
    turns, waits, ended = Turns(), threading.Event(), threading.Event()
    after: list[None] = []

    def work() -> None:
        with turns.taken():
            with turns.given():
                waits.set()
                assert ended.wait(30)
            after.append(None)

    threads = DaemonThreads(2, "turns")
    first = threads.submit(work)
    assert waits.wait(30)
    turns.end()
    second = threads.submit(work)
    ended.set()
    for future in (first, second):
        with pytest.raises(TurnsEnded):
            future.result(30)
    assert after == []
