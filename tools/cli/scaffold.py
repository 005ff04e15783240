"""``scaffold``: a stream's block, written from the API's OpenAPI document."""

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
from tools.openapi.scaffold import CannotScaffold, find_list, scaffold, scaffold_held, stream_name

_EXAMPLES = """\
examples:
  python -m engine scaffold "POST /variables/filter"           print a stream for this list, ready to paste
  python -m engine scaffold /variables/filter                  the same: the method that lists, of POST and GET
  python -m engine scaffold /variables/filter --name settings  under another name
  python -m engine scaffold /variables/filter --append streams.yaml    put it at the end of the file
  python -m engine scaffold "/work_pools/{work_pool_name}/queues/filter"    a list of each row of another stream
  python -m engine scaffold "/deployments/filter#schedules"    what each row of another stream holds
  python -m engine scaffold /variables/filter --openapi saved.json     from a saved document

The block reads the whole list at each sync, and says in comments why its sort was chosen and how to read changes only.
Lines that you do not need can be deleted. A list that is asked with a value of other rows becomes a child of the stream
that reads those. Then: python -m engine check --stream variables, and
python -m engine preview variables. python -m engine check --unmapped lists the endpoints to scaffold.
Exit code 0: written. 1: no stream can be written for this path. 2: there is no OpenAPI document.
"""


def add_to(commands: Any) -> None:
    """Add the command to the parser."""
    summary = "write a stream for an endpoint, from the API's OpenAPI document"
    parser = add_command(commands, "scaffold", summary, _EXAMPLES, CONFIGURATION, OPENAPI, FILE_OPTION)
    parser.add_argument("endpoint", metavar="PATH", help='a path, or a method and a path: "POST /flows/filter"')
    parser.add_argument("--name", help="the name of the stream (default: made from the path)")
    parser.add_argument("--append", type=Path, metavar="FILE", help="append the stream to this streams.yaml")
    parser.set_defaults(run=lambda options: run(options, options.append or streams_file(options)))


def run(options: argparse.Namespace, file: Path) -> int:
    """Write a block, to the terminal or into the file."""
    if options.name is not None and not re.fullmatch(NAME_PATTERN, options.name):
        raise CommandError(f"--name: a stream must be named with {NAME_EXPECTED}")
    spec, api = spec_and_openapi(options, file)
    try:
        found = find_list(api, spec, options.endpoint)
        indent = "  " if options.append is None else _indent(file)
        _, _, held = options.endpoint.partition("#")
        if held:
            name, block = scaffold_held(found, held, spec, options.name, indent)
        else:
            name = options.name or stream_name(found.endpoint)
            block = scaffold(found, api, spec, name, indent)
        taken = name in spec.streams
        if options.append is None:
            print(block, end="")
            if taken:
                print(f"{file} has a stream {name}; give this one another name with --name", file=sys.stderr)
            return 0
        if taken:
            raise CannotScaffold(f"{file} has a stream {name}; give this one another name with --name")
        _append(file, block)
    except CannotScaffold as error:
        print(error, file=sys.stderr)
        return 1
    print(f"added the stream {name} to {file}; next: python -m engine check {file} --stream {name}")
    return 0


def _indent(file: Path) -> str:
    """The blanks before a stream's name in a file whose streams come last.

    Raises:
        CannotScaffold: a block at the end of the file would not be a stream.
    """
    node, _ = compose(file.read_bytes().decode("utf-8-sig"))
    key, streams = max(node.value, key=lambda pair: pair[0].start_mark.index)
    if key.value != "streams" or not isinstance(streams, yaml.MappingNode) or streams.flow_style:
        raise CannotScaffold(f"streams is not the last block of {file}; print the stream without --append and paste it")
    column: int = streams.value[0][0].start_mark.column
    return " " * column


def _append(file: Path, block: str) -> None:
    """Put a block at the end of a file, unless the whole would not be a right streams.yaml."""
    before = file.read_text("utf-8")
    new = file.with_name(f"{file.name}.new")
    try:
        new.write_text(f"{before.rstrip()}\n\n{block}", "utf-8")
        load(new, name=str(file))
        new.replace(file)
    finally:
        new.unlink(missing_ok=True)
