"""The connector as a user has it: a folder in which `fivetran debug` runs, and the warehouse that it writes."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import duckdb

PROJECT = Path(__file__).resolve().parents[2]
SHIPPED = ("connector.py", "engine", "streams.yaml", "schemas", "pyproject.toml")


@dataclass(frozen=True)
class Debug:
    """How a `fivetran debug` ended: its exit code, and everything that it printed."""

    code: int
    output: str


@dataclass(frozen=True)
class UserProject:
    """A copy of what is deployed, with a configuration."""

    folder: Path

    @classmethod
    def create(cls, folder: Path, configuration: dict[str, str]) -> UserProject:
        """Copy the connector into a new folder."""
        folder.mkdir()
        for name in SHIPPED:
            source = PROJECT / name
            if source.is_dir():
                shutil.copytree(source, folder / name, ignore=shutil.ignore_patterns("__pycache__"))
            else:
                shutil.copy(source, folder / name)
        (folder / "configuration.json").write_text(json.dumps(configuration))
        return cls(folder)

    def debug(self, folder: Path | None = None) -> Debug:
        """Run `fivetran debug --configuration configuration.json` as a user does."""
        return self.fivetran("debug", "--configuration", str(self.folder / "configuration.json"), folder=folder)

    def fivetran(
        self, *arguments: str, folder: Path | None = None, typed: str = "", tools: Path = Path(sys.executable).parent
    ) -> Debug:
        """Run a command of `fivetran` in the project (or another folder), with what is typed into it.

        Args:
            arguments: Of the command.
            folder: Where to run it.
            typed: What a user types.
            tools: The programs of the environment that it belongs to.
        """
        home = self.folder / ".home"
        home.mkdir(exist_ok=True)
        done = subprocess.run(
            [str(tools / "fivetran"), *arguments],
            cwd=folder or self.folder,
            env={
                **{name: text for name, text in os.environ.items() if not name.startswith("PYTHON")},
                "PATH": f"{tools}{os.pathsep}{os.environ['PATH']}",
                "HOME": str(home),
                "DO_NOT_TRACK": "1",
            },
            input=typed,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            timeout=120,
        )
        return Debug(done.returncode, done.stdout)

    @property
    def state(self) -> Any:
        """The state of the last checkpoint."""
        return json.loads((self.folder / "files" / "state.json").read_text())

    def query(self, sql: str) -> list[tuple[Any, ...]]:
        """ListRequest the warehouse."""
        with duckdb.connect(str(self.folder / "files" / "warehouse.db"), read_only=True) as warehouse:
            warehouse.execute("SET schema = 'tester'")
            return warehouse.execute(sql).fetchall()

    def types(self, table: str) -> dict[str, str]:
        """The columns of a table and their DuckDB types."""
        return {name: kind for name, kind, *_ in self.query(f"DESCRIBE tester.{table}")}
