"""``validate``: every mistake in a streams.yaml, offline."""

from __future__ import annotations

import argparse
import sys
from typing import Any, Final

from engine.declare.problems import SpecError
from engine.nouns import counted
from engine.spec.load import load
from tools.checking.findings import Finding
from tools.cli.findings import Report
from tools.cli.options import FILE, FORMAT, add_command, streams_file
from tools.cli.terminal import TerminalStyle

_EXAMPLES: Final = """\
examples:
  python -m engine validate                       check this project's streams.yaml
  python -m engine validate other.yaml            check another file
  python -m engine validate --format github       annotate the lines of a pull request
  python -m engine validate --format json | jq .findings

Checks the YAML syntax, every key and value, JSONPaths, primary keys, cursors and duplicates. Needs neither a network
nor a configuration. Prints one line for each mistake: FILE:LINE:COLUMN keypath: what is wrong.
Exit code 0: no mistakes. 1: mistakes. 2: the file cannot be read.
"""


def add_to(commands: Any) -> None:
    """Add the command to the parser."""
    parser = add_command(
        commands, "validate", "report every mistake in a streams.yaml, offline", _EXAMPLES, FILE, FORMAT
    )
    parser.set_defaults(run=run)


def run(options: argparse.Namespace) -> int:
    """Load a file and print every mistake in it."""
    file = streams_file(options)
    findings: list[Finding] = []
    try:
        spec = load(file)
    except SpecError as error:
        findings = [Finding(**vars(problem)) for problem in error.problems]
        summary = f"{counted(len(findings), 'mistakes')} in {file}"
    else:
        columns = sum(len(stream.fields) for stream in spec.streams.values())
        summary = f"{file}: no mistakes ({counted(len(spec.streams), 'streams')}, {counted(columns, 'columns')})"
    print(Report(str(file), findings, summary).render(options.format, TerminalStyle(sys.stdout)))
    return 1 if findings else 0
