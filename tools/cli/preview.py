"""``preview``: the first rows of a stream, as the destination would get them."""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Sequence
from datetime import date, datetime
from pathlib import Path
from typing import Any, Final

from engine.http.client import Client
from engine.instants import format_instant
from engine.nouns import counted
from engine.requests import Request
from engine.rows.mapping import Row, RowMapping
from engine.spec.dialect import Stream
from tools.cli.target import Stderr, add_connection_options, chosen, connection_of, shown
from tools.cli.terminal import TerminalStyle, aligned, clean, cut, width
from tools.sample import first_rows

_EXAMPLES = """\
examples:
  python -m engine preview flows                  the first ten rows as a table, as many columns as fit
  python -m engine preview flows --rows 3         fewer
  python -m engine preview flows --verbose        with the request that brings them
  python -m engine preview flows --json | jq .    whole rows, one JSON object a line
  python -m engine preview flows --file my.yaml   a stream of another file

Sends one request. Nothing is written, and no state is read or kept.
Exit code 0: rows, or an empty list. 1: streams.yaml is wrong. 2: the rows could not be had.
"""
_CELL_MAX: Final = 38  # characters
_GAP: Final = "  "
_NULL: Final = "-"


def add_to(commands: Any, project: Path) -> None:
    """Add the command to the parser."""
    parser = commands.add_parser(
        "preview",
        help="show the first rows of a stream, as a sync would write them",
        description="Show the first rows of a stream, as a sync would write them.",
        epilog=_EXAMPLES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("stream", metavar="STREAM", help="the stream's name")
    parser.add_argument("--file", type=Path, metavar="FILE", help="the file (default: this project's streams.yaml)")
    add_connection_options(parser)
    parser.add_argument("--rows", type=_count, default=10, metavar="N", help="how many rows at most (default: 10)")
    parser.add_argument("--json", action="store_true", help="whole rows, one JSON object a line")
    parser.add_argument("--verbose", action="store_true", help="show the request, too")
    parser.set_defaults(run=lambda options: run(options, options.file or shown(project / "streams.yaml")))


def _count(text: str) -> int:
    if not text.isdecimal() or int(text) < 1:
        raise argparse.ArgumentTypeError("expected a whole number of at least 1")
    return int(text)


def run(options: argparse.Namespace, file: Path) -> int:
    """ListRequest for the first rows and print them."""
    resolved = connection_of(file, options.configuration)
    (stream,) = chosen(resolved.spec, [options.stream])
    mapping = RowMapping(stream)
    with Client(resolved, Stderr()) as client:

        def tell(request: Request) -> None:
            body = "" if request.body is None else f" {json.dumps(request.body, ensure_ascii=False)}"
            query = f" {json.dumps(request.query, ensure_ascii=False)}" if request.query else ""
            line = f"{request.endpoint.method} {client.url(request)}{query}{body}"
            print(clean(client.redact(line)), file=sys.stderr)

        records = first_rows(client, resolved.spec, stream, options.rows, Stderr(), tell if options.verbose else None)
    for record in records:
        mapping.key(record)
    rows = [mapping.row(record) for record in records]
    if options.json:
        for row in rows:
            print(json.dumps(row, ensure_ascii=False, default=_text))
    else:
        _print_table(stream, rows, TerminalStyle(sys.stdout))
    for warning in mapping.mismatch_warnings():
        print(warning, file=sys.stderr)
    return 0


def _text(value: Any) -> str:
    """A value of a row that JSON does not know, as text."""
    if isinstance(value, datetime) and value.tzinfo is not None:
        return format_instant(value)
    return value.isoformat() if isinstance(value, (date, datetime)) else f"{len(value)} bytes"


def _cell(value: Any) -> str:
    if value is None:
        return _NULL
    if isinstance(value, datetime):
        shown_ = value.isoformat(" ", "seconds")
        return shown_.replace("+00:00", "Z")
    text = value if isinstance(value, str) else json.dumps(value, ensure_ascii=False, default=_text)
    return cut(clean(text), _CELL_MAX)


def _print_table(stream: Stream, rows: Sequence[Row], paint: TerminalStyle) -> None:
    if not rows:
        of = f"none of the first rows of {stream.parent.stream} has any" if stream.parent else "the list is empty"
        print(f"{stream.destination_table}: {of}")
        return
    names = _that_fit(stream, rows, paint.width)
    header, *lines = aligned([names, *([_cell(row[name]) for name in names] for row in rows)])
    print(paint("bold", _GAP.join(header).rstrip()))
    for line in lines:
        print(_GAP.join(line).rstrip())
    columns = f"{len(names)} of {len(stream.fields)} columns fit, --json shows all"
    if len(names) == len(stream.fields):
        columns = counted(len(names), "columns")
    print()
    print(paint("dim", f"{counted(len(rows), 'rows')} of {stream.destination_table}; {columns}"))


def _that_fit(stream: Stream, rows: Sequence[Row], room: int) -> list[str]:
    """The key, the cursor, then columns that have values, then the rest, as far as a line goes; in the file's order."""
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
