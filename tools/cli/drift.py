"""``drift``: what an API offers and streams.yaml does not read, and the reverse."""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from engine.nouns import counted
from tools.cli.target import add_connection_options, add_openapi_option, document_and_openapi, shown
from tools.cli.terminal import TerminalStyle, aligned, cut
from tools.openapi.columns import best_type
from tools.openapi.document import OpenApi
from tools.openapi.drift import Drift, drift
from tools.openapi.lists import ListOperation

_EXAMPLES = """\
examples:
  python -m engine drift                         this project's streams.yaml and the API of configuration.json
  python -m engine drift --openapi saved.json    with a saved document; asks nothing of a server
  python -m engine drift --format json | jq .lists

Tells what the API's OpenAPI document has and streams.yaml has not: lists that no stream copies, and properties of
records that no column maps. And the reverse: endpoints and columns that the API does not have. None of it is a mistake,
so the exit code is 0; 2 when there is no document. python -m engine scaffold writes a stream for a list.
"""


def add_to(commands: Any, project: Path) -> None:
    """Add the command to the parser."""
    parser = commands.add_parser(
        "drift",
        help="tell what the API offers that streams.yaml does not read, and the reverse",
        description="Tell what the API offers that streams.yaml does not read, and what it reads that is not offered.",
        epilog=_EXAMPLES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument(
        "file", nargs="?", type=Path, metavar="FILE", help="the file to compare (default: this project's streams.yaml)"
    )
    add_connection_options(parser)
    add_openapi_option(parser)
    parser.add_argument("--format", choices=("json", "text"), default="text", help="default: text")
    parser.set_defaults(run=lambda options: run(options, options.file or shown(project / "streams.yaml")))


def run(options: argparse.Namespace, file: Path) -> int:
    """Compare and print."""
    spec, api = document_and_openapi(options, file)
    found = drift(api, spec)
    if options.format == "json":
        print(json.dumps(_json(api, found), indent=2, ensure_ascii=False))
    else:
        print("\n".join(_text(api, found, TerminalStyle(sys.stdout))))
    return 0


def _text(api: OpenApi, found: Drift, paint: TerminalStyle) -> Iterator[str]:
    paged = [one for one in found.lists if one.paged]
    others = [one for one in found.lists if not one.paged]
    yield f"{api.title}"
    yield from _lists(paint, f"{counted(len(paged), 'lists')} that no stream copies", found, paged)
    yield from _lists(
        paint, f"{counted(len(others), 'lists')} besides, paged in another way or not at all", found, others
    )
    for stream, properties in found.properties.items():
        yield paint("bold", f"\n{stream}: {counted(len(properties), 'properties')} that no column maps")
        for line in aligned([[f"  {name}", best_type(shape), shape.description] for name, shape in properties.items()]):
            yield cut("  ".join(line).rstrip(), paint.width)
    for stream, endpoints in found.endpoints.items():
        yield paint("bold", f"\n{stream}: {counted(len(endpoints), 'endpoints')} that the API does not have")
        yield from (f"  {endpoint}" for endpoint in endpoints)
    for stream, columns in found.columns.items():
        yield paint("bold", f"\n{stream}: {counted(len(columns), 'columns')} without a property of the API")
        yield f"  {', '.join(columns)}"
    if not (found.lists or found.properties or found.endpoints or found.columns):
        yield "\nno differences"


def _lists(paint: TerminalStyle, title: str, found: Drift, lists: list[ListOperation]) -> Iterator[str]:
    if lists:
        yield paint("bold", f"\n{title}")
        rows = [[f"  {one.endpoint}", _asked_by(found, one) + ", ".join(one.record.properties)] for one in lists]
        for line in aligned(rows):
            yield cut("  ".join(line).rstrip(), paint.width)


def _asked_by(found: Drift, one: ListOperation) -> str:
    streams = found.asked_by.get(one.endpoint, ())
    return f"(asked by {', '.join(streams)}) " if streams else ""


def _json(api: OpenApi, found: Drift) -> dict[str, Any]:
    return {
        "api": api.title,
        "lists": [
            {
                "endpoint": str(one.endpoint),
                "paged": one.paged,
                "asked_by": list(found.asked_by.get(one.endpoint, ())),
                "properties": list(one.record.properties),
            }
            for one in found.lists
        ],
        "properties": {
            stream: {
                name: {"type": best_type(shape), "description": shape.description} for name, shape in found_.items()
            }
            for stream, found_ in found.properties.items()
        },
        "endpoints": {
            stream: [str(endpoint) for endpoint in endpoints] for stream, endpoints in found.endpoints.items()
        },
        "columns": {stream: list(columns) for stream, columns in found.columns.items()},
    }
