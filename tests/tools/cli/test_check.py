"""`check` finds every planted mistake, and no mistake in the shipped streams.yaml."""

from __future__ import annotations

import json
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from tests.conftest import MAJORS
from tests.readme import PROJECT
from tests.specs import edited
from tools.cli import main

SHIPPED = (PROJECT / "streams.yaml").read_text("utf-8")


@dataclass(frozen=True)
class Planted:
    """A mistake: the level, place and words of its finding, and the edits that plant it, at paths within the stream."""

    stream: str
    level: str
    keypath: str
    words: str
    replace: Mapping[str, Any] = field(default_factory=dict)
    add: Mapping[str, Any] = field(default_factory=dict)
    remove: Collection[str] = ()


MISTAKES = {
    "path": Planted(
        "flows",
        "error",
        "endpoint",
        'the server has no /flowz/filter; did you mean "/flows/filter"?',
        replace={"endpoint": "POST /flowz/filter"},
    ),
    "method": Planted(
        "deployments",
        "error",
        "endpoint",
        "the server accepts only POST for /deployments/filter",
        replace={"endpoint": "GET /deployments/filter"},
        remove=["body"],
        add={"query": {"sort": "CREATED_DESC"}},
    ),
    "body key": Planted(
        "flows",
        "error",
        "body.sorts",
        'the server silently ignores the unknown key "sorts"; did you mean "sort"?',
        replace={"body": {"sorts": "NAME_ASC"}},
    ),
    "top key of a filter": Planted(
        "flow_runs",
        "error",
        "incremental.changes[0].body.flow_run",
        'the server silently ignores the unknown key "flow_run"',
        replace={"incremental.changes.0.body": {"flow_run": {"end_time": {"after_": "$since"}}}},
    ),
    "filter key": Planted(
        "flow_runs",
        "error",
        "incremental.changes[1].body.flow_runs.expected_start_tme",
        'the server rejects the unknown key "expected_start_tme"; did you mean "expected_start_time"?',
        remove=["incremental.changes.1.body.flow_runs.expected_start_time"],
        add={"incremental.changes.1.body.flow_runs.expected_start_tme": {"after_": "$since-7d"}},
    ),
    "key deep in a filter": Planted(
        "flow_runs",
        "error",
        "incremental.changes[1].body.flow_runs.start_time.is_nul_",
        'the server rejects the unknown key "is_nul_"; did you mean "is_null_"?',
        replace={"incremental.changes.1.body.flow_runs.start_time": {"is_nul_": True}},
    ),
    "value of a filter": Planted(
        "flow_runs",
        "error",
        "incremental.changes[1].body.flow_runs.start_time.is_null_",
        "expected a boolean, found a list",
        replace={"incremental.changes.1.body.flow_runs.start_time.is_null_": ["yes"]},
    ),
    "sort": Planted(
        "flows",
        "error",
        "incremental.changes[0].body.sort",
        'the server does not accept "UPDATED_DSC" here; did you mean "UPDATED_DESC"?',
        replace={"incremental.changes.0.body.sort": "UPDATED_DSC"},
    ),
    "field": Planted(
        "flows",
        "warning",
        "fields.name",
        'always NULL: the response has no "nmae" for $.nmae; did you mean "name"?',
        replace={"fields.name.path": "$.nmae"},
    ),
    "nested field": Planted(
        "flow_runs",
        "warning",
        "fields.state_message",
        'the response has no "mesage" for $.state.mesage; did you mean "message"?',
        replace={"fields.state_message.path": "$.state.mesage"},
    ),
    "number in a string column": Planted(
        "flow_runs",
        "error",
        "fields.run_count.type",
        "the server declares integer; as STRING, every value becomes JSON text, counted as a type mismatch; use LONG",
        replace={"fields.run_count.type": "STRING"},
    ),
    "object in a string column": Planted(
        "flow_runs",
        "error",
        "fields.parameters.type",
        "the server declares object",
        replace={"fields.parameters.type": "STRING"},
    ),
    "string in a number column": Planted(
        "flow_runs",
        "error",
        "fields.state_name.type",
        "the server declares string; as INT, every value becomes NULL; use STRING",
        add={"fields.state_name.type": "INT"},
    ),
    "instant in a string column": Planted(
        "flow_runs",
        "warning",
        "fields.start_time.type",
        "the server declares date-time; use UTC_DATETIME to keep its meaning",
        replace={"fields.start_time.type": "STRING"},
    ),
    "fraction in an integer column": Planted(
        "flow_runs",
        "warning",
        "fields.total_run_time.type",
        "the server declares number; not every value fits INT; use DOUBLE",
        replace={"fields.total_run_time.type": "INT"},
    ),
    "cursor that is no instant": Planted(
        "flows",
        "error",
        "fields.updated",
        "the cursor must be a date-time, found a string",
        replace={"fields.updated.path": "$.name"},
    ),
    "cursor that is not there": Planted(
        "flows",
        "error",
        "fields.updated",
        'this column is the cursor, but the response has no "updatd"',
        replace={"fields.updated.path": "$.updatd"},
    ),
    "key that is not there": Planted(
        "deployments",
        "error",
        "fields.id",
        'this column is part of the primary key, but the response has no "uid"',
        replace={"fields.id.path": "$.uid"},
    ),
    "count endpoint": Planted(
        "flows",
        "warning",
        "count",
        'the server has no /flows/counts; did you mean "/flows/count"?',
        replace={"count": "POST /flows/counts"},
    ),
    "count of another kind": Planted(
        "flows",
        "warning",
        "count",
        "expected an integer at $, found a list",
        replace={"count": "POST /flows/filter"},
    ),
    "keyset filter": Planted(
        "flow_runs",
        "error",
        "body.flow_runs.expected_start",
        'the server rejects the unknown key "expected_start"; did you mean "expected_start_time"?',
        replace={"body.flow_runs": {"expected_start": {"after_": "$from", "before_": "$to"}}},
    ),
    "keyset field": Planted(
        "flow_runs",
        "error",
        "pagination.field",
        "expected a date-time at $.name, found a string",
        replace={"pagination.field": "$.name"},
    ),
    "sort of the tie-breaker": Planted(
        "flow_runs",
        "error",
        "pagination.tie_breaker.body.sort",
        'the server does not accept "ID_ASC" here; did you mean "ID_DESC"?',
        replace={"pagination.tie_breaker.body.sort": "ID_ASC"},
    ),
    "records": Planted(
        "flows",
        "error",
        "records",
        "expected a list at $.rows; POST /flows/filter returns a list",
        add={"records": "$.rows"},
    ),
    "value of open": Planted(
        "flow_runs",
        "warning",
        "incremental.open.values[1]",
        'the server does not accept "PENDNG" here; did you mean "PENDING"?',
        replace={"incremental.open.values.1": "PENDNG"},
    ),
    "field of open": Planted(
        "flow_runs",
        "error",
        "incremental.open.field",
        'the response has no "state_typ" for $.state_typ; did you mean "state_type"?',
        replace={"incremental.open.field": "$.state_typ"},
    ),
    "lookup": Planted(
        "flow_runs",
        "error",
        "incremental.lookup.body.flow_runs.id.any",
        'the server rejects the unknown key "any"; did you mean "any_"?',
        replace={"incremental.lookup.body": {"flow_runs": {"id": {"any": "$keys"}}}},
    ),
    "limit above the maximum": Planted(
        "flow_runs",
        "warning",
        "incremental.change_feed.pagination.page_size",
        "51 exceeds the server's maximum, 50 (a sync continues without this request)",
        replace={"incremental.change_feed.pagination.page_size": 51},
    ),
    "change feed": Planted(
        "flow_runs",
        "warning",
        "incremental.change_feed.endpoint",
        'the server has no /event/filter; did you mean "/events/filter"? (a sync continues without this request)',
        replace={"incremental.change_feed.endpoint": "POST /event/filter"},
    ),
    "records of the change feed": Planted(
        "flow_runs",
        "warning",
        "incremental.change_feed.records",
        "expected a list at $.event; POST /events/filter returns an object with events, total, next_page",
        replace={"incremental.change_feed.records": "$.event"},
    ),
    "names of the change feed": Planted(
        "flow_runs",
        "warning",
        "incremental.change_feed.names",
        "expected a string at $.resource, found an object (a sync continues without this request)",
        replace={"incremental.change_feed.names": "$.resource"},
    ),
    "parameter of the next page": Planted(
        "flow_runs",
        "error",
        "incremental.change_feed.pagination.query.page_token",
        'the server silently ignores the unknown parameter "page_token"; did you mean "page-token"?',
        replace={"incremental.change_feed.pagination.query": {"page_token": "$token"}},
    ),
    "stop_at": Planted(
        "flows",
        "error",
        "incremental.changes[0].stop_at",
        "expected a date-time at $.tags, found a list",
        replace={"incremental.changes.0.stop_at": "$.tags"},
    ),
}


