"""How a command prints what it found: as text for people, as JSON for programs, as annotations for GitHub."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from typing import Any, Final

from engine.declare.problems import describe
from tools.checking.findings import LEVELS, Finding
from tools.cli.terminal import TerminalStyle, aligned, clean, to_json

_COLORS: Final = {"error": "red", "warning": "yellow", "note": "dim", "ok": "green"}


@dataclass(frozen=True)
class Report:
    """What a command found in a file.

    Attributes:
        file: The file, as messages name it.
        findings: The findings, in any order.
        summary: One line, which text and annotations end with.
        verdicts: For each stream, what was checked and the verdict: ``{"flows": {"paths": "ok", "key": "1 error"}}``.
        details: What the JSON form has besides the findings and verdicts.
    """

    file: str
    findings: Sequence[Finding]
    summary: str
    verdicts: Mapping[str, Mapping[str, str]] = field(default_factory=dict)
    details: Mapping[str, Any] = field(default_factory=dict)

    @property
    def in_order(self) -> list[Finding]:
        """The findings in the order of the file; at one place, the most severe first."""
        return sorted(self.findings, key=lambda one: (one.line, one.column, LEVELS.index(one.level)))

    def render(self, form: str, style: TerminalStyle) -> str:
        """The report as ``text``, ``json`` or ``github``."""
        return "\n".join(_FORMS[form](self, style))


def _text(report: Report, style: TerminalStyle) -> Iterator[str]:
    for finding in report.in_order:
        level = "" if finding.aspect is None else f"{style(_COLORS[finding.level], finding.level)}: "
        # A message may quote the API's OpenAPI document, which must not control the terminal.
        yield describe(report.file, replace(finding, message=level + clean(finding.message)))
    if report.verdicts:
        yield from [""] if report.findings else []
        yield from _table(report.verdicts, style)
        yield ""
    yield clean(report.summary)


def _table(verdicts: Mapping[str, Mapping[str, str]], style: TerminalStyle) -> Iterator[str]:
    names = next(iter(verdicts.values()))
    header, *lines = aligned([["stream", *names], *([stream, *row.values()] for stream, row in verdicts.items())])
    yield style("bold", "  ".join(header).rstrip())
    for stream, *cells in lines:
        yield "  ".join([stream, *(_colored(cell, style) for cell in cells)]).rstrip()


def _colored(verdict: str, style: TerminalStyle) -> str:
    return style(next((color for word, color in _COLORS.items() if word in verdict), "dim"), verdict)


def _json(report: Report, style: TerminalStyle) -> Iterator[str]:
    findings = [
        {"file": report.file, **{name: value for name, value in asdict(finding).items() if value is not None}}
        for finding in report.in_order
    ]
    streams = {"streams": report.verdicts} if report.verdicts else {}
    yield to_json({**report.details, "findings": findings, **streams}, indent=2)


def _github(report: Report, style: TerminalStyle) -> Iterator[str]:
    """Workflow commands, each of which puts a message beside a line of a pull request."""
    for finding in report.in_order:
        command = {"note": "notice"}.get(finding.level, finding.level)
        title = _property(finding.keypath or report.file)
        place = f"file={_property(report.file)},line={finding.line},col={finding.column},title={title}"
        yield f"::{command} {place}::{_data(finding.message)}"
    yield clean(report.summary)


def _data(text: str) -> str:
    """Escaped for the message of a workflow command, which ends at a line break."""
    return text.replace("%", "%25").replace("\r", "%0D").replace("\n", "%0A")


def _property(text: str) -> str:
    """Escaped for a property of a workflow command, which ends at a comma or colon."""
    return _data(text).replace(":", "%3A").replace(",", "%2C")


_FORMS: Final[Mapping[str, Callable[[Report, TerminalStyle], Iterator[str]]]] = {
    "text": _text,
    "json": _json,
    "github": _github,
}
