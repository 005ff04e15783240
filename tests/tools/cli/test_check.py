"""`check` finds every planted mistake, and nothing in the shipped streams.yaml."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

import pytest

from tests.conftest import MAJORS
from tests.readme import PROJECT
from tools.cli import main

SHIPPED = (PROJECT / "streams.yaml").read_text("utf-8")


class Planted(NamedTuple):
    """A mistake: what is put in place of what (once, in the stream), and the words that tell of it and of its place."""

    stream: str
    right: str
    wrong: str
    level: str
    keypath: str
    words: str


MISTAKES = {
    "path": Planted(
        "flows",
        "POST /flows/filter",
        "POST /flowz/filter",
        "error",
        "endpoint",
        'the server has no /flowz/filter; did you mean "/flows/filter"?',
    ),
    "method": Planted(
        "deployments",
        "endpoint: POST /deployments/filter",
        "endpoint: GET /deployments/filter",
        "error",
        "endpoint",
        "the server has /deployments/filter for POST only",
    ),
    "body key": Planted(
        "flows",
        "body: {sort: NAME_ASC}",
        "body: {sorts: NAME_ASC}",
        "error",
        "body.sorts",
        'the server has no key "sorts" here and ignores it, as if it were not sent; did you mean "sort"?',
    ),
    "filter at the top of an alternative": Planted(
        "flow_runs",
        "{flow_runs: {end_time: {after_: $since}}",
        "{flow_run: {end_time: {after_: $since}}",
        "error",
        "incremental.changes[0].body.flow_run",
        'the server has no key "flow_run" here and ignores it',
    ),
    "filter key": Planted(
        "flow_runs",
        "expected_start_time: {after_: $since-7d}",
        "expected_start_tme: {after_: $since-7d}",
        "error",
        "incremental.changes[1].body.flow_runs.expected_start_tme",
        'the server refuses the key "expected_start_tme" here; did you mean "expected_start_time"?',
    ),
    "key deep in a filter": Planted(
        "flow_runs",
        "start_time: {is_null_: true}",
        "start_time: {is_nul_: true}",
        "error",
        "incremental.changes[1].body.flow_runs.start_time.is_nul_",
        'the server refuses the key "is_nul_" here; did you mean "is_null_"?',
    ),
    "value of a filter": Planted(
        "flow_runs",
        "start_time: {is_null_: true}",
        "start_time: {is_null_: [yes]}",
        "error",
        "incremental.changes[1].body.flow_runs.start_time.is_null_",
        "expected a boolean, as the server declares it, found an array",
    ),
    "sort": Planted(
        "flows",
        "changes: [{body: {sort: UPDATED_DESC}",
        "changes: [{body: {sort: UPDATED_DSC}",
        "error",
        "incremental.changes[0].body.sort",
        '"UPDATED_DSC" is not a value that the server knows here; did you mean "UPDATED_DESC"?',
    ),
    "field": Planted(
        "flows",
        "path: $.name",
        "path: $.nmae",
        "warning",
        "fields.name",
        'always NULL: the server declares no "nmae" for $.nmae; did you mean "name"?',
    ),
    "nested field": Planted(
        "flow_runs",
        "$.state.message",
        "$.state.mesage",
        "warning",
        "fields.state_message",
        'the server declares no "mesage" for $.state.mesage; did you mean "message"?',
    ),
    "number in a text column": Planted(
        "flow_runs",
        "path: $.run_count, type: INT",
        "path: $.run_count, type: STRING",
        "error",
        "fields.run_count.type",
        "the server declares integer, of which every value becomes JSON text and is counted as a type_mismatch",
    ),
    "object in a text column": Planted(
        "flow_runs",
        "path: $.parameters, type: JSON",
        "path: $.parameters, type: STRING",
        "error",
        "fields.parameters.type",
        "the server declares object",
    ),
    "text in a number column": Planted(
        "flow_runs",
        "path: $.state_name,",
        "path: $.state_name, type: INT,",
        "error",
        "fields.state_name.type",
        "the server declares string, of which every value becomes NULL in a column of type INT; STRING fits",
    ),
    "instant in a text column": Planted(
        "flow_runs",
        "path: $.start_time, type: UTC_DATETIME",
        "path: $.start_time, type: STRING",
        "warning",
        "fields.start_time.type",
        "the server declares date-time; UTC_DATETIME keeps its meaning",
    ),
    "fraction in a whole-number column": Planted(
        "flow_runs",
        "path: $.total_run_time, type: DOUBLE",
        "path: $.total_run_time, type: INT",
        "warning",
        "fields.total_run_time.type",
        "the server declares number, of which not every value fits",
    ),
    "cursor that is no instant": Planted(
        "flows",
        "path: $.updated, type",
        "path: $.name, type",
        "error",
        "fields.updated",
        "the cursor must be an instant (date-time), where the server declares string",
    ),
    "cursor that is not there": Planted(
        "flows",
        "path: $.updated, type",
        "path: $.updatd, type",
        "error",
        "fields.updated",
        'this column is the cursor, but the server declares no "updatd"',
    ),
    "key that is not there": Planted(
        "deployments",
        "path: $.id,",
        "path: $.uid,",
        "error",
        "fields.id",
        'this column is of the primary key, but the server declares no "uid"',
    ),
    "count endpoint": Planted(
        "flows",
        "POST /flows/count",
        "POST /flows/counts",
        "error",
        "count",
        'the server has no /flows/counts; did you mean "/flows/count"?',
    ),
    "count of another kind": Planted(
        "flows",
        "POST /flows/count",
        "POST /flows/filter",
        "error",
        "count",
        "expected a whole number at $, where the server declares array",
    ),
    "keyset filter": Planted(
        "flow_runs",
        "after: flow_runs.expected_start_time.after_",
        "after: flow_runs.expected_start.after_",
        "error",
        "pagination.after",
        'at flow_runs: the server refuses the key "expected_start" here; did you mean "expected_start_time"?',
    ),
    "keyset field": Planted(
        "flow_runs",
        "field: $.expected_start_time",
        "field: $.name",
        "error",
        "pagination.field",
        "expected an instant (date-time) at $.name, where the server declares string",
    ),
    "sort of the tie-breaker": Planted(
        "flow_runs",
        "tie_breaker: {sort: ID_DESC}",
        "tie_breaker: {sort: ID_ASC}",
        "error",
        "pagination.tie_breaker.sort",
        '"ID_ASC" is not a value that the server knows here; did you mean "ID_DESC"?',
    ),
    "records": Planted(
        "flows",
        "    count: POST /flows/count",
        "    count: POST /flows/count\n    records: $.rows",
        "error",
        "records",
        "POST /flows/filter answers with array, and no list at $.rows",
    ),
    "value of open": Planted(
        "flow_runs",
        "values: [SCHEDULED, PENDING,",
        "values: [SCHEDULED, PENDNG,",
        "error",
        "incremental.open.into",
        '"PENDNG" is not a value that the server knows here; did you mean "PENDING"?',
    ),
    "field of open": Planted(
        "flow_runs",
        "field: $.state_type",
        "field: $.state_typ",
        "error",
        "incremental.open.field",
        'the server declares no "state_typ" for $.state_typ; did you mean "state_type"?',
    ),
    "lookup": Planted(
        "flow_runs",
        "lookup: flow_runs.id.any_",
        "lookup: flow_runs.id.any",
        "error",
        "incremental.lookup",
        'at flow_runs.id: the server refuses the key "any" here; did you mean "any_"?',
    ),
    "limit above the most": Planted(
        "flow_runs",
        "limit: 50",
        "limit: 51",
        "warning",
        "incremental.change_feed.body.limit",
        "51 is more than the server takes here, 50 (a sync goes on without this request)",
    ),
    "list that names rows": Planted(
        "flow_runs",
        "endpoint: POST /events/filter",
        "endpoint: POST /event/filter",
        "warning",
        "incremental.change_feed.endpoint",
        'the server has no /event/filter; did you mean "/events/filter"? (a sync goes on without this request)',
    ),
    "records of the list that names rows": Planted(
        "flow_runs",
        "records: $.events",
        "records: $.event",
        "warning",
        "incremental.change_feed.records",
        "POST /events/filter answers with object with events, total, next_page, and no list at $.event",
    ),
    "parameter of the next page": Planted(
        "flow_runs",
        "parameter: page-token",
        "parameter: page_token",
        "error",
        "incremental.change_feed.pagination.parameter",
        'the server has no parameter "page_token" here and ignores it; did you mean "page-token"?',
    ),
    "stop_at": Planted(
        "flows",
        "stop_at: $.updated",
        "stop_at: $.tags",
        "error",
        "incremental.changes[0].stop_at",
        "expected an instant (date-time) at $.tags, where the server declares array",
    ),
}


def planted(mistake: Planted, folder: Path) -> Path:
    """A streams.yaml with one mistake."""
    begin = SHIPPED.index(f"\n  {mistake.stream}:\n")
    assert mistake.right in SHIPPED[begin:]
    text = SHIPPED[:begin] + SHIPPED[begin:].replace(mistake.right, mistake.wrong, 1)
    if mistake.wrong.startswith("endpoint: GET"):  # whose sort is then a parameter of the URL
        text = text.replace("body: {sort: CREATED_DESC}", "query: {sort: CREATED_DESC}")
    path = folder / "streams.yaml"
    path.write_text(text, "utf-8")
    return path


def findings(capsys: pytest.CaptureFixture[str]) -> Any:
    return json.loads(capsys.readouterr().out)["findings"]


@pytest.mark.parametrize("mistake", MISTAKES.values(), ids=list(MISTAKES))
@pytest.mark.scenario("planted")
def test_finds_a_planted_mistake(
    mistake: Planted,
    configurations: dict[int, Path],
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    """At its place, in words that say what the server has; with exit code 1, or 0 where a sync can live with it."""
    path = planted(mistake, tmp_path)
    arguments = ["check", str(path), "--configuration", str(configurations[3]), "--format", "json"]
    assert main([*arguments, "--stream", mistake.stream]) == (1 if mistake.level == "error" else 0)
    found = findings(capsys)
    said = [(f["level"], f["keypath"]) for f in found if mistake.words in f["message"]]
    assert (mistake.level, f"streams.{mistake.stream}.{mistake.keypath}") in said, found
    places = [f for f in found if mistake.words in f["message"]]
    assert all(0 < f["line"] <= len(path.read_text("utf-8").splitlines()) for f in places)


@pytest.mark.parametrize("major", MAJORS)
def test_the_shipped_file_is_clean(
    major: int, configurations: dict[int, Path], capsys: pytest.CaptureFixture[str]
) -> None:
    """No error on either major; on the newest no warning either, and the records of lists that hold any were seen."""
    arguments = ["check", str(PROJECT / "streams.yaml"), "--configuration", str(configurations[major])]
    assert main([*arguments, "--format", "json"]) == 0
    found = json.loads(capsys.readouterr().out)
    levels = {finding["level"] for finding in found["findings"]}
    assert "error" not in levels
    assert "warning" not in levels or major == 2
    for name in ("flow_runs", "flows", "deployments", "block_types", "block_schemas"):
        assert found["streams"][name]["sample"] == "ok"
        assert found["streams"][name]["requests"] == "ok"


def test_an_alternative_that_is_not_known_is_a_note(
    configurations: dict[int, Path], capsys: pytest.CaptureFixture[str]
) -> None:
    """Prefect 2 has no filter for end_time; the other question is asked there, and check says so."""
    main(["check", str(PROJECT / "streams.yaml"), "--configuration", str(configurations[2]), "--format", "json"])
    notes = [finding for finding in findings(capsys) if finding["level"] == "note"]
    told = {note["keypath"]: note["message"] for note in notes if "alternative 2 is used instead" in note["message"]}
    assert set(told) == {
        "streams.flow_runs.incremental.changes[0].body.flow_runs.end_time",
        "streams.task_runs.pagination[0].after",
        "streams.task_runs.pagination[0].before",
        "streams.task_runs.incremental.changes[1].body.task_runs.end_time",
    }


def test_a_question_without_an_alternative_that_is_known_is_a_mistake(
    configurations: dict[int, Path], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """When no alternative is known to the server, each is an error."""
    text = SHIPPED.replace("start_time: {is_null_: false}", "start_time: {is_nul_: false}", 1)
    path = tmp_path / "streams.yaml"
    path.write_text(text, "utf-8")
    arguments = ["check", str(path), "--configuration", str(configurations[2]), "--format", "json"]
    assert main([*arguments, "--stream", "flow_runs"]) == 1
    errors = {finding["keypath"] for finding in findings(capsys) if finding["level"] == "error"}
    assert errors == {
        "streams.flow_runs.incremental.changes[0].body.flow_runs.end_time",
        "streams.flow_runs.incremental.changes[0].fallback.body.flow_runs.start_time.is_nul_",
    }


def test_the_text_names_places_and_ends_with_a_table(
    configurations: dict[int, Path], tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Lines as `validate` prints them, then a line a stream and a column an aspect, without colours in a pipe."""
    planted(MISTAKES["sort"], tmp_path)
    monkeypatch.chdir(tmp_path)
    assert main(["check", "streams.yaml", "--configuration", str(configurations[3])]) == 1
    out = capsys.readouterr().out
    lines = out.splitlines()
    line = next(n for n, text in enumerate(SHIPPED.splitlines(), 1) if "changes: [{body: {sort: UPDATED_DESC}" in text)
    (error,) = (text for text in lines if ": error: " in text)
    assert error.startswith(f"streams.yaml:{line}:")
    assert " streams.flows.incremental.changes[0].body.sort: error: " in error
    table = lines[lines.index("") + 1 :]
    assert table[0].split() == ["stream", "paths", "requests", "records", "key", "cursor", "fields", "types", "sample"]
    assert table[2].split() == ["flows", "ok", "1", "error", "ok", "ok", "ok", "ok", "ok", "ok"]
    assert lines[-1].endswith(": 1 error")
    assert "\x1b" not in out


def test_github_annotations_have_their_level(
    configurations: dict[int, Path], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """A warning is a warning in a pull request, too."""
    path = planted(MISTAKES["field"], tmp_path)
    arguments = ["check", str(path), "--configuration", str(configurations[3]), "--stream", "flows"]
    assert main([*arguments, "--format", "github"]) == 0
    assert capsys.readouterr().out.startswith(f"::warning file={path},line=")


@pytest.mark.parametrize(
    "where", [lambda url: f"{url}/openapi.json", lambda url: f"{url.removesuffix('/api')}/openapi.json"]
)
@pytest.mark.parametrize("major", MAJORS)
def test_the_document_may_name_paths_from_the_root_of_the_server(
    where: Callable[[str], str], major: int, configurations: dict[int, Path], capsys: pytest.CaptureFixture[str]
) -> None:
    """Prefect serves two documents: one names /flows/filter, the other (on Prefect 2) /api/flows/filter."""
    url = where(json.loads(configurations[major].read_text())["api_url"])
    arguments = ["check", str(PROJECT / "streams.yaml"), "--configuration", str(configurations[major])]
    assert main([*arguments, "--openapi", url]) == 0
    assert "fields" in capsys.readouterr().out
