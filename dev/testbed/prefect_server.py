"""A real Prefect server on 127.0.0.1, in a temporary folder that is deleted when the block ends."""

from __future__ import annotations

import contextlib
import fcntl
import os
import random
import re
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
_UI: Final = {2: "PREFECT_UI_ENABLED", 3: "PREFECT_SERVER_UI_ENABLED"}
# The modules stay, so the garbage collector need not look at them: that saves a fifth of a start.
_PROGRAM: Final = """
import gc, importlib, importlib.util, sys
gc.disable()
import uvicorn
server = "prefect.server" if importlib.util.find_spec("prefect.server") else "prefect.orion"
importlib.import_module(f"{server}.api.server")
gc.freeze()
gc.enable()
sys.argv.append(f"{server}.api.server:create_app")
uvicorn.main()
"""
_PORTS: Final = range(20_000, 32_000)  # below those that Linux, macOS and Windows give to connections
_SERVICE_NAMES: Final = ("SCHEDULER", "LATE_RUNS", "CANCELLATION_CLEANUP", "PAUSE_EXPIRATIONS", "FOREMAN")


class ServerError(RuntimeError):
    """The server did not start. The message ends with its log."""


def environment_of(major: int) -> Path:
    """The environment of a major version, which the Makefile creates."""
    return PROJECT / f".venv-prefect-{major}"


