"""A pytest plugin that runs tests at the same time, in forks of the process that collected them: ``--forks 4``.

A worker of pytest-xdist is a new process. It imports and collects every test again, and its messages cost more than
most tests that need no server.
"""

from __future__ import annotations

import ctypes
import os
import signal
import sys
import time
import traceback
import warnings
from collections.abc import Iterator, Sequence
from multiprocessing import Array, Pipe
from multiprocessing.connection import Connection, wait
from typing import Any, Final, NoReturn

import pytest

from tests.forks import FORKS, end_threads

_PATIENCE: Final = 60.0  # seconds that an interrupted worker has for the fixtures that it tears down
_DIES_WITH_ITS_PARENT: Final = 1  # PR_SET_PDEATHSIG of Linux

Group = Sequence[pytest.Item]
"""Tests that share a fixture, or a single test: what a worker takes at a time."""


def pytest_addoption(parser: pytest.Parser) -> None:
    """The option of `make unit`."""
    parser.addoption("--forks", type=int, default=0, metavar="N", help="run N tests at a time, in forks")


def pytest_configure(config: pytest.Config) -> None:
    """Replace pytest's loop over all tests."""
    if config.getoption("--forks") and not config.option.collectonly:
        if config.option.usepdb or config.option.trace:
            raise pytest.UsageError("a debugger needs all tests in one process: add --forks 0")
        FORKS.start()  # its imports take as long as the collection
        config.pluginmanager.register(Workers(config.getoption("--forks")))


class Workers:
    """Runs the tests in workers and reports what they report."""

    def __init__(self, number: int) -> None:
        self._number = number

    @pytest.hookimpl(tryfirst=True)
    def pytest_runtestloop(self, session: pytest.Session) -> bool | None:
        """Run all tests, unless a file could not be collected: pytest's own loop says so."""
        if session.testsfailed:
            return None
        session.config._tmp_path_factory.getbasetemp()  # type: ignore[attr-defined]  # one for all workers
        session.config.pluginmanager.getplugin("terminalreporter").showfspath = False  # files take turns
        groups = _groups(session.items)
        ends = Array("i", [0, len(groups)])
        end_threads()
        sys.stdout.flush()  # or each worker prints it once more
        workers: list[Worker] = []
        try:
            signal.pthread_sigmask(signal.SIG_BLOCK, [signal.SIGINT])  # until all workers can be ended
            for number in range(self._number):
                workers.append(Worker(session, _taken(groups, ends, from_the_end=number % 2 == 1)))
            signal.pthread_sigmask(signal.SIG_UNBLOCK, [signal.SIGINT])
            self._report(session, {worker.messages: worker for worker in workers})
        finally:
            _end(workers)
        return True

    def _report(self, session: pytest.Session, workers: dict[Any, Worker]) -> None:
        """Report until all workers are done.

        Raises:
            Interrupted: a worker crashed, or no worker reported some test.
            Failed: so many tests failed that no other is to start.
        """
        unreported = {test.nodeid for test in session.items}
        while workers:
            for messages in wait([*workers]):
                worker = workers[messages]
                try:
                    worker.report()
                except EOFError:
                    raise session.Interrupted(f"the process of {worker.test} crashed") from None
                unreported.discard(worker.reported)
                if worker.is_done:
                    del workers[messages]
                if session.shouldfail:
                    raise session.Failed(session.shouldfail)
                if session.shouldstop:
                    raise session.Interrupted(session.shouldstop)
        if unreported:
            raise session.Interrupted(f"no worker ran {min(unreported)}")


def _groups(tests: Sequence[pytest.Item]) -> list[Group]:
    """The groups that conftest.py made, in order."""
    groups: dict[str, list[pytest.Item]] = {}
    for test in tests:
        marker = test.get_closest_marker("xdist_group")
        groups.setdefault(marker.args[0] if marker else test.nodeid, []).append(test)
    return list(groups.values())


class Worker:
    """A fork that takes group after group.

    Attributes:
        messages: What it reports.
        test: The test that it runs.
        reported: The last test that it ran to its end.
        is_done: Whether it has run its last test.
    """

    def __init__(self, session: pytest.Session, tests: Iterator[pytest.Item]) -> None:
        self._hook, self._config = session.config.hook, session.config
        self.messages, theirs = Pipe(duplex=False)
        self.test, self.reported, self.is_done, self._has_ended = "", "", False, False
        self._process = os.fork()
        if not self._process:
            _be_worker(session, tests, theirs)
        theirs.close()

    def report(self) -> None:
        """Receive one message.

        Raises:
            EOFError: the worker crashed.
            pytest.exit.Exception: a test ended the run.
        """
        name, about = self.messages.recv()
        if name == "reports":
            for serialized in about:
                report = self._hook.pytest_report_from_serializable(config=self._config, data=serialized)
                self._hook.pytest_runtest_logreport(report=report)
                self.reported = report.nodeid if report.when == "teardown" else self.reported
        elif name == "warning":
            about["warning_message"] = _warning(*about["warning_message"])
            self._hook.pytest_warning_recorded.call_historic(kwargs=about)
        elif name == "started":
            self.test = about
        elif name == "exit":
            pytest.exit(*about)
        elif name == "crashed":
            self._config.get_terminal_writer().line(f"\n{about}")
            raise EOFError
        else:
            self.is_done = True

    def interrupt(self) -> None:
        """Let it tear down what it set up, and run no other test."""
        self.messages.close()
        if not self.is_done:
            os.kill(self._process, signal.SIGINT)

    def has_ended(self) -> bool:
        """Whether its process has ended."""
        self._has_ended = self._has_ended or os.waitpid(self._process, os.WNOHANG)[0] != 0
        return self._has_ended

    def kill(self) -> None:
        """End its process."""
        if not self.has_ended():
            os.kill(self._process, signal.SIGKILL)
            os.waitpid(self._process, 0)


