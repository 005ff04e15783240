"""Python commands, each in a fork of one process that has imported what they need: none waits for an interpreter.

python -m tests.forks SOCKET MODULE...
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
from tempfile import TemporaryFile
from typing import IO

PROJECT = Path(__file__).resolve().parents[1]
PATIENCE = 120  # seconds


class Forks:
    """Runs commands one after the other, as a context manager.

    Args:
        modules: What the commands import. They get their own copy, as it is after the import.
    """

    def __init__(self, *modules: str) -> None:
        self._modules = modules

    def __enter__(self) -> Forks:
        self._socket, theirs = socket.socketpair()
        self._socket.settimeout(PATIENCE)
        with theirs:
            command = [sys.executable, "-m", "tests.forks", str(theirs.fileno()), *self._modules]
            self._process = subprocess.Popen(command, cwd=PROJECT, pass_fds=[theirs.fileno()], start_new_session=True)
        self._lines = self._socket.makefile("r", encoding="utf-8")
        return self

    def __exit__(self, *exception: object) -> None:
        os.killpg(self._process.pid, signal.SIGKILL)  # it has nothing to lose
        self._process.wait()
        self._lines.close()
        self._socket.close()

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
            socket.send_fds(self._socket, [b"\0"], [given.fileno(), out, err])
            self._socket.sendall(json.dumps([arguments, str(folder), dict(environment)]).encode() + b"\n")
            code = int(self._lines.readline())
            return subprocess.CompletedProcess(arguments, code, _content(printed), _content(complained))


def end_threads() -> None:
    """Close the database that DuckDB's import opens: it has a thread, which a fork would lack."""
    if "duckdb" in sys.modules:
        sys.modules["duckdb"].close()


def _content(file: IO[bytes]) -> bytes:
    file.seek(0)
    return file.read()


def _serve(connection: socket.socket) -> None:
    """Fork for each command. A fork returns, and so ends as any Python does."""
    lines = connection.makefile("r", encoding="utf-8")
    while files := socket.recv_fds(connection, 1, 3)[1]:
        arguments, folder, environment = json.loads(lines.readline())
        child = os.fork()
        if not child:
            _run(arguments, folder, environment, files)
            break
        for file in files:
            os.close(file)
        _, status = os.waitpid(child, 0)
        connection.sendall(b"%d\n" % os.waitstatus_to_exitcode(status))


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
    with socket.socket(fileno=int(sys.argv[1])) as connection:
        _serve(connection)
