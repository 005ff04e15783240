"""A real Prefect server on this machine: a temporary folder, 127.0.0.1, gone when the block ends."""

from __future__ import annotations

import os
import shutil
import signal
import socket
import sqlite3
import subprocess
import tempfile
import time
from collections.abc import Mapping
from contextlib import closing
from pathlib import Path
from typing import Final

import requests

PROJECT: Final = Path(__file__).resolve().parents[2]
START_SECONDS: Final = 120.0
STOP_SECONDS: Final = 15.0

_SERVICES: Final = {
    2: "PREFECT_API_SERVICES_{}_ENABLED",
    3: "PREFECT_SERVER_SERVICES_{}_ENABLED",
}
_PAGES: Final = {2: "PREFECT_UI_STATIC_DIRECTORY", 3: "PREFECT_SERVER_UI_STATIC_DIRECTORY"}
_SERVICE_NAMES: Final = ("SCHEDULER", "LATE_RUNS", "CANCELLATION_CLEANUP", "PAUSE_EXPIRATIONS", "FOREMAN")


class ServerError(RuntimeError):
    """The server cannot be started; the message holds the end of its log."""


def environment_of(major: int) -> Path:
    """The folder of the environment in which `make setup` installs a major version."""
    return PROJECT / f".venv-prefect-{major}"


class PrefectServer:
    """A server as a context manager.

    Args:
        major: 2 or 3.
        background_services: Whether schedules make runs, late runs are marked, and so on. Off, a history stands still.
        database: The URL of an empty PostgreSQL database, such as testbed.postgres makes; SQLite in the server's own
            folder without it.
        environment: More environment variables.

    Raises (on entry):
        ServerError: it is not installed, died, or was not up within START_SECONDS.
    """

    def __init__(
        self,
        major: int,
        *,
        background_services: bool = False,
        database: str | None = None,
        environment: Mapping[str, str] | None = None,
    ) -> None:
        self.major = major
        self._services = background_services
        self._environment = dict(environment or {})
        self._database = database
        self._folder = Path()
        self._process: subprocess.Popen[bytes] | None = None
        self._company: list[subprocess.Popen[bytes]] = []
        self._port = 0
        self.api_url = ""

    def __enter__(self) -> PrefectServer:
        if not self._python.exists():
            raise ServerError(f"{self._python} is missing: run `make setup`")
        self._port = free_port()
        path = self._environment.get("PREFECT_SERVER_API_BASE_PATH", "/api")
        self.api_url = f"http://127.0.0.1:{self._port}{path}"
        self._folder = Path(tempfile.mkdtemp(prefix=f"prefect-{self.major}-"))
        # An empty database with all its tables, from the first start of all: they take twice as long as the rest.
        blank = environment_of(self.major) / "blank.db"
        try:
            if self._database is None and blank.exists():
                shutil.copyfile(blank, self._file)
            self._start()
            if self._database is None and not blank.exists():
                self._keep_copy(blank)
        except BaseException:
            self._end()
            raise
        return self

    def __exit__(self, *exception: object) -> None:
        self._end()

    @property
    def database(self) -> str:
        """The URL of the database: ``sqlite:///PATH`` or ``postgresql://...``."""
        return self._database or f"sqlite:///{self._file}"

    @property
    def _file(self) -> Path:
        return self._folder / "prefect.db"

    def restart(self, *, background_services: bool = False) -> None:
        """Stop the server, and start it on the same database and port, with or without its background services.

        Raises:
            ServerError: it did not come up again.
        """
        self._stop()
        self._services = background_services
        self._start()

    def accompany(self, script: Path) -> None:
        """Start a script with Prefect's own interpreter, a client of this server, and end it before the server."""
        own = {name: value for name, value in os.environ.items() if not name.startswith(("PREFECT_", "PYTHON"))}
        home = self._folder / script.stem
        process = subprocess.Popen(
            [str(self._python), str(script)],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            env={**own, "PREFECT_API_URL": self.api_url, "PREFECT_HOME": str(home), "DO_NOT_TRACK": "1"},
        )
        self._company.append(process)

    @property
    def version(self) -> str:
        """The release, such as ``3.8.8``."""
        return str(requests.get(f"{self.api_url}/admin/version", timeout=10).json())

    @property
    def _python(self) -> Path:
        return environment_of(self.major) / "bin" / "python"

    def _variables(self) -> dict[str, str]:
        own = {name: value for name, value in os.environ.items() if not name.startswith("PREFECT_")}
        own |= {
            "PREFECT_HOME": str(self._folder),
            "PREFECT_API_DATABASE_CONNECTION_URL": self.database.replace(
                "://", "+asyncpg://" if self._database else "+aiosqlite://", 1
            ),
            "PREFECT_LOGGING_LEVEL": "WARNING",
            # A copy of its pages for each server: two that begin at once would write to one place.
            _PAGES[self.major]: str(self._folder / "ui"),
            "PREFECT_SERVER_ANALYTICS_ENABLED": "false",
            "DO_NOT_TRACK": "1",
        }
        if not self._services:
            own |= {_SERVICES[self.major].format(name): "false" for name in _SERVICE_NAMES}
        return own | self._environment

    def _start(self) -> None:
        # As `prefect server start` starts it, without its look at the port: Prefect 2 refuses one that was in use
        # a minute ago, and a restarted server has to come back at its address.
        server = ["-m", "uvicorn", "--factory", "prefect.server.api.server:create_app"]
        with (self._folder / "server.log").open("ab") as log:
            self._process = subprocess.Popen(
                [str(self._python), *server, "--host", "127.0.0.1", "--port", str(self._port)],
                cwd=self._folder,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                env=self._variables(),
                start_new_session=True,  # a process group of its own: the server has children
            )
        self._wait_until_up()

    def _wait_until_up(self) -> None:
        assert self._process is not None
        deadline = time.monotonic() + START_SECONDS
        while time.monotonic() < deadline:
            if self._process.poll() is not None:
                raise ServerError(f"Prefect {self.major} ended while it started:\n{self._end_of_log()}")
            try:
                if requests.get(f"{self.api_url}/health", timeout=2).status_code == 200:
                    return
            except requests.RequestException:
                pass  # not listening yet
            time.sleep(0.2)
        raise ServerError(f"Prefect {self.major} was not up within {START_SECONDS:.0f} s:\n{self._end_of_log()}")

    def _keep_copy(self, path: Path) -> None:
        """Copy the server's database, as it is now, to a path where nobody ever sees a part of it."""
        part = path.with_suffix(f".{self._port}")
        with closing(sqlite3.connect(self._file)) as own, closing(sqlite3.connect(part)) as copy:
            own.backup(copy)
        part.replace(path)

    def _end_of_log(self) -> str:
        return "\n".join((self._folder / "server.log").read_text("utf-8", "replace").splitlines()[-30:])

    def _stop(self) -> None:
        if self._process is not None:
            for number in (signal.SIGTERM, signal.SIGKILL):
                try:
                    os.killpg(self._process.pid, number)
                    self._process.wait(STOP_SECONDS)
                except ProcessLookupError:
                    break
                except subprocess.TimeoutExpired:
                    continue
            self._process.wait(STOP_SECONDS)
            self._process = None

    def _end(self) -> None:
        for process in self._company:
            process.kill()
            process.wait(STOP_SECONDS)
        self._stop()
        shutil.rmtree(self._folder, ignore_errors=True)


def free_port() -> int:
    """A port of 127.0.0.1 that nobody listens on now."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])
