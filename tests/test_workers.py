"""Tests in forks end as in plain pytest: nothing is green that did not run, and no process is left."""

from __future__ import annotations

import gc
import os
import re
import signal
import sys
from collections.abc import Callable
from pathlib import Path
from typing import NoReturn

import pytest

from tests.effort import some
from tests.forks import end_threads

TESTS = """
import os, signal, socket, time
import pytest

def tell(event):
    os.write(int(os.environ["EVENTS"]), event)

@pytest.mark.parametrize("number", range(5))
def test_passes(number):
    print("printed")

@pytest.mark.parametrize("number", range(3))
def test_fails(number):
    assert False

def test_ends_its_process():
    os._exit(0)

@pytest.fixture
def deadly():
    yield
    os._exit(0)

def test_is_wrong_before_its_process_ends(deadly):
    assert False

def test_ends_the_run():
    pytest.exit("enough", 7)

def test_leaves_a_socket_open():
    socket.socket()

@pytest.fixture(scope="session")
def broken():
    raise OSError("it does not start")

@pytest.mark.parametrize("number", range(2))
def test_needs_what_is_broken(number, broken):
    pass

def test_is_lost():
    pass

@pytest.fixture
def server():
    yield
    os.kill(os.getpid(), signal.SIGINT)
    tell(b"torn down ")

def test_hangs(server):
    tell(b"started ")
    time.sleep(30)
    tell(b"survived ")

def test_goes_on():
    signal.signal(signal.SIGINT, lambda *about: tell(b"interrupted "))
    tell(b"started ")
    time.sleep(30)
    tell(b"survived ")
"""
PLUGIN = """
def pytest_runtest_protocol(item):
    return True if item.name == "test_is_lost" else None
"""
OPTIONS = "-p tests.workers --forks 2 --assert=plain -p no:faulthandler -p no:unraisableexception"

pytestmark = pytest.mark.usefixtures("forks")  # each run would start them


class Run:
    """A run of pytest in a fork of this process, which has imported it already.

    Args:
        folder: Where its tests are, and the file ``printed`` with what it prints.
        arguments: What follows ``pytest --forks 2``.
        on_interrupt: How it handles SIGINT: not at all, if it runs in the background.
    """

    def __init__(
        self, folder: Path, *arguments: str, on_interrupt: Callable[..., object] | int = signal.default_int_handler
    ) -> None:
        (folder / "test_all.py").write_text(TESTS, "utf-8")
        (folder / "conftest.py").write_text(PLUGIN, "utf-8")
        self._printed = folder / "printed"
        self._events, theirs = os.pipe()
        end_threads()
        self._process = os.fork()
        if not self._process:
            options = [f"--basetemp={folder / 'temp'}", f"--rootdir={folder}", str(folder)]
            self._be([*OPTIONS.split(), *options, *arguments], theirs, on_interrupt)
        os.close(theirs)

    def _be(self, arguments: list[str], events: int, on_interrupt: Callable[..., object] | int) -> NoReturn:
        code = 99
        try:
            os.environ.update({"EVENTS": str(events), "PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1"})
            signal.signal(signal.SIGINT, on_interrupt)
            gc.freeze()  # what earlier tests left would be collected here, with warnings
            sys.stdout = sys.stderr = self._printed.open("w", encoding="utf-8")
            os.dup2(sys.stdout.fileno(), 1)
            os.dup2(sys.stdout.fileno(), 2)
            code = pytest.main(arguments)
            sys.stdout.flush()
        finally:
            os._exit(code)

    def event(self) -> str:
        """What a test tells next."""
        return os.read(self._events, 100).decode()

    def kill(self, number: int = signal.SIGINT) -> None:
        """Send it a signal, by default that of Ctrl-C."""
        os.kill(self._process, number)

    def end(self) -> tuple[int, str, str]:
        """Its exit code, what it printed, and what tests told until its last process ended."""
        _, status = os.waitpid(self._process, 0)
        with os.fdopen(self._events) as events:
            return os.waitstatus_to_exitcode(status), self._printed.read_text("utf-8"), events.read()


@pytest.mark.parametrize(
    ("arguments", "code", "says"),
    some(
        [
            (["-k", "passes"], 0, "5 passed"),
            (
                ["-s", "-W", "always", "-k", "passes or fails or broken or socket"],
                1,
                "printed.*ResourceWarning: unclosed .*3 failed, 6 passed, .*1 warning, 2 errors",
            ),
            (["-k", "nothing_of_this_name"], 5, "deselected"),
            (["--stepwise", "-k", "passes or fails"], 2, "Test failed, continuing from this test next run"),
            (["-k", "ends_the_run"], 7, "Exit: enough"),
            (["-k", "passes or ends_its_process"], 2, "the process of test_all.py::test_ends_its_process crashed"),
            (["-k", "passes or is_lost"], 2, "no worker ran test_all.py::test_is_lost"),
            (["-k", "passes or is_wrong"], 2, "test_is_wrong_before_its_process_ends crashed.*1 failed, "),
            (["--pdb"], 4, "a debugger needs all tests in one process: add --forks 0"),
        ]
    ),
)
def test_a_run_ends_as_in_plain_pytest(tmp_path: Path, arguments: list[str], code: int, says: str) -> None:
    """By its exit code and its last words. One in which a test did not run is never green."""
    ended, printed, _ = Run(tmp_path, *arguments).end()
    assert (ended, re.search(says, printed, re.DOTALL) is not None) == (code, True), printed


def test_no_test_runs_if_a_file_cannot_be_collected(tmp_path: Path) -> None:
    """The loop of pytest itself says so."""
    (tmp_path / "test_broken.py").write_text("import nothing_of_this_name", "utf-8")
    code, printed, _ = Run(tmp_path).end()
    assert (code, "Interrupted: 1 error during collection" in printed) == (2, True), printed


def test_ctrl_c_tears_down_what_hangs(tmp_path: Path) -> None:
    """A worker gets the signal from the terminal and from its parent. The second does not stop what the first began."""
    run = Run(tmp_path, "-k", "hangs")
    assert run.event() == "started "
    run.kill()
    code, printed, events = run.end()
    assert (code, events, "KeyboardInterrupt" in printed) == (2, "torn down ", True), printed


def test_another_ctrl_c_kills_what_goes_on(tmp_path: Path) -> None:
    """A test that catches the first does not keep the terminal."""
    run = Run(tmp_path, "-k", "goes_on")
    assert run.event() == "started "
    run.kill()
    assert run.event() == "interrupted "
    run.kill()
    code, printed, events = run.end()
    assert (code, events) == (2, ""), printed


def test_a_failure_ends_what_hangs_in_the_background(tmp_path: Path) -> None:
    """A shell starts jobs in the background with SIGINT ignored, by which a worker is ended."""
    code, printed, events = Run(tmp_path, "-x", "-k", "hangs or fails", on_interrupt=signal.SIG_IGN).end()
    assert (code, "survived" in events) == (1, False), printed


@pytest.mark.skipif(sys.platform != "linux", reason="elsewhere, a worker ends with its test")
def test_a_run_that_is_killed_leaves_no_worker(tmp_path: Path) -> None:
    """Even if its test hangs."""
    run = Run(tmp_path, "-k", "hangs")
    assert run.event() == "started "
    run.kill(signal.SIGKILL)
    code, _, events = run.end()
    assert (code, events) == (-signal.SIGKILL, "")