def planted(mistake: Planted, folder: Path) -> Path:
    """A streams.yaml with one mistake."""
    stream = f"streams.{mistake.stream}."
    text = edited(
        SHIPPED,
        replace={stream + path: value for path, value in mistake.replace.items()},
        add={stream + path: value for path, value in mistake.add.items()},
        remove=[stream + path for path in mistake.remove],
    )
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
    """The finding has the mistake's place and says what the server expects; a warning does not fail the check."""
    path = planted(mistake, tmp_path)
    arguments = ["check", str(path), "--configuration", str(configurations[3]), "--format", "json"]
    assert main([*arguments, "--stream", mistake.stream]) == (1 if mistake.level == "error" else 0)
    found = findings(capsys)
    named = [(f["level"], f["keypath"]) for f in found if mistake.words in f["message"]]
    assert (mistake.level, f"streams.{mistake.stream}.{mistake.keypath}") in named, found
    places = [f for f in found if mistake.words in f["message"]]
    assert all(0 < f["line"] <= len(path.read_text("utf-8").splitlines()) for f in places)


@pytest.mark.parametrize("major", MAJORS)
def test_the_shipped_file_is_clean(
    major: int, configurations: dict[int, Path], capsys: pytest.CaptureFixture[str]
) -> None:
    """No error on Prefect 2 or 3, no warning on 3, and the records of every list that has rows were sampled."""
    arguments = ["check", str(PROJECT / "streams.yaml"), "--configuration", str(configurations[major])]
    assert main([*arguments, "--format", "json"]) == 0
    found = json.loads(capsys.readouterr().out)
    levels = {finding["level"] for finding in found["findings"]}
    assert "error" not in levels
    assert "warning" not in levels or major == 2
    for name in ("flow_runs", "flows", "deployments", "block_types", "block_schemas"):
        assert found["streams"][name]["sample"] == "ok"
        assert found["streams"][name]["requests"] == "ok"