class PrefectServer:
    """A server as a context manager.

    Args:
        major: 2 or 3.
        background_services: Whether the server schedules runs, marks late runs, and so on. Without them, a history
            stays as it is.
        database: The URL of an empty PostgreSQL database, as from testbed.postgres; default: SQLite in the server's
            folder.
        environment: Additional environment variables.
        installed: The environment that has the server; default: that of the major version.

    Raises (on entry):
        ServerError: the server is not installed, exited, or was not up within START_SECONDS.
    """

    def __init__(
        self,
        major: int,
        *,
        background_services: bool = False,
        database: str | None = None,
        environment: Mapping[str, str] | None = None,
        installed: Path | None = None,
    ) -> None:
        self.major = major
        self._installed = installed or environment_of(major)
        self._services = background_services
        self._environment = dict(environment or {})
        self._database = database
        self._folder = Path()
        self._process: subprocess.Popen[bytes] | None = None
        self._clients: list[subprocess.Popen[bytes]] = []
        self._port = 0
        self.api_url = ""

    def __enter__(self) -> PrefectServer:
        if not self.python.exists():
            raise ServerError(f"{self.python} is missing: run `make environments`")
        self._port = free_port()
        path = self._environment.get("PREFECT_SERVER_API_BASE_PATH", "/api")
        self.api_url = f"http://127.0.0.1:{self._port}{path}"
        self._folder = Path(tempfile.mkdtemp(prefix=f"prefect-{self.major}-"))
        try:
            if self._database is None:
                self._start_on_new_database()
            else:
                self._start()
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
        """Stop the server, and start it again on the same database and port, with or without background services.

        Raises:
            ServerError: the server did not come up again.
        """
        self._stop(signal.SIGTERM, signal.SIGKILL)
        self._services = background_services
        self._start()

    @property
    def is_listening(self) -> bool:
        """Whether anything accepts connections at its port."""
        with socket.socket() as probe:
            return probe.connect_ex(("127.0.0.1", self._port)) == 0

    def start_client(self, script: Path) -> None:
        """Start a script in Prefect's environment, as a client of this server. It is killed before the server stops."""
        variables = {name: value for name, value in os.environ.items() if not name.startswith(("PREFECT_", "PYTHON"))}
        home = self._folder / script.stem
        process = subprocess.Popen(
            [str(self.python), str(script)],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            env={**variables, "PREFECT_API_URL": self.api_url, "PREFECT_HOME": str(home), "DO_NOT_TRACK": "1"},
        )
        self._clients.append(process)

    @property
    def version(self) -> str:
        """The release, such as ``3.8.8``."""
        return str(requests.get(f"{self.api_url}/admin/version", timeout=10).json())

    @property
    def python(self) -> Path:
        """The interpreter of the server's environment."""
        return self._installed / "bin" / "python"

    def _variables(self) -> dict[str, str]:
        variables = {name: value for name, value in os.environ.items() if not name.startswith("PREFECT_")}
        variables |= {
            "PREFECT_HOME": str(self._folder),
            "PREFECT_API_DATABASE_CONNECTION_URL": self.database.replace(
                "://", "+asyncpg://" if self._database else "+aiosqlite://", 1
            ),
            "PREFECT_LOGGING_LEVEL": "WARNING",
            _UI[self.major]: "false",  # each server would write its own copy
            "PREFECT_SERVER_ANALYTICS_ENABLED": "false",
            "DO_NOT_TRACK": "1",
            "PATH": f"{self.python.parent}:{os.environ['PATH']}",  # Prefect 2.8 and older run its alembic
        }
        if not self._services:
            variables |= {_SERVICES[self.major].format(name): "false" for name in _SERVICE_NAMES}
        orion = {_orion(name): value for name, value in variables.items() if name.startswith("PREFECT_")}
        return variables | orion | self._environment

    def _start(self) -> None:
        # Like `prefect server start`, without its check of the port: Prefect 2 refuses a port that was in use a minute
        # ago, and a restarted server must return to its address.
        server = ["-c", _PROGRAM, "--factory"]
        with (self._folder / "server.log").open("ab") as log:
            self._process = subprocess.Popen(
                [str(self.python), *server, "--host", "127.0.0.1", "--port", str(self._port)],
                cwd=self._folder,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                env=self._variables(),
                start_new_session=True,  # its own process group, because the server has child processes
            )
        self._wait_until_up()

    def _wait_until_up(self) -> None:
        assert self._process is not None
        deadline = time.monotonic() + START_SECONDS
        while time.monotonic() < deadline:
            if self._process.poll() is not None:
                raise ServerError(f"Prefect {self.major} exited at its start:\n{self._end_of_log()}")
            try:
                if requests.get(f"{self.api_url}/health", timeout=2).status_code == 200:
                    return
            except requests.RequestException:
                pass  # not listening yet
            time.sleep(0.1)
        raise ServerError(f"Prefect {self.major} was not up within {START_SECONDS:.0f} s:\n{self._end_of_log()}")

    def _start_on_new_database(self) -> None:
        """Start on a copy of an empty database, which the first server leaves: migrations take as long as the rest."""
        blank = self._installed / "blank.db"
        with blank.with_suffix(".lock").open("w") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)  # one of several servers that start at once migrates
            if not blank.exists():
                self._start()
                self._copy_database(blank)
                return
        shutil.copyfile(blank, self._file)
        self._start()

    def _copy_database(self, path: Path) -> None:
        """Copy the database to a path, in one step: the copy may be interrupted."""
        part = path.with_suffix(".part")
        with closing(sqlite3.connect(self._file)) as database, closing(sqlite3.connect(part)) as copy:
            database.backup(copy)
        part.replace(path)

    def _end_of_log(self) -> str:
        return "\n".join((self._folder / "server.log").read_text("utf-8", "replace").splitlines()[-30:])

    def _stop(self, *signals: int) -> None:
        if self._process is not None:
            for number in signals:
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
        for process in self._clients:
            process.kill()
            process.wait(STOP_SECONDS)
        self._stop(signal.SIGKILL)  # its data goes, too
        shutil.rmtree(self._folder, ignore_errors=True)


def _orion(name: str) -> str:
    """The name of a setting in Prefect 2.7 and older: ``PREFECT_ORION_UI_ENABLED``."""
    return re.sub("PREFECT_(API_|SERVER_)?(?=DATABASE|SERVICES|UI|ANALYTICS)", "PREFECT_ORION_", name)


def free_port() -> int:
    """A port of 127.0.0.1 that is free now, and that no system gives to a connection: its server can return to it."""
    for port in random.SystemRandom().sample(_PORTS, len(_PORTS)):
        with contextlib.suppress(OSError), socket.socket() as probe:
            probe.bind(("127.0.0.1", port))
            return port
    raise OSError(f"no port from {_PORTS.start} to {_PORTS.stop - 1} is free")
