"""``preview``: the first rows of a stream, as a sync would write them."""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Sequence
from datetime import date, datetime
from typing import Any, Final

from engine.http.client import Client
from engine.instants import format_instant
from engine.nouns import counted
from engine.requests import Request
from engine.rows.mapping import Row, RowMapping
from engine.spec.dialect import Stream
from tools.cli.options import CONFIGURATION, FILE_OPTION, add_command, positive, streams_file
from tools.cli.target import StderrLog, chosen, first_partition, resolved_spec
from tools.cli.terminal import TerminalStyle, aligned, clean, cut, to_json, width
from tools.sample import sample, why_empty

_EXAMPLES = """\
examples:
  python -m engine preview flows                  the first ten rows as a table, with the columns that fit
  python -m engine preview flows --rows 3         at most three rows
  python -m engine preview flows --verbose        also print the requests
  python -m engine preview flows --json | jq .    complete rows, one JSON object per line
  python -m engine preview flows --file my.yaml   a stream of another file

Sends one request; for a child stream, one for its parent's first rows and one for each of them. Writes nothing, and
neither reads nor keeps state.
Exit code 0: rows, or an empty list. 1: mistakes in streams.yaml. 2: the rows could not be read.
"""
_CELL_MAX: Final = 38  # characters
_GAP: Final = "  "
_NULL: Final = "-"


def add_to(commands: Any) -> None:
    """Add the command to the parser."""
    summary = "show the first rows of a stream, as a sync would write them"
    parser = add_command(commands, "preview", summary, _EXAMPLES, CONFIGURATION, FILE_OPTION)
    parser.add_argument("stream", metavar="STREAM", help="the name of the stream")
    parser.add_argument(
        "--rows", type=positive, default=10, metavar="N", help="the maximum number of rows (default: 10)"
    )
    parser.add_argument("--json", action="store_true", help="print complete rows, one JSON object per line")
    parser.add_argument("--verbose", action="store_true", help="also print the requests, to stderr")
    parser.set_defaults(run=run)


def run(options: argparse.Namespace) -> int:
    """Read the first rows and print them."""
    resolved = resolved_spec(streams_file(options), options.configuration)
    (stream,) = chosen(resolved.spec, [options.stream])
    mapping = RowMapping(stream)
    resolved, partition = first_partition(resolved)
    table = resolved.table_of(stream)
    columns = partition.columns if partition is not None and table is not stream else {}
    log = StderrLog()
    with Client(resolved, log) as client:

        def show(request: Request) -> None:
            body = "" if request.body is None else f" {json.dumps(request.body, ensure_ascii=False)}"
            query = f" {json.dumps(request.query, ensure_ascii=False)}" if request.query else ""
            line = f"{request.endpoint.method} {client.url(request)}{query}{body}"
            print(clean(client.redact(line)), file=sys.stderr)

        records = sample(client, resolved.spec, stream, options.rows, log, show if options.verbose else None).rows
    for record in records:
        mapping.key(record)
    rows = [{**columns, **mapping.row(record), **columns} for record in records]
    if options.json:
        for row in rows:
            print(to_json(row, default=_text))
    else:
        _print_table(table, rows, TerminalStyle(sys.stdout))
    for warning in mapping.mismatch_warnings():
        print(warning, file=sys.stderr)
    return 0


def _text(value: Any) -> str:
    """A value of a row that JSON has no type for, as text."""
    if isinstance(value, datetime) and value.tzinfo is not None:
        return format_instant(value)
    return value.isoformat() if isinstance(value, (date, datetime)) else f"{len(value)} bytes"


def _cell(value: Any) -> str:
    if value is None:
        return _NULL
    if isinstance(value, datetime):
        return value.isoformat(" ", "seconds").replace("+00:00", "Z")
    text = value if isinstance(value, str) else json.dumps(value, ensure_ascii=False, default=_text)
    return cut(clean(text), _CELL_MAX)


def _print_table(stream: Stream, rows: Sequence[Row], style: TerminalStyle) -> None:
    if not rows:
        why = f"the first rows of {stream.parent.name} have none" if stream.parent else why_empty(stream)
        print(f"{stream.destination_table}: {why}")
        return
    names = _that_fit(stream, rows, style.width)
    header, *lines = aligned([names, *([_cell(row[name]) for name in names] for row in rows)])
    print(style("bold", _GAP.join(header).rstrip()))
    for line in lines:
        print(_GAP.join(line).rstrip())
    columns = f"{len(names)} of {len(stream.fields)} columns fit; --json prints all"
    if len(names) == len(stream.fields):
        columns = counted(len(names), "columns")
    print()
    print(style("dim", f"{counted(len(rows), 'rows')} of {stream.destination_table}; {columns}"))


def _that_fit(stream: Stream, rows: Sequence[Row], room: int) -> list[str]:
    """The columns that fit in a line: key and cursor, then those with values, then others; in the file's order."""
    first = [*stream.primary_key, *([stream.cursor_field] if stream.cursor_field else [])]
    filled = [name for name in stream.fields if any(row[name] is not None for row in rows)]
    chosen_names: list[str] = []
    for name in dict.fromkeys([*first, *filled, *stream.fields]):
        wide = max(width(name), *(width(_cell(row[name])) for row in rows))
        if chosen_names and wide + len(_GAP) > room:
            continue
        room -= wide + len(_GAP)
        chosen_names.append(name)
    return [name for name in stream.fields if name in chosen_names]
