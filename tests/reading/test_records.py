"""Which records a response has, and which of them become rows: entries, plain values, constants and `where`."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from dev.testbed.loopback import Reply, Seen
from engine.failures import Failure
from tests.lists import HEAD, START, Server, alive, synced
from tests.specs import edited

RATES = f"""{HEAD}
  rates:
    description: One row per currency.
    endpoint: GET /rates
    records: {{map: $.rates}}
    primary_key: id
    sync_mode: full_refresh
    fields: {{id: $key, rate: {{path: $value, type: DOUBLE}}, base: {{value: USD}}}}
"""
ISSUES = f"""{HEAD}
  issues:
    description: One row per issue; the list has pull requests, too.
    endpoint: GET /issues
    where: {{path: $.pull_request, is: null}}
    primary_key: id
    cursor_field: updated
    sync_mode: incremental
    fields:
      id: $.id
      updated: {{path: $.updated, type: UTC_DATETIME}}
"""
COMMENTS = {
    "description": "One row per comment.",
    "endpoint": "GET /issues/$(parent.id)/comments",
    "parent": "issues",
    "primary_key": "id",
    "sync_mode": "full_refresh",
    "fields": {"id": "$.id"},
}
REFRESHED = edited(ISSUES, replace={"streams.issues.sync_mode": "full_refresh"}, remove=["streams.issues.cursor_field"])


def issues(*pull_requests: int) -> list[dict[str, Any]]:
    """Four issues, of which those with these numbers are pull requests."""
    updated = (START - timedelta(days=9)).isoformat()
    marks: list[dict[str, Any]] = [{"pull_request": {"url": "u"}} if n in pull_requests else {} for n in range(4)]
    return [{"id": f"i{n}", "updated": updated, **mark} for n, mark in enumerate(marks)]


# --- where records are -----------------------------------------------------------------------------------------------


def test_the_properties_of_an_object_are_records(tmp_path: Path) -> None:
    """Each with its name and its value. An empty object has none, and a row that left it is deleted."""
    server = Server(rates={"rates": {"EUR": 1.07, "GBP": 1.26}})
    recorder, _ = synced(server, tmp_path, RATES)
    rows = alive(recorder, "rates")
    assert {key: (row["rate"], row["base"]) for key, row in rows.items()} == {
        "EUR": (1.07, "USD"),
        "GBP": (1.26, "USD"),
    }
    server.lists["rates"] = {"rates": {}}
    recorder, _ = synced(server, tmp_path, RATES, recorder)
    assert not alive(recorder, "rates")


def test_a_property_that_is_an_object_has_its_own_properties(tmp_path: Path) -> None:
    """`$.name` reads them; `$value` is the whole object, whose own `$key` is none."""
    fields = {"id": "$key", "name": "$.name", "whole": {"path": "$value", "type": "JSON"}}
    text = edited(RATES, replace={"streams.rates.fields": fields})
    recorder, _ = synced(Server(rates={"rates": {"a": {"name": "Anna"}}}), tmp_path, text)
    assert alive(recorder, "rates") == {"a": {"id": "a", "name": "Anna", "whole": {"name": "Anna"}, "deleted": None}}


def test_an_object_by_wildcard_can_be_empty(tmp_path: Path) -> None:
    """No rows, and no failure."""
    text = edited(RATES, replace={"streams.rates.records": "$.rates.*", "streams.rates.fields": {"id": "$.id"}})
    recorder, _ = synced(Server(rates={"rates": {}}), tmp_path, text)
    assert not alive(recorder, "rates")


def test_plain_values_are_records(tmp_path: Path) -> None:
    """A list of strings, or of lists."""
    text = edited(
        RATES, replace={"streams.rates.records": {"values": "$.rates"}, "streams.rates.fields": {"id": "$value"}}
    )
    recorder, _ = synced(Server(rates={"rates": ["EUR", "GBP"]}), tmp_path, text)
    assert [*alive(recorder, "rates")] == ["EUR", "GBP"]
    text = edited(text, replace={"streams.rates.fields": {"id": "$value[0]", "rate": "$value[1]"}})
    recorder, _ = synced(Server(rates={"rates": [["EUR", "1.07"]]}), tmp_path, text)
    assert alive(recorder, "rates")["EUR"]["rate"] == "1.07"


@pytest.mark.parametrize(
    ("records", "answer", "words"),
    [
        ("$.rates", {"rates": ["EUR"]}, r"plain values are `records: {values: ...}`"),
        ({"map": "$.rates"}, {"rates": ["EUR"]}, r"no object at \$.rates"),
        ({"values": "$.rates"}, {"rates": {"EUR": 1}}, r"no list at \$.rates"),
    ],
)
def test_another_shape_is_a_failure(tmp_path: Path, records: Any, answer: Any, words: str) -> None:
    """It says what was expected, and for plain values what to declare."""
    fields = {"id": "$.id" if records == "$.rates" else "$value"}
    text = edited(RATES, replace={"streams.rates.fields": fields}, remove=["streams.rates.records"])
    text = edited(text, add={"streams.rates.records": records})
    with pytest.raises(Failure, match=words):
        synced(Server(rates=answer), tmp_path, text)


def test_a_list_can_be_left_out_when_it_is_empty(tmp_path: Path) -> None:
    """Declared, the rows that it had are deleted. Otherwise it is a failure, which says what to declare."""
    text = edited(RATES, replace={"streams.rates.records": "$.data.rates", "streams.rates.fields": {"id": "$.id"}})
    declared = edited(text, replace={"streams.rates.records": {"list": "$.data.rates", "absent_if_empty": True}})
    server = Server(rates={"data": {"rates": [{"id": "EUR"}]}})
    recorder, _ = synced(server, tmp_path, declared)
    empty: list[Any] = [{}, {"data": {}}, {"data": {"count": 0, "links": []}}]
    for nothing in empty:
        server.lists["rates"] = nothing
        with pytest.raises(Failure, match=r"`records: \{list: \$.data.rates, absent_if_empty: true\}`"):
            synced(server, tmp_path, text)
    synced(server, tmp_path, declared, recorder)
    assert not alive(recorder, "rates")


@pytest.mark.parametrize("answer", [{"rate": [{"id": "EUR"}]}, {"rates": "none"}, [], "", {"error": "no such account"}])
def test_a_list_that_is_not_left_out_but_elsewhere_is_a_failure(tmp_path: Path, answer: Any) -> None:
    """A path that is misspelt does not make every list empty, nor does an error."""
    records = {"list": "$.rates", "absent_if_empty": True}
    text = edited(RATES, replace={"streams.rates.records": records, "streams.rates.fields": {"id": "$.id"}})
    with pytest.raises(Failure):
        synced(Server(rates=answer), tmp_path, text)


def test_the_records_of_a_parent_can_be_entries(tmp_path: Path) -> None:
    """A stream without an endpoint takes them out of its parent's record; a parent without any has no rows."""
    labels = {
        "description": "One row per label.",
        "parent": "issues",
        "records": {"map": "$.labels"},
        "primary_key": ["issue", "name"],
        "sync_mode": "full_refresh",
        "fields": {"id": "$value", "issue": "$parent.id", "name": "$key"},
    }
    listed = issues()
    listed[0]["labels"], listed[1]["labels"] = {"kind": "bug", "size": "XL"}, {}
    recorder, _ = synced(Server(issues=listed), tmp_path, edited(REFRESHED, add={"streams.labels": labels}))
    assert {(row["issue"], row["name"], row["id"]) for row in alive(recorder, "labels").values()} == {
        ("i0", "kind", "bug"),
        ("i0", "size", "XL"),
    }


