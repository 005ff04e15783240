"""`where` of a parent: which of its rows are asked for their children."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from tests.lists import HEAD, START, Server, alive, synced
from tests.specs import edited

ISSUES = f"""{HEAD}
  issues:
    description: One row per issue.
    endpoint: GET /issues
    primary_key: id
    sync_mode: full_refresh
    fields: {{id: $.id, comments: {{path: $.comments, type: INT}}}}
  comments:
    description: One row per comment.
    endpoint: GET /issues/$(parent.id)/comments
    parent: {{stream: issues, where: [{{path: $.comments, not: [0, null]}}, {{path: $.pull_request, is: null}}]}}
    primary_key: id
    sync_mode: full_refresh
    fields: {{id: $.id, issue: $parent.id}}
"""
EACH = edited(
    ISSUES,
    replace={"streams.comments.sync_mode": "incremental"},
    add={
        "streams.comments.cursor_field": "updated",
        "streams.comments.fields.updated": {"path": "$.updated", "type": "UTC_DATETIME"},
        "streams.comments.incremental": {"changes": {"query": {"since": "$since"}}},
    },
)


def issue(name: str, comments: int | None = 1, **more: Any) -> dict[str, Any]:
    return {"id": name, "comments": comments, **more}


def comment(name: str) -> dict[str, Any]:
    return {"id": name, "updated": START.isoformat()}


def server(*issues: dict[str, Any]) -> Server:
    """Issues with a comment each, whatever they say."""
    return Server(issues=[*issues], **{f"issues/{one['id']}/comments": [comment(f"{one['id']}.1")] for one in issues})


def asked(of: Server) -> set[str]:
    """The issues whose comments the last sync requested."""
    found = {path.split("/")[1] for path in of.seen if path.endswith("/comments")}
    of.seen.clear()
    return found


def test_only_rows_that_fulfill_all_conditions_are_asked(tmp_path: Path) -> None:
    """A row that does so no longer has no children; one that does so now is asked."""
    api = server(issue("a"), issue("b", 0), issue("c", None), issue("d", pull_request={}), issue("e"))
    recorder, _ = synced(api, tmp_path, ISSUES)
    assert asked(api) == {"a", "e"}
    assert len(alive(recorder, "issues")) == 5
    assert alive(recorder, "comments").keys() == {"a.1", "e.1"}
    api.lists["issues"][0]["comments"], api.lists["issues"][1]["comments"] = 0, 1
    synced(api, tmp_path, ISSUES, recorder)
    assert asked(api) == {"b", "e"}
    assert alive(recorder, "comments").keys() == {"b.1", "e.1"}


def test_a_row_that_fulfills_the_conditions_again_is_asked_for_all_its_children(tmp_path: Path) -> None:
    """Not only for what changed since the last sync, in which it was not asked."""
    api = server(issue("a"), issue("b"))
    recorder, _ = synced(api, tmp_path, EACH)
    for comments in (0, 2):
        api.lists["issues"][1]["comments"] = comments
        api.lists["issues/b/comments"].append(comment("b.2"))
        asked(api)
        synced(api, tmp_path, EACH, recorder)
        assert asked(api) == ({"a", "b"} if comments else {"a"})
    assert alive(recorder, "comments").keys() == {"a.1", "b.1", "b.2"}


def test_children_inside_a_record_follow_the_conditions(tmp_path: Path) -> None:
    """As if they were requested."""
    text = edited(ISSUES, remove=["streams.comments.endpoint"], add={"streams.comments.records": "$.held"})
    api = server(issue("a", held=[comment("a.1")]), issue("b", 0, held=[comment("b.1")]))
    recorder, _ = synced(api, tmp_path, text)
    assert alive(recorder, "comments").keys() == {"a.1"}


def test_values_of_a_list_can_be_left_out(tmp_path: Path) -> None:
    """By what they are."""
    parent = {"list": "a, b", "where": {"path": "$.value", "not": "b"}}
    text = edited(
        ISSUES,
        replace={
            "streams.comments.endpoint": "GET /issues/$(parent.value)/comments",
            "streams.comments.parent": parent,
        },
        remove=["streams.issues", "streams.comments.fields.issue"],
    )
    api = server(issue("a"), issue("b"))
    synced(api, tmp_path, text)
    assert asked(api) == {"a"}


def test_other_conditions_read_the_children_again(tmp_path: Path) -> None:
    """From the start, since they are others."""
    api = server(issue("a"), issue("b", 0))
    recorder, _ = synced(api, tmp_path, EACH)
    text = edited(EACH, remove=["streams.comments.parent.where"])
    _, log = synced(api, tmp_path, text, recorder)
    assert any("comments: its declaration has changed" in line for line in log.warnings)
    assert alive(recorder, "comments").keys() == {"a.1", "b.1"}
