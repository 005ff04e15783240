"""docs/comparison.md: what the tools send and request, and how much there is to write."""

from __future__ import annotations

import ast
import re
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Final

from dev.comparison.measure import OURS, TOOLS, Api, Results
from dev.testbed.prefect_server import PROJECT

HERE: Final = Path(__file__).parent
NAMES: Final[Mapping[str, str]] = {OURS: "Connector", "dlt": "dlt", "airbyte": "Airbyte"}

_PAGE: Final = """\
# Compared with dlt and Airbyte

Written by `make comparison`; do not edit.

Ten APIs, each read by this connector, by dlt's REST source and by Airbyte's CDK with a declarative manifest. Stubs that
follow the documentation of the APIs serve them to all three in the same run: a first sync, one after an hour without
changes, and one after a change. The files are those in [examples](../examples/README.md),
[dlt](../dev/comparison/dlt) and [airbyte](../dev/comparison/airbyte), written with what each tool offers.

## Rows

The rows that the third sync sends for one change. {works}

{rows}

## Requests

Of the first sync, of the one without changes, and of the one after the change. Airbyte's vary by one or two, since its
streams are read at once and can use what others have requested.

{requests}

## Lines

Without comments and blank lines. The connector's files also declare settings and columns, with their types and
descriptions, which the others do not: all its lines are in parentheses.

{lines}

## Notes

{notes}

## Where another tool is better

{better}

Deletions are not compared. [comparison.json](comparison.json) has all counts. Measured on {date} with
{versions}.
"""


def page(results: Results) -> str:
    """The page in Markdown."""
    apis = results.apis
    return _PAGE.format(
        works=_works(apis),
        rows=_table(("One change", "Rows it touches"), apis, _rows),
        requests=_table((), apis, _requests),
        lines=_table((), apis, lambda name, api: [_lines(tool, name) for tool in TOOLS]),
        notes="\n".join(f"- {line}" for line in _notes(apis)),
        better="\n".join(f"- {line}" for line in better(apis)),
        date=results.date,
        versions=results.versions,
    )


def _table(more: Sequence[str], apis: Mapping[str, Api], cells: Callable[[str, Api], Sequence[str]]) -> str:
    rows = [("API", *more, *NAMES.values()), ("---",) * (1 + len(more) + len(NAMES))]
    rows += [(api.title, *cells(name, api)) for name, api in apis.items()]
    return "\n".join(f"| {' | '.join(row)} |" for row in rows)


def _works(apis: Mapping[str, Api]) -> str:
    """In how many APIs each tool finds every row."""
    counts = {tool: sum(api.tools[tool].works for api in apis.values()) for tool in TOOLS}
    read = ", ".join(f"{NAMES[tool]} {count}" for tool, count in counts.items())
    return f"All rows arrive, those of the first sync and those that changed, of so many APIs: {read}."


def _rows(name: str, api: Api) -> Sequence[str]:
    changed = str(max(result.changed for result in api.tools.values()))
    return [api.change, changed, *(_sent(api, tool) for tool in TOOLS)]


def _sent(api: Api, tool: str) -> str:
    result = api.tools[tool]
    if result.failure:
        return "fails"
    lost = ", ".join(
        f"{count} {what}" for count, what in ((result.missing, "missing"), (result.not_found, "not found")) if count
    )
    return f"{result.rows[-1]:,}" + (f" ({lost})" if lost else "")


def _requests(name: str, api: Api) -> Sequence[str]:
    return [" / ".join(f"{count:,}" for count in api.tools[tool].requests) for tool in TOOLS]


# --- the files -------------------------------------------------------------------------------------------------------


def path_of(tool: str, name: str) -> Path:
    """The file of a tool for an API."""
    if tool == OURS:
        return PROJECT / "examples" / name / "streams.yaml"
    return HERE / tool / f"{name}{'.py' if tool == 'dlt' else '.yaml'}"


def _lines(tool: str, name: str) -> str:
    text = path_of(tool, name).read_text("utf-8")
    if tool == "dlt":
        text = text.replace(ast.get_docstring(ast.parse(text), clean=False) or "", "").replace('""""""', "")
        text = text.replace("from __future__ import annotations", "")
    code = [line for line in text.splitlines() if line.strip() and not line.lstrip().startswith("#")]
    if tool != OURS:
        return str(len(code))
    return f"{len(_without_columns(code))} ({len(code)})"


def _without_columns(lines: Sequence[str]) -> Sequence[str]:
    """The lines of streams.yaml that neither declare settings nor columns."""
    kept, within = [], -1
    for line in lines:
        indent = len(line) - len(line.lstrip())
        if within >= 0 and indent > within:
            continue
        within = indent if re.match(r" *(fields|configuration):", line) else -1
        if within < 0:
            kept.append(line)
    return kept


def _notes(apis: Mapping[str, Api]) -> Sequence[str]:
    """What the peers' files say at their beginning."""
    return [
        f"{api.title}, {NAMES[tool]}: {note}"
        for name, api in apis.items()
        for tool in TOOLS
        if (note := _note(tool, name))
    ]


def _note(tool: str, name: str) -> str:
    text = path_of(tool, name).read_text("utf-8")
    if tool == OURS:
        return ""
    if tool == "dlt":
        return " ".join((ast.get_docstring(ast.parse(text)) or "").split())
    return text.partition("\n")[0].removeprefix("#").strip() if text.startswith("#") else ""


# --- what others do better -------------------------------------------------------------------------------------------

REASONS: Final[Mapping[str, str]] = {
    "stripe": "four more requests ask for events, which name changes of rows that were created long ago",
}


def better(apis: Mapping[str, Api]) -> Sequence[str]:
    """Where another tool sends fewer rows or requests than the connector, and why."""
    return [f"{api.title}: {REASONS[name]}" for name, api in apis.items() if fewer(api)]


def fewer(api: Api) -> bool:
    """Whether another tool that finds every row sends fewer rows or requests in any sync."""
    ours = api.tools[OURS]
    return any(
        count < own
        for tool, result in api.tools.items()
        if tool != OURS and result.works
        for count, own in zip((*result.rows, *result.requests), (*ours.rows, *ours.requests), strict=True)
    )
