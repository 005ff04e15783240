"""Each broken streams.yaml has a .txt file with the lines that `validate` must print; a new case is two new files."""

from __future__ import annotations

import json
from pathlib import Path

import jsonschema
import pytest

from engine.declare.problems import SpecError
from engine.spec.load import load
from tests.specs import parsed
from tools.cli import main
from tools.json_schema import streams_schema

BROKEN = Path(__file__).parent / "broken"
PROJECT = Path(__file__).resolve().parents[2]
CASES = sorted(BROKEN.glob("*/*.yaml"))


def name(path: Path) -> str:
    return f"{path.parent.name}/{path.stem}"


def test_there_are_enough_cases() -> None:
    """The folder is found and full: the tests below must not pass for lack of files."""
    assert len(CASES) >= 60


@pytest.mark.parametrize("path", CASES, ids=name)
@pytest.mark.scenario("bad-yaml")
def test_prints_exactly_its_lines(
    path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Every mistake in the file, one line each with its place, then their number; and exit code 1."""
    monkeypatch.chdir(path.parent)
    assert main(["validate", path.name]) == 1
    lines = path.with_suffix(".txt").read_text("utf-8")
    count = lines.count("\n")
    assert capsys.readouterr().out == f"{lines}{count} mistake{'s' if count > 1 else ''} in {path.name}\n"


def test_every_place_is_in_the_file() -> None:
    """Editors jump to the place, so it must exist."""
    for path in CASES:
        with pytest.raises(SpecError) as caught:
            load(path)
        lines = path.read_text("utf-8").split("\n")
        for problem in caught.value.problems:
            assert 1 <= problem.line <= len(lines), name(path)
            assert 1 <= problem.column <= len(lines[problem.line - 1]) + 1, name(path)


STRUCTURE = [path for path in CASES if path.parent.name == "structure"]
TWICE = {"key_twice", "stream_twice", "column_twice", "python_object_tag"}  # JSON Schema sees only the parsed YAML


def test_the_published_schema_rejects_what_validate_rejects() -> None:
    """An editor shows a mistake of structure, too."""
    schema = jsonschema.Draft202012Validator(streams_schema())
    seen = [path for path in STRUCTURE if path.stem not in TWICE]
    assert [path for path in seen if schema.is_valid(parsed(path.read_text("utf-8")))] == []


def test_the_published_schema_accepts_the_shipped_file() -> None:
    """The engine and the published schema both accept the shipped streams.yaml, and the schema itself is valid."""
    jsonschema.Draft202012Validator.check_schema(streams_schema())
    document = parsed((PROJECT / "streams.yaml").read_text("utf-8"))
    jsonschema.validate(document, streams_schema(), jsonschema.Draft202012Validator)
    load(PROJECT / "streams.yaml")


def test_json_names_the_same_mistakes(capsys: pytest.CaptureFixture[str]) -> None:
    """--format json has an object with file, line, column, keypath, message and level for each mistake."""
    path = BROKEN / "meaning" / "everything_at_once.yaml"
    assert main(["validate", str(path), "--format", "json"]) == 1
    found = json.loads(capsys.readouterr().out)["findings"]
    assert len(found) == 6
    assert found[0] == {
        "file": str(path),
        "line": 1,
        "column": 10,
        "keypath": "version",
        "message": "expected 1, found the number 3",
        "level": "error",
    }


def test_github_annotations_are_escaped(capsys: pytest.CaptureFixture[str]) -> None:
    """--format github prints workflow commands, whose properties end at a comma or colon unless escaped."""
    path = BROKEN / "structure" / "duration_without_unit.yaml"
    assert main(["validate", str(path), "--format", "github"]) == 1
    out = capsys.readouterr().out
    assert out == (
        f"::error file={path},line=10,col=13,title=api.lookback::expected a duration such as 500ms, 30s, 5m, "
        f"24h or 7d, found the number 300\n1 mistake in {path}\n"
    )


@pytest.mark.parametrize("form", ["text", "json", "github"])
def test_a_right_file_exits_with_0(form: str, capsys: pytest.CaptureFixture[str]) -> None:
    """A file without mistakes: exit code 0, a summary for people, and an empty list of findings for programs."""
    assert main(["validate", str(PROJECT / "streams.yaml"), "--format", form]) == 0
    out = capsys.readouterr().out
    assert json.loads(out) == {"findings": []} if form == "json" else "no mistakes (37 streams" in out


def test_a_missing_file_exits_with_2(capsys: pytest.CaptureFixture[str]) -> None:
    """A missing file is not a mistake in a file."""
    assert main(["validate", "nowhere.yaml"]) == 2
    assert "nowhere.yaml" in capsys.readouterr().err
