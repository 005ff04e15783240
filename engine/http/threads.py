"""Threads that no process waits for, and threads that take turns."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from concurrent.futures import Executor, Future
from contextlib import contextmanager
from functools import partial
from queue import Empty, SimpleQueue
from typing import Any, ParamSpec, TypeVar

P = ParamSpec("P")
T = TypeVar("T")

_Task = tuple[Future[Any], Callable[[], Any]]


class DaemonThreads(Executor):
    """Runs calls in a number of threads, which are started as they are needed.

    Python waits for the threads of a ``ThreadPoolExecutor`` before a process ends, and so for any response that a sync
    no longer wants. These threads end with the process.
    """

    def __init__(self, most: int, name: str) -> None:
        self._most = most
        self._name = name
        self._tasks: SimpleQueue[_Task | None] = SimpleQueue()
        self._threads: list[threading.Thread] = []
        self._idle = threading.Semaphore(0)
        self._lock = threading.Lock()
        self._is_shut_down = False

    def submit(self, fn: Callable[P, T], /, *args: P.args, **kwargs: P.kwargs) -> Future[T]:
        """Run a call in one of the threads.

        Raises:
            RuntimeError: after :meth:`shutdown`.
        """
        future: Future[T] = Future()
        with self._lock:
            if self._is_shut_down:
                raise RuntimeError("the threads have been shut down")
            self._tasks.put((future, partial(fn, *args, **kwargs)))
            if not self._idle.acquire(blocking=False) and len(self._threads) < self._most:
                name = f"{self._name}-{len(self._threads)}"
                self._threads.append(threading.Thread(target=self._work, name=name, daemon=True))
                self._threads[-1].start()
        return future

    def shutdown(self, wait: bool = True, *, cancel_futures: bool = False) -> None:
        """Take no further call. The threads end after those that they have, or after those that run."""
        with self._lock:
            self._is_shut_down = True
            if cancel_futures:
                self._cancel_waiting()
            for _ in self._threads:
                self._tasks.put(None)
        if wait:
            for thread in self._threads:
                thread.join()

    def _cancel_waiting(self) -> None:
        try:
            while True:
                task = self._tasks.get_nowait()
                if task is not None:
                    task[0].cancel()
        except Empty:
            return

    def _work(self) -> None:
        while (task := self._tasks.get()) is not None:
            _run(*task)
            del task  # and with it the result, which would be kept until the next call
            self._idle.release()


def _run(future: Future[Any], call: Callable[[], Any]) -> None:
    if not future.set_running_or_notify_cancel():
        return
    try:
        result = call()
    except BaseException as error:  # whoever waits for the result has to know
        future.set_exception(error)
    else:
        future.set_result(result)


class TurnsEnded(Exception):
    """A thread must not go on: what it works for has ended."""


class Turns:
    """Lets threads run one at a time, and wait for the server at the same time.

    So what they share needs no locks of its own: nothing of it changes but where a thread waits.
    """

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._holder: int | None = None
        self._has_ended = False

    @contextmanager
    def taken(self) -> Iterator[None]:
        """Wait for a turn, and keep it for the block.

        Raises:
            TurnsEnded: after :meth:`end`.
        """
        self._take()
        try:
            yield
        finally:
            self._give()

    @contextmanager
    def given(self) -> Iterator[bool]:
        """Let others run in the block, in which this thread waits. A thread without a turn has none to give.

        The value is whether it had one.

        Raises:
            TurnsEnded: after :meth:`end`.
        """
        if self._holder != threading.get_ident():
            yield False
            return
        self._give()
        try:
            yield True
        finally:
            self._take()

    def end(self) -> None:
        """Let no thread go on. When this returns, none of them runs."""
        with self._lock:
            self._has_ended = True

    def _take(self) -> None:
        self._lock.acquire()
        self._holder = threading.get_ident()
        if self._has_ended:
            self._give()
            raise TurnsEnded

    def _give(self) -> None:
        if self._holder == threading.get_ident():  # not if the turns have ended
            self._holder = None
            self._lock.release()
