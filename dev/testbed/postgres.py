"""A PostgreSQL cluster on 127.0.0.1, in a temporary folder that is deleted when the block ends.

Needs PostgreSQL's server programs (Debian and Ubuntu: apt install postgresql); no PostgreSQL needs to run.
"""

from __future__ import annotations

import os
import pwd
import shutil
import subprocess
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import IO, Final

from dev.testbed.prefect_server import free_port

PLACES: Final = "in PATH or in /usr/lib/postgresql/*/bin"
START_SECONDS: Final = 60
# Nothing here needs to survive a power cut.
_OPTIONS: Final = (
    "-h 127.0.0.1 -c unix_socket_directories= -c fsync=off -c synchronous_commit=off -c max_connections=200"
)


class PostgresError(RuntimeError):
    """A program of PostgreSQL is missing or failed. The message has its output."""


def installed() -> Path | None:
    """The folder of PostgreSQL's server programs, of the newest version; None if there is none."""
    found = shutil.which("initdb")
    if found:
        return Path(found).resolve().parent  # pg_ctl looks for the other programs beside itself
    folders = [path.parent for path in Path("/usr/lib/postgresql").glob("*/bin/initdb")]
    return max(folders, key=lambda folder: float(folder.parent.name), default=None)


class Postgres:
    """A cluster as a context manager.

    Raises (on entry):
        PostgresError: PostgreSQL is not installed, or does not start.
    """

    def __init__(self) -> None:
        self._folder = Path()
        self._programs = Path()
        self._port = 0
        # initdb and the server refuse to run as root.
        self._user = pwd.getpwnam("nobody") if os.geteuid() == 0 else pwd.getpwuid(os.geteuid())

    def __enter__(self) -> Postgres:
        programs = installed()
        if programs is None:
            raise PostgresError(f"initdb is not {PLACES}: install PostgreSQL")
        self._programs = programs
        self._folder = Path(tempfile.mkdtemp(prefix="postgres-"))
        os.chown(self._folder, self._user.pw_uid, self._user.pw_gid)
        self._port = free_port()
        try:
            self._run("initdb", "-U", "postgres", "-A", "trust", "-E", "UTF8", "--locale=C", "--no-sync", self._data)
            options = f"{_OPTIONS} -p {self._port}"
            self._run(
                "pg_ctl", "start", "-w", "-t", str(START_SECONDS), "-D", self._data, "-l", self._log, "-o", options
            )
        except BaseException:
            self._stop()
            raise
        return self

    def __exit__(self, *exception: object) -> None:
        self._stop()

    def create(self, name: str) -> str:
        """Make an empty database; returns its URL."""
        self._run("createdb", "-h", "127.0.0.1", "-p", str(self._port), "-U", "postgres", name)
        return f"postgresql://postgres@127.0.0.1:{self._port}/{name}"

    @property
    def _data(self) -> str:
        return str(self._folder / "data")

    @property
    def _log(self) -> str:
        return str(self._folder / "server.log")

    def _run(self, program: str, *arguments: str) -> None:
        with tempfile.TemporaryFile() as output:  # not a pipe: the server that pg_ctl starts would keep it open
            if self._call(program, arguments, output) != 0:
                output.seek(0)
                log = Path(self._log)
                more = log.read_text("utf-8", "replace") if log.exists() else ""
                raise PostgresError(f"{program} failed:\n{output.read().decode('utf-8', 'replace')}{more}".rstrip())

    def _call(self, program: str, arguments: Sequence[str], output: IO[bytes]) -> int:
        root = os.geteuid() == 0
        return subprocess.run(
            [str(self._programs / program), *arguments],
            cwd=self._folder,
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
            user=self._user.pw_uid if root else None,
            group=self._user.pw_gid if root else None,
            extra_groups=[] if root else None,
        ).returncode

    def _stop(self) -> None:
        if (self._folder / "data" / "postmaster.pid").exists():
            self._run("pg_ctl", "stop", "-w", "-m", "immediate", "-D", self._data)
        shutil.rmtree(self._folder, ignore_errors=True)