@pytest.mark.parametrize(
    ("beside", "is_whole"),
    [
        ({"has_more": True}, False),
        ({"pageInfo": {"hasNextPage": True}}, False),
        ({"has_more": False, "pageInfo": {"hasNextPage": False}, "total": 1}, True),
    ],
)
def test_a_record_can_have_only_the_first_page_of_a_list(tmp_path: Path, beside: Any, is_whole: bool) -> None:
    """The others would be missing in silence. What the record says of itself is not about the list."""
    text = edited(
        REFRESHED,
        add={"streams.comments": {**COMMENTS, "records": "$.comments.nodes"}},
    )
    text = edited(text, remove=["streams.comments.endpoint"])
    server = Server(issues=[{"id": "i1", "more": True, "comments": {"nodes": [{"id": "c1"}], **beside}}])
    if is_whole:
        recorder, _ = synced(server, tmp_path, text)
        assert alive(recorder, "comments").keys() == {"c1"}
        return
    with pytest.raises(Failure, match=r"only the first page of the list at \$\.comments\.nodes: give the"):
        synced(server, tmp_path, text)


def test_presence_is_true_or_false(tmp_path: Path) -> None:
    """A null is no value."""
    fields = {"id": "$.id", "is_pull_request": {"present": "$.pull_request", "type": "BOOLEAN"}}
    text = edited(REFRESHED, remove=["streams.issues.where"], replace={"streams.issues.fields": fields})
    listed = issues(2)
    listed[3]["pull_request"] = None
    recorder, _ = synced(Server(issues=listed), tmp_path, text)
    assert [row["is_pull_request"] for row in alive(recorder, "issues").values()] == [False, False, True, False]


