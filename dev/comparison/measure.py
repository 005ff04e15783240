"""Runs the tools on an API: a first sync, one without changes, and one after a change."""

from __future__ import annotations

import json
import subprocess
import sys
import tempfile
from collections.abc import Callable, Mapping, Sequence
from datetime import timedelta
from pathlib import Path
from typing import Final

import msgspec

from dev.comparison.case import Case, Records
from dev.comparison.files import OURS, TOOLS, path_of
from dev.testbed.loopback import Loopback
from dev.testbed.prefect_server import PROJECT

BETWEEN: Final = timedelta(hours=1)


class Result(msgspec.Struct, frozen=True, omit_defaults=True):
    """How one tool reads one API.

    Attributes:
        rows: How many rows each sync sends: the first one, the one without changes, the one after the change.
        requests: How many requests each sends.
        changed: How many rows the change touches.
        missing: How many rows the first sync does not send.
        not_found: How many of the rows that changed the last sync does not send.
        failure: The last words of a tool that fails.
        lines: How many lines its file has, without settings and columns.
        all_lines: How many with them.
    """

    rows: Sequence[int]
    requests: Sequence[int]
    changed: int = 0
    missing: int = 0
    not_found: int = 0
    failure: str = ""
    lines: int = 0
    all_lines: int = 0

    @property
    def works(self) -> bool:
        """Whether no row is missing."""
        return not (self.failure or self.missing or self.not_found)


class ToolFailed(Exception):
    """A sync of a tool failed; the message has its last words."""


def measure(case: Case, sync: Callable[[], Records], *, mapped: bool) -> Result:
    """Let a tool sync three times.

    Args:
        case: The API, as nobody has read it.
        sync: Runs a sync, and returns the records that it sends.
        mapped: Whether those have the connector's columns.
    """
    rows: list[int] = []
    requests: list[int] = []

    def sent() -> Records:
        case.api.seen.clear()
        records = list(sync())
        rows.append(len(records))
        requests.append(len(case.api.seen))
        case.api.now += BETWEEN
        return records

    changed: Mapping[tuple[str, str], str] = {}
    missing = not_found = 0
    failure = ""
    try:
        missing = len(case.missing(sent(), mapped=mapped))
        sent()
        changed = case.change()
        not_found = len(case.not_sent(sent(), changed, mapped=mapped))
    except ToolFailed as failed:
        failure = str(failed)
    return Result(rows, requests, len(changed), missing, not_found, failure)


def run(tool: str, name: str, case: Case) -> Result:
    """Let a tool sync three times, each in a process of its own, over the loopback interface."""
    with Loopback(case.api) as server, tempfile.TemporaryDirectory() as folder:
        case.api.url = server.url
        task = {"file": str(path_of(tool, name)), "url": server.url, "folder": folder, "settings": case.settings}

        def sync() -> Records:
            return synced(tool, {**task, "now": case.api.now.isoformat()}, Path(folder))

        return measure(case, sync, mapped=tool == OURS)


def synced(tool: str, task: Mapping[str, object], folder: Path) -> Records:
    """Run one sync in a process; returns the records that it sends.

    Raises:
        ToolFailed: the sync failed.
    """
    python = str(PROJECT / TOOLS[tool] / "bin" / "python")
    command = [python, "-m", "dev.comparison.tools", tool, json.dumps(task)]
    done = subprocess.run(command, cwd=PROJECT, capture_output=True, text=True, timeout=300)
    if done.returncode:
        print(done.stderr[-4000:], file=sys.stderr)
        raise ToolFailed(done.stderr.strip().splitlines()[-1])
    lines = (folder / "sent.jsonl").read_text("utf-8").splitlines()
    return [(table, record) for table, record in map(json.loads, lines)]


class Api(msgspec.Struct, frozen=True):
    """The results of the tools on one API."""

    title: str
    change: str
    tools: Mapping[str, Result]


class Outcome(msgspec.Struct, frozen=True, omit_defaults=True):
    """What comes of a mistake: the last words of a tool that fails, or how many rows it does not send."""

    said: str
    missing: int = 0


class Results(msgspec.Struct, frozen=True):
    """All results, the date when they were measured, and the versions of the other tools.

    Attributes:
        harder: What comes of what is no ordinary change, by tool.
        mistakes: What comes of mistakes, by tool.
    """

    date: str
    versions: str
    apis: Mapping[str, Api] = {}
    harder: Mapping[str, Mapping[str, Result]] = {}
    mistakes: Mapping[str, Mapping[str, Outcome]] = {}
