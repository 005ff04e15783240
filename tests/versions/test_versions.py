"""Every stream on real servers of many releases, row by row: a first sync, changes, a second sync, reconciliation."""

from __future__ import annotations

import json
from collections.abc import Set
from dataclasses import dataclass, field
from pathlib import Path

from dev.testbed.any_version import AnyVersion
from dev.testbed.everything import EVENTS, LISTINGS, make_everything, make_rows_of_runs, read
from dev.testbed.history import Json, change_history
from dev.testbed.prefect_server import PrefectServer
from dev.testbed.releases import NEWEST, RELEASES, install, newest
from engine.sync import sync
from tests.fivetran.comparison import differences, in_recorder, key_of
from tests.shop import Lines, Recorder, connection
from tests.specs import SHIPPED, edited, reconciled_by_every_sync
from tests.versions.page import Result

GROWING = {"events"}  # requests of the test itself add rows
WITHIN_DEPLOYMENTS = {"deployment_schedules"}  # without an endpoint that could be missing


@dataclass
class Copy:
    """The destination of one server. ``lines``: the logs of all its syncs."""

    folder: Path
    api: AnyVersion
    api_url: str
    recorder: Recorder = field(default_factory=Recorder)
    lines: Lines = field(default_factory=Lines)

    def sync(self, text: str) -> None:
        """Sync all streams, with the state of the last checkpoint."""
        resolved = connection(self.folder, self.api_url, text, streams="all")
        sync(resolved, json.loads(json.dumps(self.recorder.state)), self.recorder, self.lines)

    def records(self) -> dict[str, list[Json]]:
        """All rows of the server, by table."""
        return {name: read(self.api, name) for name in (*LISTINGS, "events")}

    def wrong(self, records: dict[str, list[Json]], ignored: Set[str] = frozenset()) -> list[str]:
        """How the destination differs from the server. ``ignored``: flow runs to leave out, with their children."""
        found = []
        for name, rows in records.items():
            copied = in_recorder(self.recorder, name)
            found += differences(name, copied, [row for row in rows if not ignored & {row.get("id"), *_parent(row)}])
            if name not in GROWING:
                extra = {key for key, row in copied.items() if not row["_fivetran_deleted"]}
                extra -= {row[key_of(name)] for row in rows}
                found += [f"{name} {key}: is not on the server" for key in extra]
        return found


def _parent(row: Json) -> list[str]:
    return [row["parent"]["id"]] if "parent" in row else []


def test_every_row_of_a_release_arrives(release: str, tmp_path: Path, results: list[Result]) -> None:
    """After each of three syncs. The log warns of nothing but tables that the server lacks."""
    version, published = newest() if release == NEWEST else (release, RELEASES[release])
    major = int(version.partition(".")[0])
    with PrefectServer(major, environment=EVENTS[major], installed=install(version, published)) as server:
        assert server.version == version
        copy = Copy(tmp_path, AnyVersion(server.api_url), server.api_url)
        history = make_everything(server, copy.api)
        text = edited(SHIPPED.read_text("utf-8"), add={"api.lookback": "1s"})
        copy.sync(text)
        records = copy.records()
        assert copy.wrong(records) == []

        changes = change_history(server.api_url, history, api=copy.api)
        make_rows_of_runs(copy.api, changes.made)
        copy.sync(text)
        assert copy.wrong(copy.records(), changes.untraced) == []

        copy.sync(reconciled_by_every_sync(text))
        records = copy.records()
        assert copy.wrong(records) == []
    absent = {name for name, rows in records.items() if not rows}
    assert all("not found; skipping." in warning for warning in copy.lines.warnings), copy.lines.warnings
    tables, rows = len(records) - len(absent), sum(len(found) for found in records.values())
    results.append(Result(version, published, tables, rows, absent, copy.lines.infos))
