"""Children whose endpoint filters by the time of the last change: each parent is asked since the last pass."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime, timedelta
from email.utils import format_datetime
from pathlib import Path
from typing import Any

import pytest

from dev.testbed.loopback import Reply, Seen
from engine.failures import Failure
from tests.lists import HEAD, START, alive, synced
from tests.shop import Recorder
from tests.specs import edited

STREAMS = f"""{HEAD}
  repos:
    description: One row per repository.
    endpoint: GET /repos
    primary_key: id
    sync_mode: full_refresh
    fields: {{id: $.id, name: $.full_name}}
  issues:
    description: One row per issue of a repository.
    endpoint: GET /repos/$(+parent.full_name)/issues
    parent: repos
    primary_key: id
    cursor_field: updated
    sync_mode: incremental
    incremental:
      changes: {{query: {{since: $since}}}}
    fields: {{id: $.id, repo: $parent.full_name, updated: {{path: $.updated, type: UTC_DATETIME}}}}
"""
COMMENTS: dict[str, Any] = {
    "description": "One row per comment on an issue.",
    "endpoint": "GET /repos/$(+parent.$parent.full_name)/issues/$(parent.id)/comments",
    "parent": "issues",
    "primary_key": "id",
    "cursor_field": "updated",
    "sync_mode": "incremental",
    "incremental": {},
    "fields": {
        "id": "$.id",
        "issue": "$parent.id",
        "repo": "$parent.$parent.full_name",
        "updated": {"path": "$.updated", "type": "UTC_DATETIME"},
    },
}
THREE_LEVELS = edited(STREAMS, add={"streams.comments": COMMENTS})
NEWEST_FIRST = edited(
    STREAMS,
    replace={"streams.issues.incremental.changes": {"query": {"sort": "-updated"}, "stop_at": "$.updated"}},
    add={"streams.issues.pagination": {"style": "page_number", "page_size": 2, "query": {"size": "$size"}}},
)


def at(days: float) -> str:
    """An instant so many days after the first sync."""
    return (START + timedelta(days=days)).isoformat()


class Forge:
    """Repositories with issues, and issues with comments. Between two syncs, a day passes."""

    def __init__(self, *names: str) -> None:
        self.now = START
        self.issues: dict[str, list[dict[str, Any]]] = {}
        self.missing: set[str] = set()
        self.missing_once: set[str] = set()
        self.refuse: Callable[[str], bool] = lambda path: False
        self.seen: list[tuple[str, str | None]] = []
        for name in names:
            self.create(name)

    def create(self, name: str, issues: int = 2, updated: str = at(-100)) -> None:
        """A repository with issues, each of which has a comment."""
        self.issues[name] = [{"id": f"{name}#{n}", "updated": updated} for n in range(issues)]

    def __call__(self, seen: Seen) -> Reply:
        path = seen.path.removeprefix("/api/repos").removeprefix("/").replace("%23", "#").replace("%2F", "/")
        date = {"Date": format_datetime(self.now, usegmt=True)}
        since, *_ = [*seen.query.get("since", []), None]
        self.seen.append((path, since and since[:10]))
        if self.refuse(path):
            return Reply({}, 403, headers=date)
        if path in self.missing or path in self.missing_once:
            self.missing_once.discard(path)
            return Reply({"message": "Not Found"}, 404, headers=date)
        if not path:
            return Reply([{"id": name, "full_name": name} for name in self.issues], headers=date)
        if path.endswith("/comments"):
            issue = path.removesuffix("/comments").partition("/issues/")[2]
            found = [one for issues in self.issues.values() for one in issues if one["id"] == issue]
            return Reply([{"id": f"{one['id']} comment", "updated": one["updated"]} for one in found], headers=date)
        found = [one for one in self.issues[path.removesuffix("/issues")] if not since or is_after(one, since)]
        if "sort" in seen.query:
            found = sorted(found, key=lambda one: one["updated"], reverse=True)
        page, size = int(seen.query.get("page", ["1"])[0]), int(seen.query.get("size", ["1000"])[0])
        return Reply(found[(page - 1) * size : page * size], headers=date)

    def asked(self) -> dict[str, str | None]:
        """The lists that were requested since the last call, each with the day of its ``since``."""
        found = dict(self.seen)
        self.seen.clear()
        return found


class Search(Forge):
    """Issues of several repositories, in one request."""

    def __init__(self, *names: str) -> None:
        super().__init__(*names)
        self.bodies: list[Any] = []

    def __call__(self, seen: Seen) -> Reply:
        if seen.path == "/api/repos":
            return super().__call__(seen)
        self.bodies.append({name: value if name == "repos" else value[:10] for name, value in seen.json.items()})
        since = seen.json.get("since")
        found = [one for repo in seen.json["repos"] for one in self.issues[repo] if not since or is_after(one, since)]
        return Reply(found, headers={"Date": format_datetime(self.now, usegmt=True)})


def is_after(one: dict[str, Any], since: str) -> bool:
    return datetime.fromisoformat(one["updated"]) >= datetime.fromisoformat(since.replace("Z", "+00:00"))


def test_known_parents_are_asked_since_the_last_pass_and_new_ones_for_everything(tmp_path: Path) -> None:
    """The request for a new parent has no `since`, and its old children arrive; of the others, only what changed."""
    forge = Forge("acme/api", "acme/web")
    recorder, _ = synced(forge, tmp_path, STREAMS)
    assert forge.asked() == {"": None, "acme/api/issues": None, "acme/web/issues": None}
    forge.create("acme/new")
    forge.issues["acme/api"][1]["updated"] = at(0.5)
    recorder, _ = synced(forge, tmp_path, STREAMS, recorder)
    since = "2025-12-31"
    assert forge.asked() == {"": None, "acme/api/issues": since, "acme/web/issues": since, "acme/new/issues": None}
    assert recorder.count("upsert", "issues") == 3
    assert alive(recorder, "issues").keys() == {f"acme/{repo}#{n}" for repo in ("api", "web", "new") for n in (0, 1)}
    synced(forge, tmp_path, STREAMS, recorder)
    assert None not in {since for path, since in forge.asked().items() if path}
    assert recorder.count("upsert", "issues") == 0


def test_a_parent_that_was_gone_is_new_when_it_comes_back(tmp_path: Path) -> None:
    """The state remembers the parents of the last pass only: what changed in between is not missed."""
    forge = Forge("acme/api", "acme/web")
    recorder, _ = synced(forge, tmp_path, STREAMS)
    gone = forge.issues.pop("acme/web")
    synced(forge, tmp_path, STREAMS, recorder)
    forge.issues["acme/web"] = gone
    gone[0]["updated"] = at(0.5)
    forge.asked()
    synced(forge, tmp_path, STREAMS, recorder)
    assert forge.asked()["acme/web/issues"] is None
    assert alive(recorder, "issues")["acme/web#0"]["updated"] == START + timedelta(days=0.5)


@pytest.mark.parametrize("is_first", [True, False])
def test_an_interrupted_pass_goes_on_behind_the_last_parent(tmp_path: Path, is_first: bool) -> None:
    """Those that were done before are known afterwards, although another sync read them."""
    forge, recorder = Forge("a/1", "a/2", "a/3", "a/4"), Recorder()
    if not is_first:
        synced(forge, tmp_path, STREAMS, recorder)
    forge.create("a/5")
    forge.refuse = lambda path: path.startswith("a/3")
    text = edited(STREAMS, add={"streams.issues.concurrency": 1})
    with pytest.raises(Failure):
        synced(forge, tmp_path, text, recorder)
    forge.refuse = lambda path: False
    forge.asked()
    synced(forge, tmp_path, text, recorder)
    asked = forge.asked()
    assert {"a/3/issues", "a/4/issues", "a/5/issues"} <= asked.keys()
    assert is_first or not {"a/1/issues", "a/2/issues"} & asked.keys()
    assert len(alive(recorder, "issues")) == 10
    synced(forge, tmp_path, text, recorder)
    assert None not in {since for path, since in forge.asked().items() if path}
    assert recorder.count("upsert", "issues") == 0


def test_a_parent_that_was_skipped_is_read_from_the_beginning(tmp_path: Path) -> None:
    """What changed while `answers` skipped its children is not missed."""
    text = edited(STREAMS, add={"streams.issues.answers": {"status": 403, "means": "skip"}})
    forge = Forge("acme/api", "acme/web")
    recorder, _ = synced(forge, tmp_path, text)
    forge.refuse = lambda path: path == "acme/web/issues"
    forge.issues["acme/web"][0]["updated"] = at(0.5)
    synced(forge, tmp_path, text, recorder)
    forge.refuse = lambda path: False
    forge.asked()
    synced(forge, tmp_path, text, recorder)
    assert forge.asked()["acme/web/issues"] is None
    assert alive(recorder, "issues")["acme/web#0"]["updated"] == START + timedelta(days=0.5)


def test_a_parent_whose_children_were_found_at_the_second_request_is_known(tmp_path: Path) -> None:
    """Its list was read to its end, so the next pass asks only for what has changed since."""
    forge = Forge("acme/api", "acme/web")
    forge.missing_once = {"acme/web/issues"}
    recorder, _ = synced(forge, tmp_path, STREAMS)
    assert alive(recorder, "issues").keys() == {f"acme/{repo}#{n}" for repo in ("api", "web") for n in (0, 1)}
    forge.asked()
    synced(forge, tmp_path, STREAMS, recorder)
    since = "2025-12-31"
    assert forge.asked() == {"": None, "acme/api/issues": since, "acme/web/issues": since}


def test_each_parent_can_be_read_newest_first(tmp_path: Path) -> None:
    """With `stop_at`, up to the first child of the parent that is older than the last pass."""
    forge = Forge()
    forge.create("acme/api", 7)
    recorder, _ = synced(forge, tmp_path, NEWEST_FIRST)
    forge.issues["acme/api"][5]["updated"] = at(0.5)
    forge.create("acme/new", 7)
    forge.seen.clear()
    synced(forge, tmp_path, NEWEST_FIRST, recorder)
    assert recorder.count("upsert", "issues") == 8
    assert sum(path == "acme/api/issues" for path, _ in forge.seen) == 1
    assert len(alive(recorder, "issues")) == 14


def test_the_grandchildren_of_a_new_parent_arrive(tmp_path: Path) -> None:
    """However old they are; and requests and fields have values of the parent's parent, slashes included."""
    forge = Forge("acme/api")
    recorder, _ = synced(forge, tmp_path, THREE_LEVELS)
    assert "acme/api/issues/acme/api#1/comments" in forge.asked()
    forge.create("acme/new")
    synced(forge, tmp_path, THREE_LEVELS, recorder)
    asked = forge.asked()
    assert {"acme/new/issues/acme/new#0/comments", "acme/new/issues/acme/new#1/comments"} <= asked.keys()
    assert not any("api#" in path for path in asked)
    assert alive(recorder, "comments")["acme/new#1 comment"] == {
        "id": "acme/new#1 comment",
        "issue": "acme/new#1",
        "repo": "acme/new",
        "updated": START - timedelta(days=100),
        "deleted": None,
    }
    synced(forge, tmp_path, THREE_LEVELS, recorder)
    assert not any("comments" in path for path in forge.asked())
    assert recorder.count("upsert", "comments") == 0


