"""A user's copy of the connector: the folder in which `fivetran debug` runs, and the warehouse that it writes."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import duckdb

from tests.forks import Forks
from tests.specs import edited

PROJECT = Path(__file__).resolve().parents[2]
SHIPPED = ("connector.py", "engine", "streams.yaml", "schemas", "pyproject.toml")


@dataclass(frozen=True)
class CommandResult:
    """The exit code of a `fivetran` command, and everything that it printed."""

    code: int
    output: str


@dataclass(frozen=True)
class UserProject:
    """A copy of the deployed files, with a configuration.

    With ``forks``, its commands run in forks, without the CLI's dependency check, which is as slow as the rest of it.
    """

    folder: Path
    forks: Forks | None = None
    patience: float = 600
    """The seconds after which a command that is no fork is stopped."""

    @classmethod
    def create(cls, folder: Path, configuration: dict[str, str], forks: Forks | None = None) -> UserProject:
        """Copy the connector into a new folder."""
        folder.mkdir()
        for name in SHIPPED:
            source = PROJECT / name
            if source.is_dir():
                (folder / name).symlink_to(source)  # not copied, which would take longer than many a sync
            else:
                shutil.copy(source, folder / name)
        project = cls(folder, forks)
        project.configure(configuration)
        return project

    def configure(self, configuration: dict[str, str]) -> None:
        """Write configuration.json."""
        (self.folder / "configuration.json").write_text(json.dumps(configuration))

    @property
    def configuration(self) -> dict[str, str]:
        """The settings in configuration.json."""
        settings: dict[str, str] = json.loads((self.folder / "configuration.json").read_text())
        return settings

    def edit_streams(self, edit: Callable[..., str] = edited, **edits: Any) -> None:
        """Edit streams.yaml with a function of :mod:`tests.specs`."""
        path = self.folder / "streams.yaml"
        path.write_text(edit(path.read_text("utf-8"), **edits), "utf-8")

    def debug(self) -> CommandResult:
        """Run `fivetran debug --configuration configuration.json` as a user does."""
        return self.fivetran("debug", "--configuration", str(self.folder / "configuration.json"))

    def fivetran(
        self, *arguments: str, stdin: str = "", executables: Path = Path(sys.executable).parent
    ) -> CommandResult:
        """Run a `fivetran` command in the project, with the executables of an environment."""
        home = self.folder / ".home"
        _skip_the_search_for_updates(home)
        if self.forks is not None:
            (home / "pipreqs").write_text("#!/bin/sh\n")
            (home / "pipreqs").chmod(0o755)
        environment = {
            **{name: text for name, text in os.environ.items() if not name.startswith("PYTHON")},
            "PATH": os.pathsep.join([str(home), str(executables), os.environ["PATH"]]),
            "HOME": str(home),
            "DO_NOT_TRACK": "1",
        }
        run = partial(_as_a_process, patience=self.patience) if self.forks is None else self.forks.python
        command = (str(executables / "fivetran"), *arguments)
        done = run(*command, folder=self.folder, environment=environment, stdin=stdin, stderr=subprocess.STDOUT)
        # Lines of the SDK's processes can tear each other's characters.
        return CommandResult(done.returncode, done.stdout.decode("utf-8", "backslashreplace"))

    @property
    def state(self) -> Any:
        """The state of the last checkpoint."""
        return json.loads((self.folder / "files" / "state.json").read_text())

    def query(self, sql: str) -> list[tuple[Any, ...]]:
        """Query the warehouse."""
        with duckdb.connect(str(self.folder / "files" / "warehouse.db"), read_only=True) as warehouse:
            warehouse.execute("SET schema = 'tester'")
            return warehouse.execute(sql).fetchall()

    def types(self, table: str) -> dict[str, str]:
        """The columns of a table and their DuckDB types."""
        return {name: data_type for name, data_type, *_ in self.query(f"DESCRIBE tester.{table}")}


def _skip_the_search_for_updates(home: Path) -> None:
    """Say that the CLI looked for newer versions of itself just now: otherwise it waits for the network."""
    now = int(time.time())
    sdk, core = (home / ".fivetran" / name for name in ("connector_sdk", "connector_sdk_core"))
    for folder in (sdk, core):
        folder.mkdir(parents=True, exist_ok=True)
    (sdk / "_last_version_check").write_text(str(now))
    (core / "_config.json").write_text(json.dumps({"lastVersionCheck": now}))


def _as_a_process(
    *command: str, folder: Path, environment: dict[str, str], stdin: str, stderr: int, patience: float
) -> subprocess.CompletedProcess[bytes]:
    """Run a command as a user starts it."""
    return subprocess.run(
        command,
        cwd=folder,
        env=environment,
        input=stdin.encode(),
        stdout=subprocess.PIPE,
        stderr=stderr,
        timeout=patience,
    )