def _end(workers: Sequence[Worker]) -> None:
    """Wait for the end of all, and for no test that is not needed any more. Another Ctrl-C kills them."""
    deadline = time.monotonic() + _PATIENCE
    try:
        for worker in workers:
            worker.interrupt()
        while not all(worker.has_ended() for worker in workers) and time.monotonic() < deadline:
            time.sleep(0.005)
    finally:
        for worker in workers:
            worker.kill()


def _be_worker(session: pytest.Session, tests: Iterator[pytest.Item], messages: Connection) -> NoReturn:
    """Run tests, and end without a return to pytest."""
    try:
        if sys.platform == "linux":
            ctypes.CDLL(None).prctl(_DIES_WITH_ITS_PARENT, signal.SIGKILL)
        signal.signal(signal.SIGINT, _interrupt_once)
        signal.pthread_sigmask(signal.SIG_UNBLOCK, [signal.SIGINT])
        _work(session, tests, messages)
    except (KeyboardInterrupt, BrokenPipeError):
        pass  # it is not needed any more
    except pytest.exit.Exception as end:
        messages.send(("exit", (end.msg, end.returncode)))
    except BaseException:
        messages.send(("crashed", traceback.format_exc()))
    finally:
        os._exit(0)


def _interrupt_once(number: int, frame: object) -> None:
    """Interrupt the test, and not the teardown of its fixtures: Ctrl-C reaches a worker, and its parent follows."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    raise KeyboardInterrupt


def _taken(groups: Sequence[Group], ends: Any, *, from_the_end: bool) -> Iterator[pytest.Item]:
    """The tests of the groups that no other worker took before.

    Neighbors are alike, and some only wait: half of the workers begin at the end, for others that compute meanwhile.

    Args:
        groups: All of them.
        ends: The first group that nobody took, and the one behind the last; shared by all workers.
        from_the_end: Whether to take the last.
    """
    while True:
        with ends:
            first, end = ends
            if first == end:
                return
            if from_the_end:
                ends[1] = end = end - 1
            else:
                ends[0] = first + 1
        yield from groups[end if from_the_end else first]


def _work(session: pytest.Session, tests: Iterator[pytest.Item], messages: Connection) -> None:
    """Run tests, and tear down what they set up, even if this is interrupted."""
    plugins = session.config.pluginmanager
    terminal = plugins.unregister(name="terminalreporter")
    plugins.register(_Messenger(session.config, messages, terminal), "terminalreporter")
    capture = plugins.getplugin("capturemanager")
    capture.stop_global_capturing()  # into files that all workers would share
    capture.start_global_capturing()
    try:
        test = next(tests, None)
        while test is not None:
            following = next(tests, None)
            session.config.hook.pytest_runtest_protocol(item=test, nextitem=following)
            test = following
    finally:
        session._setupstate.teardown_exact(None)
        sys.stdout.flush()
    messages.send(("done", None))


class _Messenger:
    """Sends what the terminal shows, in its place."""

    def __init__(self, config: pytest.Config, messages: Connection, terminal: Any) -> None:
        self._config, self._messages = config, messages
        self._unsent: list[Any] = []
        self._tw = terminal._tw  # pytest colors messages as this does

    def pytest_runtest_logstart(self, nodeid: str) -> None:
        self._messages.send(("started", nodeid))

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        self._unsent.append(self._config.hook.pytest_report_to_serializable(config=self._config, report=report))
        if report.when == "teardown" or not report.passed:  # a failure is shown at once
            self._messages.send(("reports", self._unsent))
            self._unsent = []

    def pytest_warning_recorded(self, warning_message: Any, when: str, nodeid: str, location: Any) -> None:
        name, text = warning_message.category.__name__, str(warning_message.message)
        parts = (text, name, warning_message.filename, warning_message.lineno)
        about = {"warning_message": parts, "when": when, "nodeid": nodeid, "location": location}
        self._messages.send(("warning", about))


def _warning(message: str, category: str, filename: str, line: int) -> warnings.WarningMessage:
    """A warning from what pytest shows of it. The rest, such as a socket that was left open, cannot be sent."""
    return warnings.WarningMessage(message, type(category, (Warning,), {}), filename, line)
