"""How the result of a check is printed: for people, for programs, for GitHub."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass

from engine.declare.problems import Problem, describe
from engine.spec.dialect import Spec


@dataclass(frozen=True)
class Report:
    """A format: what to print for mistakes, and for a file that has none."""

    mistakes: Callable[[str, Sequence[Problem]], str]
    fine: Callable[[str, Spec], str]


def _summary(file: str, spec: Spec) -> str:
    columns = sum(len(stream.fields) for stream in spec.streams.values())
    return f"{file}: no mistakes ({len(spec.streams)} streams, {columns} columns)"


def _text(file: str, problems: Sequence[Problem]) -> str:
    return "\n".join(describe(file, problem) for problem in problems)


def _json(file: str, problems: Sequence[Problem]) -> str:
    return json.dumps([{"file": file, **asdict(problem)} for problem in problems], indent=2, ensure_ascii=False)


def _github(file: str, problems: Sequence[Problem]) -> str:
    return "\n".join(annotation("error", file, problem) for problem in problems)


def annotation(level: str, file: str, problem: Problem) -> str:
    """A workflow command that puts a problem beside its line: an "error", a "warning" or a "notice"."""
    return (
        f"::{level} file={_property(file)},line={problem.line},col={problem.column},"
        f"title={_property(problem.keypath or 'streams.yaml')}::{_data(problem.message)}"
    )


def _data(text: str) -> str:
    """Escaped for the message of a workflow command, which ends at a line break."""
    return text.replace("%", "%25").replace("\r", "%0D").replace("\n", "%0A")


def _property(text: str) -> str:
    """Escaped for a property of a workflow command, where comma and colon separate."""
    return _data(text).replace(":", "%3A").replace(",", "%2C")


FORMATS: Mapping[str, Report] = {
    "text": Report(_text, _summary),
    "json": Report(_json, lambda file, spec: "[]"),
    "github": Report(_github, _summary),
}
