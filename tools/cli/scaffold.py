"""``scaffold``: write a stream's block of streams.yaml from the API's OpenAPI document."""

from __future__ import annotations

import argparse
import re
import sys
from pathlib import Path
from typing import Any

import yaml

from engine.declare.types import NAME_EXPECTED, NAME_PATTERN
from engine.declare.yaml import compose
from engine.spec.load import load
from tools.cli.options import CONFIGURATION, FILE_OPTION, OPENAPI, add_command, streams_file
from tools.cli.target import CommandError, spec_and_openapi
from tools.scaffold.emit import to_yaml
from tools.scaffold.stream import CannotScaffold, find_list, scaffold, scaffold_held

_EXAMPLES = """\
examples:
  python -m engine scaffold "POST /variables/filter"           print a stream for this list, ready to paste
  python -m engine scaffold /variables/filter                  find the method, POST or GET
  python -m engine scaffold /variables/filter --name settings  choose the stream's name
  python -m engine scaffold /variables/filter --append streams.yaml    append the stream to the file
  python -m engine scaffold "/work_pools/{work_pool_name}/queues/filter"    a list for each row of another stream
  python -m engine scaffold "/deployments/filter#schedules"    the objects that each row of another stream holds
  python -m engine scaffold /variables/filter --openapi saved.json     use a saved OpenAPI document

Every sync reads the whole list. Comments give the reason for the sort and the lines that read only changes. Delete the
lines that you do not need. A list whose requests need a value from other rows becomes a child of the stream that reads
those rows. Next, run python -m engine check --stream variables and python -m engine preview variables.
python -m engine check --unmapped lists the other endpoints to scaffold.
Exit codes: 0 if the stream was written, 1 if the path has no records for a stream, 2 if there is no OpenAPI document.
"""


def add_to(commands: Any) -> None:
    """Add the command to the parser."""
    summary = "write a stream for an endpoint from the API's OpenAPI document"
    parser = add_command(commands, "scaffold", summary, _EXAMPLES, CONFIGURATION, OPENAPI, FILE_OPTION)
    parser.add_argument("endpoint", metavar="PATH", help='a path, or a method and a path: "POST /flows/filter"')
    parser.add_argument("--name", help="the name of the stream (default: derived from the path)")
    parser.add_argument(
        "--append", type=Path, metavar="FILE", help="append the stream to this streams.yaml instead of printing it"
    )
    parser.set_defaults(run=lambda options: run(options, options.append or streams_file(options)))


def run(options: argparse.Namespace, file: Path) -> int:
    """Print the stream or append it to the file."""
    if options.name is not None and not re.fullmatch(NAME_PATTERN, options.name):
        raise CommandError(f"--name: expected {NAME_EXPECTED}")
    spec, api = spec_and_openapi(options, file)
    endpoint, _, held = options.endpoint.partition("#")
    name = options.name
    try:
        found = find_list(api, spec, endpoint)
        stream = scaffold_held(found, held, spec, name) if held else scaffold(found, api, spec, name)
        text = to_yaml(stream, "  " if options.append is None else _indent(file))
    except CannotScaffold as error:
        print(error, file=sys.stderr)
        return 1
    taken = stream.key in spec.streams
    if taken:
        print(f"{file} already has a stream {stream.key}; choose another name with --name", file=sys.stderr)
    if options.append is None:
        print(text, end="")
        return 0
    if taken:
        return 1
    _append(file, text)
    print(f"added the stream {stream.key} to {file}; next: python -m engine check {file} --stream {stream.key}")
    return 0


def _indent(file: Path) -> str:
    """The indentation of a stream's name in a file that ends with its streams.

    Raises:
        CannotScaffold: text appended to the file would not be a stream.
    """
    node, _ = compose(file.read_bytes().decode("utf-8-sig"))
    key, streams = max(node.value, key=lambda pair: pair[0].start_mark.index)
    if key.value != "streams" or not isinstance(streams, yaml.MappingNode) or streams.flow_style:
        raise CannotScaffold(f"streams is not the last block of {file}; run without --append and paste the stream")
    column: int = streams.value[0][0].start_mark.column
    return " " * column


def _append(file: Path, block: str) -> None:
    """Append a block to a file, if the result is a valid streams.yaml."""
    before = file.read_text("utf-8")
    new = file.with_name(f"{file.name}.new")
    try:
        new.write_text(f"{before.rstrip()}\n\n{block}", "utf-8")
        load(new, name=str(file))
        new.replace(file)
    finally:
        new.unlink(missing_ok=True)
