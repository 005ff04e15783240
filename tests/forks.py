"""Python commands, each in a fork of one process that has imported what they need: none waits for an interpreter.

python -m tests.forks LISTENER MODULE...
"""

from __future__ import annotations

import gc
import importlib
import io
import json
import os
import runpy
import signal
import socket
import subprocess
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from select import select
from tempfile import TemporaryDirectory, TemporaryFile
from typing import IO, Final

PROJECT = Path(__file__).resolve().parents[1]
PATIENCE = 120  # seconds


class Forks:
    """Runs commands, also several at a time and for forks of this process.

    Args:
        modules: What the commands import. They get their own copy, as it is after the import.
    """

    def __init__(self, *modules: str) -> None:
        self._modules = modules
        self._process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        """Start the process that imports the modules, unless it has been started. It ends with this one."""
        if self._process is not None:
            return
        self._folder = TemporaryDirectory(prefix="forks-")
        self._address = str(Path(self._folder.name) / "socket")
        with socket.socket(socket.AF_UNIX) as listener:
            listener.bind(self._address)
            listener.listen(100)
            command = [sys.executable, "-m", "tests.forks", str(listener.fileno()), *self._modules]
            self._process = subprocess.Popen(
                command, cwd=PROJECT, stdin=subprocess.PIPE, pass_fds=[listener.fileno()], start_new_session=True
            )

    def end(self) -> None:
        """End the process and the commands that it runs."""
        if self._process is not None:
            os.killpg(self._process.pid, signal.SIGKILL)  # it has nothing to lose
            self._process.communicate()
            self._folder.cleanup()
            self._process = None

    def python(
        self,
        *arguments: str,
        folder: Path,
        environment: Mapping[str, str],
        stdin: str = "",
        stdout: int | None = None,
        stderr: int | None = None,
    ) -> subprocess.CompletedProcess[bytes]:
        """Run ``python -m MODULE ...`` or ``python SCRIPT ...`` in a folder.

        Args:
            arguments: What follows ``python``.
            folder: The working directory.
            environment: All environment variables.
            stdin: What the command can read.
            stdout: Where it prints, if not into the result.
            stderr: As for :mod:`subprocess`.
        """
        with TemporaryFile() as given, TemporaryFile() as printed, TemporaryFile() as complained:
            given.write(stdin.encode())
            given.seek(0)
            out = printed.fileno() if stdout is None else stdout
            err = out if stderr == subprocess.STDOUT else complained.fileno()
            with socket.socket(socket.AF_UNIX) as connection:
                connection.settimeout(PATIENCE)
                connection.connect(self._address)
                socket.send_fds(connection, [b"\0"], [given.fileno(), out, err])
                connection.sendall(json.dumps([arguments, str(folder), dict(environment)]).encode() + b"\n")
                code = int(connection.recv(10))
            return subprocess.CompletedProcess(arguments, code, _content(printed), _content(complained))


FORKS: Final = Forks("fivetran_connector_sdk", "engine.setup_form", "engine.sync", "tools.cli")
"""Of `fivetran`, of a connector, whose engine is a link to this one, and of the engine's commands."""


def end_threads() -> None:
    """Close the database that DuckDB's import opens: it has a thread, which a fork would lack."""
    if "duckdb" in sys.modules:
        sys.modules["duckdb"].close()


def _content(file: IO[bytes]) -> bytes:
    file.seek(0)
    return file.read()


def _serve(listener: socket.socket) -> None:
    """Fork for each command, until nobody is left to send one. A fork returns, and so ends as any Python does."""
    signal.signal(signal.SIGCHLD, signal.SIG_IGN)  # nobody waits for those that report how a command ended
    while listener in select([listener, sys.stdin], [], [])[0]:
        connection, _ = listener.accept()
        with connection:
            if not os.fork():
                signal.signal(signal.SIGCHLD, signal.SIG_DFL)
                listener.close()
                _answer(connection)
                return


def _answer(connection: socket.socket) -> None:
    """Run one command in a fork, and report how it ended."""
    files = socket.recv_fds(connection, 1, 3)[1]
    with connection.makefile("r", encoding="utf-8") as lines:
        arguments, folder, environment = json.loads(lines.readline())
    command = os.fork()
    if not command:
        connection.close()
        _run(arguments, folder, environment, files)
        return
    _, status = os.waitpid(command, 0)
    connection.sendall(b"%d" % os.waitstatus_to_exitcode(status))
    os._exit(0)


def _run(arguments: Sequence[str], folder: str, environment: Mapping[str, str], files: Sequence[int]) -> None:
    """Be the interpreter that runs a module or a script."""
    os.chdir(folder)
    os.environ.clear()
    os.environ.update(environment)
    encoding = environment.get("PYTHONIOENCODING", "utf-8")
    for standard, file in enumerate(files):
        os.dup2(file, standard)
        os.close(file)
    sys.stdin, sys.stdout, sys.stderr = (
        io.TextIOWrapper(os.fdopen(number, "wb" if number else "rb", closefd=False), encoding, errors)
        for number, errors in enumerate(("strict", "strict", "backslashreplace"))
    )
    if arguments[0] == "-m":
        sys.argv, sys.path[0] = list(arguments[1:]), folder
        runpy.run_module(arguments[1], run_name="__main__", alter_sys=True)
    else:
        sys.argv, sys.path[0] = list(arguments), str(Path(arguments[0]).parent)
        runpy.run_path(arguments[0], run_name="__main__")


if __name__ == "__main__":
    for module in sys.argv[2:]:
        importlib.import_module(module)
    end_threads()
    gc.freeze()
    with socket.socket(fileno=int(sys.argv[1])) as listener:
        _serve(listener)