def test_an_unsupported_alternative_is_a_note_if_another_is_supported(
    configurations: dict[int, Path], capsys: pytest.CaptureFixture[str]
) -> None:
    """Prefect 2 lacks these filters, so a sync uses the fallbacks there: not a mistake, but worth knowing."""
    main(["check", str(PROJECT / "streams.yaml"), "--configuration", str(configurations[2]), "--format", "json"])
    notes = [finding for finding in findings(capsys) if finding["level"] == "note"]
    places = {note["keypath"] for note in notes if "a sync uses alternative 2 instead" in note["message"]}
    assert places == {
        "streams.flow_runs.incremental.changes[0].body.flow_runs.end_time",
        "streams.flow_runs.incremental.changes[2].body.flow_runs.state.type.not_any_",
        "streams.task_runs.pagination[0].body.task_runs.expected_start_time",
        "streams.task_runs.incremental.changes[1].body.task_runs.end_time",
    }


def test_alternatives_that_are_all_unsupported_are_errors(
    configurations: dict[int, Path], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """If the server rejects every alternative, the sync would fail, so each is an error."""
    start_time = "streams.flow_runs.incremental.changes.0.fallback.body.flow_runs.start_time"
    text = edited(SHIPPED, replace={start_time: {"is_nul_": False}})
    path = tmp_path / "streams.yaml"
    path.write_text(text, "utf-8")
    arguments = ["check", str(path), "--configuration", str(configurations[2]), "--format", "json"]
    assert main([*arguments, "--stream", "flow_runs"]) == 1
    errors = {finding["keypath"] for finding in findings(capsys) if finding["level"] == "error"}
    assert errors == {
        "streams.flow_runs.incremental.changes[0].body.flow_runs.end_time",
        "streams.flow_runs.incremental.changes[0].fallback.body.flow_runs.start_time.is_nul_",
    }


def test_text_output_has_places_and_ends_with_a_table(
    configurations: dict[int, Path], tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """First the findings as `validate` prints them, then verdicts by stream and aspect; in a pipe without colors."""
    path = planted(MISTAKES["sort"], tmp_path)
    monkeypatch.chdir(tmp_path)
    assert main(["check", "streams.yaml", "--configuration", str(configurations[3])]) == 1
    out = capsys.readouterr().out
    lines = out.splitlines()
    line = next(n for n, text in enumerate(path.read_text("utf-8").splitlines(), 1) if "UPDATED_DSC" in text)
    (error,) = (text for text in lines if ": error: " in text)
    assert error.startswith(f"streams.yaml:{line}:")
    assert " streams.flows.incremental.changes[0].body.sort: error: " in error
    table = lines[lines.index("") + 1 :]
    assert table[0].split() == ["stream", "paths", "requests", "records", "key", "cursor", "fields", "types", "sample"]
    assert table[2].split() == ["flows", "ok", "1", "error", "ok", "ok", "ok", "ok", "ok", "ok"]
    assert lines[-1].endswith(": 1 error")
    assert "\x1b" not in out


def test_github_annotations_have_the_level_of_the_finding(
    configurations: dict[int, Path], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """A warning must not look like an error in a pull request."""
    path = planted(MISTAKES["field"], tmp_path)
    arguments = ["check", str(path), "--configuration", str(configurations[3]), "--stream", "flows"]
    assert main([*arguments, "--format", "github"]) == 0
    assert capsys.readouterr().out.startswith(f"::warning file={path},line=")


@pytest.mark.parametrize(
    "where", [lambda url: f"{url}/openapi.json", lambda url: f"{url.removesuffix('/api')}/openapi.json"]
)
@pytest.mark.parametrize("major", MAJORS)
def test_paths_of_the_document_may_begin_at_the_root_of_the_server(
    where: Callable[[str], str], major: int, configurations: dict[int, Path], capsys: pytest.CaptureFixture[str]
) -> None:
    """Prefect serves two documents: one has /flows/filter, the other (on Prefect 2) /api/flows/filter."""
    url = where(json.loads(configurations[major].read_text())["api_url"])
    arguments = ["check", str(PROJECT / "streams.yaml"), "--configuration", str(configurations[major])]
    assert main([*arguments, "--openapi", url]) == 0
    assert "fields" in capsys.readouterr().out
