"""A pytest plugin that runs tests at the same time, in forks of the process that collected them: ``--forks 4``.

A worker of pytest-xdist is a new process. It imports and collects every test again, and its messages cost more than
most tests that need no server.
"""

from __future__ import annotations

import os
import signal
import sys
import traceback
from collections.abc import Iterator, Sequence
from multiprocessing import Pipe, Value
from multiprocessing.connection import Connection, wait
from typing import Any

import pytest

from tests.forks import FORKS, end_threads

Group = Sequence[pytest.Item]
"""Tests that share a fixture, or a single test: what a worker takes at a time."""


def pytest_addoption(parser: pytest.Parser) -> None:
    """The option of `make unit`."""
    parser.addoption("--forks", type=int, default=0, metavar="N", help="run N tests at a time, in forks")


def pytest_configure(config: pytest.Config) -> None:
    """Replace pytest's loop over all tests."""
    if config.getoption("--forks") and not config.option.collectonly:
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
        groups, taken = _groups(session.items), Value("i", 0)
        end_threads()
        workers = [Worker(session, groups, taken) for _ in range(self._number)]
        try:
            self._report(session, {worker.messages: worker for worker in workers})
        finally:
            for worker in workers:
                worker.end()
        return True

    def _report(self, session: pytest.Session, workers: dict[Any, Worker]) -> None:
        """Report until all workers are done.

        Raises:
            Interrupted: a worker crashed.
            Failed: so many tests failed that no other is to start.
        """
        while workers:
            for messages in wait([*workers]):
                worker = workers[messages]
                try:
                    worker.report()
                except EOFError:
                    raise session.Interrupted(f"the process of {worker.test} crashed") from None
                if worker.is_done:
                    del workers[messages]
                if session.shouldfail:
                    raise session.Failed(session.shouldfail)


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
        is_done: Whether it has run its last test.
    """

    def __init__(self, session: pytest.Session, groups: Sequence[Group], taken: Any) -> None:
        self._hook, self._config = session.config.hook, session.config
        self.messages, theirs = Pipe(duplex=False)
        self.test, self.is_done = "", False
        self._process = os.fork()
        if not self._process:
            try:
                _work(session, _taken(groups, taken), theirs)
            except (KeyboardInterrupt, BrokenPipeError):
                pass  # it is not needed any more
            except BaseException:
                traceback.print_exc(file=sys.__stderr__)
            finally:
                os._exit(0)
        theirs.close()

    def report(self) -> None:
        """Receive one message.

        Raises:
            EOFError: the worker crashed.
        """
        name, about = self.messages.recv()
        if name == "report":
            report = self._hook.pytest_report_from_serializable(config=self._config, data=about)
            self._hook.pytest_runtest_logreport(report=report)
        elif name == "warning":
            self._hook.pytest_warning_recorded.call_historic(kwargs=about)
        elif name == "started":
            self.test = about["nodeid"]
            self._hook.pytest_runtest_logstart(**about)
        else:
            self.is_done = True

    def end(self) -> None:
        """Wait for its end, and for no test that is not needed any more."""
        self.messages.close()
        if not self.is_done:
            os.kill(self._process, signal.SIGINT)
        os.waitpid(self._process, 0)


def _taken(groups: Sequence[Group], taken: Any) -> Iterator[pytest.Item]:
    """The tests of the groups that no other worker took before."""
    while True:
        with taken.get_lock():
            number, taken.value = taken.value, taken.value + 1
        if number >= len(groups):
            return
        yield from groups[number]


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
    messages.send(("done", {}))


class _Messenger:
    """Sends what the terminal shows, in its place."""

    def __init__(self, config: pytest.Config, messages: Connection, terminal: Any) -> None:
        self._config, self._messages = config, messages
        self._tw = terminal._tw  # pytest colors messages as this does

    def pytest_runtest_logstart(self, nodeid: str, location: Any) -> None:
        self._messages.send(("started", {"nodeid": nodeid, "location": location}))

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        about = self._config.hook.pytest_report_to_serializable(config=self._config, report=report)
        self._messages.send(("report", about))

    def pytest_warning_recorded(self, warning_message: Any, when: str, nodeid: str, location: Any) -> None:
        about = {"warning_message": warning_message, "when": when, "nodeid": nodeid, "location": location}
        self._messages.send(("warning", about))