# --- where -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("where", "rows"),
    [
        ({"path": "$.a", "is": "x"}, "0"),
        ({"path": "$.a", "is": ["x", "y"]}, "01"),
        ({"path": "$.a", "not": "x"}, "1234"),
        ({"path": "$.a", "is": None}, "34"),
        ({"path": "$.a", "not": None}, "012"),
        ({"path": "$.a", "is": 1}, ""),
        ({"path": "$.a", "is": True}, "2"),
        ({"path": "$.tags[*]", "is": "red"}, "0"),
        ({"path": "$.tags[*]", "not": "red"}, "1234"),
        ({"path": "$.tags[*]", "is": None}, "234"),
        ([{"path": "$.a", "not": None}, {"path": "$.tags[*]", "not": None}], "01"),
    ],
)
def test_only_records_that_fulfill_all_conditions_are_rows(tmp_path: Path, where: Any, rows: str) -> None:
    """Missing counts as null; of several values one that fits is enough, and none may be unwanted."""
    listed = [
        {"id": "0", "a": "x", "tags": ["red", "blue"]},
        {"id": "1", "a": "y", "tags": ["blue"]},
        {"id": "2", "a": True, "tags": []},
        {"id": "3", "a": None},
        {"id": "4"},
    ]
    text = edited(REFRESHED, replace={"streams.issues.where": where, "streams.issues.fields": {"id": "$.id"}})
    recorder, _ = synced(Server(issues=listed), tmp_path, text)
    assert "".join(alive(recorder, "issues")) == rows


def test_a_full_refresh_deletes_what_is_no_longer_a_row(tmp_path: Path) -> None:
    """And with it the children of its record, which are not requested either."""
    server = Server(issues=issues(3), **{f"issues/i{n}/comments": [{"id": f"c{n}"}] for n in range(4)})
    text = edited(REFRESHED, add={"streams.comments": COMMENTS})
    recorder, _ = synced(server, tmp_path, text)
    assert [*alive(recorder, "issues")] == ["i0", "i1", "i2"]
    assert {*alive(recorder, "comments")} == {"c0", "c1", "c2"}
    server.touch("issues", 1, pull_request={})
    server.seen.clear()
    recorder, _ = synced(server, tmp_path, text, recorder)
    assert [*alive(recorder, "issues")] == ["i0", "i2"]
    assert {*alive(recorder, "comments")} == {"c0", "c2"}
    assert "issues/i1/comments" not in server.seen


def test_children_that_are_not_found_are_none_if_their_parent_is_excluded_meanwhile(tmp_path: Path) -> None:
    """As if the parent were gone: its children are not expected any more."""
    text = edited(REFRESHED, add={"streams.comments": COMMENTS})

    class Moving(Server):
        def __call__(self, seen: Seen) -> Reply:
            if seen.path.endswith("/i1/comments"):
                self.touch("issues", 1, pull_request={})
                return Reply({"message": "Not Found"}, status=404)
            return super().__call__(seen)

    server = Moving(issues=issues(3), **{f"issues/i{n}/comments": [{"id": f"c{n}"}] for n in range(4)})
    recorder, log = synced(server, tmp_path, text)
    assert {*alive(recorder, "comments")} == {"c0", "c2"}
    assert log.warnings == []


CHANGES = {"streams.issues.incremental": {"changes": {"query": {"since": "$since"}}}}


