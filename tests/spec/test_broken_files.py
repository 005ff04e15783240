"""Each broken streams.yaml lies beside the lines that it must print; a new case is two new files."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import jsonschema
import pytest
import yaml

from engine.declare.problems import SpecError
from engine.spec.load import load
from tools.cli import main
from tools.json_schema import streams_schema

BROKEN = Path(__file__).parent / "broken"
PROJECT = Path(__file__).resolve().parents[2]
CASES = sorted(BROKEN.glob("*/*.yaml"))


def name(path: Path) -> str:
    return f"{path.parent.name}/{path.stem}"


def test_there_are_enough_cases() -> None:
    """The folder is found and full: the tests below do not pass for want of files."""
    assert len(CASES) >= 60


@pytest.mark.parametrize("path", CASES, ids=name)
@pytest.mark.scenario("bad-yaml")
def test_prints_exactly_its_lines(
    path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Every mistake of the file, one line each with its place, and exit code 1."""
    monkeypatch.chdir(path.parent)
    assert main(["validate", path.name]) == 1
    printed = capsys.readouterr()
    assert printed.out == path.with_suffix(".txt").read_text("utf-8")
    assert "mistake" in printed.err


@pytest.mark.parametrize("path", CASES, ids=name)
def test_every_place_lies_in_the_file(path: Path) -> None:
    """A place that an editor could not jump to would be worse than none."""
    with pytest.raises(SpecError) as caught:
        load(path)
    lines = path.read_text("utf-8").split("\n")
    for problem in caught.value.problems:
        assert 1 <= problem.line <= len(lines)
        assert 1 <= problem.column <= len(lines[problem.line - 1]) + 1


def published_schema_accepts(document: Any) -> bool:
    """The verdict of another judge: the jsonschema library on the schema that editors use."""
    return bool(jsonschema.Draft202012Validator(streams_schema()).is_valid(document))


STRUCTURE = [path for path in CASES if path.parent.name == "structure"]
TWICE = {"key_twice", "stream_twice", "column_twice", "python_object_tag"}  # YAML's own matter, unseen by JSON Schema


@pytest.mark.parametrize("path", [p for p in STRUCTURE if p.stem not in TWICE], ids=name)
def test_the_published_schema_rejects_what_validate_rejects(path: Path) -> None:
    """A mistake of structure is red in an editor, too."""
    assert not published_schema_accepts(yaml.safe_load(path.read_text("utf-8")))


def test_the_published_schema_accepts_the_shipped_file() -> None:
    """The shipped streams.yaml is right by both judges, and the schema itself is a schema."""
    jsonschema.Draft202012Validator.check_schema(streams_schema())
    document = yaml.safe_load((PROJECT / "streams.yaml").read_text("utf-8"))
    jsonschema.validate(document, streams_schema(), jsonschema.Draft202012Validator)
    load(PROJECT / "streams.yaml")


def test_json_names_the_same_mistakes(capsys: pytest.CaptureFixture[str]) -> None:
    """--format json is a list of objects with file, line, column, keypath and message."""
    path = BROKEN / "meaning" / "everything_at_once.yaml"
    assert main(["validate", str(path), "--format", "json"]) == 1
    found = json.loads(capsys.readouterr().out)
    assert len(found) == 6
    assert found[0] == {
        "file": str(path),
        "line": 1,
        "column": 10,
        "keypath": "version",
        "message": "expected 1, found the number 3",
    }


def test_github_annotations_are_escaped(capsys: pytest.CaptureFixture[str]) -> None:
    """--format github prints workflow commands, whose properties end at a comma or colon unless escaped."""
    path = BROKEN / "structure" / "duration_without_unit.yaml"
    assert main(["validate", str(path), "--format", "github"]) == 1
    out = capsys.readouterr().out
    assert out == (
        f"::error file={path},line=10,col=13,title=api.lookback::expected a duration such as 500ms, 30s, 5m, "
        "24h or 7d, found the number 300\n"
    )


@pytest.mark.parametrize("form", ["text", "json", "github"])
def test_a_right_file_exits_with_0(form: str, capsys: pytest.CaptureFixture[str]) -> None:
    """No mistakes: exit code 0, and an empty list for programs."""
    assert main(["validate", str(PROJECT / "streams.yaml"), "--format", form]) == 0
    out = capsys.readouterr().out
    assert out == "[]\n" if form == "json" else "no mistakes (37 streams" in out


def test_a_missing_file_exits_with_2(capsys: pytest.CaptureFixture[str]) -> None:
    """No such file is not a mistake in a file."""
    assert main(["validate", "nowhere.yaml"]) == 2
    assert "nowhere.yaml" in capsys.readouterr().err
