"""docs/comparison.md: what the tools send and request, and how much there is to write."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Final

from dev.comparison.files import OURS, TOOLS, note_of
from dev.comparison.measure import Api, Outcome, Result, Results
from engine.nouns import counted

NAMES: Final[Mapping[str, str]] = {OURS: "Connector", "dlt": "dlt", "airbyte": "Airbyte"}

_WORDS: Final = 200  # characters of a message

_PAGE: Final = """\
# Compared with dlt and Airbyte

Written by `make comparison`; do not edit.

Ten APIs, each read by this connector, by dlt's REST source and by Airbyte's CDK with a declarative manifest. Stubs that
follow the documentation of the APIs serve the same data and changes to all three: a first sync, one after an hour
without changes, and one after a change. The files are those in [examples](../examples/README.md),
[dlt](../dev/comparison/dlt) and [airbyte](../dev/comparison/airbyte), written with what each tool offers. This project
wrote all of them, also those of dlt and Airbyte: someone who knows these tools better may need fewer rows, requests or
lines.

## Rows

The rows that the third sync sends for one change.
{works}

{rows}

## Requests

Of the first sync, of the one without changes, and of the one after the change. Airbyte's vary by one or two, since its
streams are read at once and can use what others have requested.

{requests}

## Harder

What happens beside ordinary changes, and which tool sends every row.

{harder}

## Lines

Without comments and blank lines. The connector's files also declare settings and columns, with their types and
descriptions, which the others do not: all its lines are in parentheses.

{lines}

## Mistakes

What the tools say if there is a mistake in Slack's file or settings. The connector reports the first and the third
before it sends a request, as `python -m engine validate` does.

{mistakes}

## Notes

{notes}

## Where another tool is better

{better}

Deletions are not compared. [comparison.json](comparison.json) has all counts. Measured on {date} with
{versions}. Each API is measured separately: `make comparison ARGS=stripe` replaces its results
and keeps the others.
"""


def page(results: Results) -> str:
    """The page in Markdown."""
    apis = results.apis
    return _PAGE.format(
        works=_works(apis),
        rows=_table(("One change", "Rows it touches"), apis, _rows),
        requests=_table((), apis, _requests),
        lines=_table((), apis, _lines),
        harder=_by_tool("Event", results.harder, _result),
        mistakes=_by_tool("Mistake", results.mistakes, _outcome),
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
    counts = {NAMES[tool]: sum(api.tools[tool].works for api in apis.values()) for tool in TOOLS}
    if set(counts.values()) == {len(apis)}:
        return "All tools send every row in the first sync, and every row that changed."
    return f"Nothing is missing in so many APIs: {', '.join(f'{tool} {count}' for tool, count in counts.items())}."


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


def _by_tool(what: str, found: Mapping[str, Mapping[str, Any]], cell: Callable[[Any], str]) -> str:
    rows = [(what, *NAMES.values()), ("---",) * (1 + len(NAMES))]
    rows += [(words, *(cell(tools[tool]) for tool in TOOLS)) for words, tools in found.items()]
    return "\n".join(f"| {' | '.join(row)} |" for row in rows)


def _result(result: Result) -> str:
    if result.failure:
        return "fails"
    lost = result.missing + result.not_found
    return f"succeeds, without {counted(lost, 'rows')}" if lost else "every row"


def _outcome(outcome: Outcome) -> str:
    if outcome.said:
        said = re.sub(" at 0x[0-9a-f]+", "", outcome.said)
        words = said if len(said) <= _WORDS else f"{said[:_WORDS]} ..."
        return f"fails: `{words.replace('`', '').replace('|', '')}`"
    return f"succeeds, without {counted(outcome.missing, 'rows')}" if outcome.missing else "succeeds, with all rows"


def _lines(name: str, api: Api) -> Sequence[str]:
    """Those of the connector also with settings and columns, which the others do not have."""
    return [f"{one.lines}" if tool != OURS else f"{one.lines} ({one.all_lines})" for tool, one in api.tools.items()]


_OWN_NOTES: Final[Mapping[str, str]] = {
    "hubspot": "Associations have no time of change, so those of a deal that changed are all sent.",
    "stripe": "Deleted customers become deleted rows.",
}


def _notes(apis: Mapping[str, Api]) -> Sequence[str]:
    """What the files of the other tools say, and what is to be said about the connector's."""
    notes = (
        (api.title, tool, _OWN_NOTES.get(name, "") if tool == OURS else note_of(tool, name))
        for name, api in apis.items()
        for tool in TOOLS
    )
    return [f"{title}, {NAMES[tool]}: {note}" for title, tool, note in notes if note]


# --- what others do better -------------------------------------------------------------------------------------------

REASONS: Final[Mapping[str, str]] = {
    "stripe": "the connector requests the rows that events name, after a look at the form of their keys. dlt and "
    "Airbyte take the copies that events hold, which can be older than the rows, and of another version of the API",
}


def better(apis: Mapping[str, Api]) -> Sequence[str]:
    """Where another tool sends fewer rows or requests than the connector, and why."""
    return [f"{api.title}: {REASONS[name]}." for name, api in apis.items() if fewer(api)]


def fewer(api: Api) -> bool:
    """Whether another tool that finds every row sends fewer rows or requests in any sync."""
    ours = api.tools[OURS]
    return any(
        count < own
        for tool, result in api.tools.items()
        if tool != OURS and result.works
        for count, own in zip((*result.rows, *result.requests), (*ours.rows, *ours.requests), strict=True)
    )