def test_more_parents_than_the_state_holds_are_all_new(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Their children are read again from the beginning, which a warning says, rather than missed."""
    monkeypatch.setattr("engine.reading.known_parents.PARENTS_MAX", 1)
    forge = Forge("acme/api", "acme/web")
    recorder, _ = synced(forge, tmp_path, STREAMS)
    forge.asked()
    _, log = synced(forge, tmp_path, STREAMS, recorder)
    assert set(forge.asked().values()) == {None}
    assert any(line.startswith("issues: its parent has more than") for line in log.warnings)
    assert recorder.count("upsert", "issues") == 4


def test_several_parents_are_asked_at_once(tmp_path: Path) -> None:
    """With `batch`, known and new ones in requests of their own, of which those for new ones have no `since`."""
    forge = Search("a", "b", "c")
    text = edited(
        STREAMS,
        remove=["streams.issues.fields.repo"],
        replace={
            "streams.issues.endpoint": "POST /issues/search",
            "streams.issues.parent": {"stream": "repos", "batch": 2},
            "streams.issues.incremental.changes": {"body": {"repos": "$parent.id", "since": "$since"}},
        },
        add={"streams.issues.body": {"repos": "$parent.id"}, "streams.issues.concurrency": 1},
    )
    recorder, _ = synced(forge, tmp_path, text)
    assert forge.bodies == [{"repos": ["a", "b"]}, {"repos": ["c"]}]
    forge.create("d")
    forge.bodies.clear()
    synced(forge, tmp_path, text, recorder)
    since = "2025-12-31"
    assert forge.bodies == [{"repos": ["a", "b"], "since": since}, {"repos": ["c"], "since": since}, {"repos": ["d"]}]
    assert recorder.count("upsert", "issues") == 2