@pytest.mark.parametrize("text", [ISSUES, edited(ISSUES, add=CHANGES)], ids=["list", "changes"])
def test_a_row_is_deleted_when_its_record_is_excluded(tmp_path: Path, text: str) -> None:
    """By the sync that sees the change, once; and it is there again when its record is included again."""
    server = Server(issues=issues(3))
    recorder, _ = synced(server, tmp_path, text)
    assert [*alive(recorder, "issues")] == ["i0", "i1", "i2"]
    assert recorder.count("delete") == 0

    server.touch("issues", 1, pull_request={})
    recorder, log = synced(server, tmp_path, text, recorder)
    assert [*alive(recorder, "issues")] == ["i0", "i2"]
    assert (recorder.count("upsert"), recorder.count("delete")) == (0, 1)
    assert "issues: 1 changed record excluded by where: soft-deleted if they were rows" in log.infos

    server.now -= timedelta(hours=23, minutes=30)  # the change is still in the lookback
    recorder, _ = synced(server, tmp_path, text, recorder)
    assert recorder.count("delete") == 0
    server.touch("issues", 1, pull_request=None)
    recorder, _ = synced(server, tmp_path, text, recorder)
    assert [*alive(recorder, "issues")] == ["i0", "i1", "i2"]
    server.now -= timedelta(hours=23, minutes=30)
    server.lists["issues"][1]["pull_request"] = {}  # no column shows it
    recorder, _ = synced(server, tmp_path, text, recorder)
    assert [*alive(recorder, "issues")] == ["i0", "i2"]


def test_a_first_sync_truncates_and_sends_no_deletions(tmp_path: Path) -> None:
    """A re-sync leaves no row alive that is excluded now."""
    server = Server(issues=issues(3))
    recorder, _ = synced(server, tmp_path, ISSUES)
    server.touch("issues", 0, pull_request={})
    recorder.state = {}
    recorder, _ = synced(server, tmp_path, ISSUES, recorder)
    assert [*alive(recorder, "issues")] == ["i1", "i2"]
    assert (recorder.count("truncate"), recorder.count("delete")) == (1, 0)


def test_another_where_reads_the_stream_again(tmp_path: Path) -> None:
    """Its rows are others."""
    server = Server(issues=issues(3))
    recorder, _ = synced(server, tmp_path, ISSUES)
    text = edited(ISSUES, replace={"streams.issues.where": {"path": "$.id", "not": "i0"}})
    recorder, log = synced(server, tmp_path, text, recorder)
    assert [*alive(recorder, "issues")] == ["i1", "i2", "i3"]
    assert any("declaration has changed" in line for line in log.warnings)


def test_an_open_row_that_is_excluded_is_deleted(tmp_path: Path) -> None:
    """Although its record is still found, and nothing else shows a change."""
    open_rows = {
        "changes": {"body": {"since": "$since"}},
        "open": {"field": "$.state", "values": "OPEN", "body": {"state": "$open"}},
        "lookup": {"body": {"ids": "$keys"}},
    }
    add = {"streams.issues.incremental": open_rows}
    text = edited(ISSUES, replace={"streams.issues.endpoint": "POST /issues"}, add=add)
    server = Server(issues=[{**issue, "state": "OPEN"} for issue in issues(3)])
    recorder, _ = synced(server, tmp_path, text)
    assert [*alive(recorder, "issues")] == ["i0", "i1", "i2"]
    server.lists["issues"][1]["pull_request"] = {}
    recorder, _ = synced(server, tmp_path, text, recorder)
    assert [*alive(recorder, "issues")] == ["i0", "i2"]
    recorder, _ = synced(server, tmp_path, text, recorder)
    assert recorder.count("delete") == 0


RECONCILED = {
    "streams.issues.pagination": {"style": "offset", "page_size": 10},
    "streams.issues.count": "GET /count",
    "streams.issues.incremental": {
        "changes": {"query": {"since": "$since"}, "stop_at": "$.made"},
        "reconcile": "0s",
    },
}


@pytest.mark.parametrize("deleted", ["keep", "soft_delete"])
def test_reconciliation_deletes_what_is_excluded(tmp_path: Path, deleted: str) -> None:
    """Also if no query found the change, and without a truncate."""
    text = edited(ISSUES, add={**RECONCILED, "streams.issues.deleted": deleted})
    server = Server(issues=[{**issue, "made": issue["updated"]} for issue in issues(3)], count=4)
    recorder, _ = synced(server, tmp_path, text)
    recorder, _ = synced(server, tmp_path, text, recorder)
    assert [*alive(recorder, "issues")] == ["i0", "i1", "i2"]
    server.touch("issues", 1, pull_request={})
    recorder, _ = synced(server, tmp_path, text, recorder)
    assert [*alive(recorder, "issues")] == ["i0", "i2"]
    assert recorder.count("truncate") == 0
