"""``validate``: every mistake of a streams.yaml, offline."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path
from typing import Any

from engine.declare.problems import SpecError
from engine.spec.load import load
from tools.cli.report import FORMATS
from tools.cli.target import shown

_EXAMPLES = """\
examples:
  python -m engine validate                       check streams.yaml of this project
  python -m engine validate other.yaml            check another file
  python -m engine validate --format github       annotate the lines of a pull request
  python -m engine validate --format json | jq    for other programs

Checks YAML syntax, every key and value, JSONPaths, keys and cursors, duplicates. Needs no network and no configuration.
Exit code 0: no mistake. 1: mistakes, one line each as FILE:LINE:COLUMN keypath: what is wrong. 2: no such file.
"""


def add_to(commands: Any, project: Path) -> None:
    """Add the command to the parser."""
    parser = commands.add_parser(
        "validate",
        help="check a streams.yaml offline and name every mistake",
        description="Check a streams.yaml offline and name every mistake in it.",
        epilog=_EXAMPLES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument(
        "file", nargs="?", type=Path, metavar="FILE", help="the file to check (default: this project's streams.yaml)"
    )
    parser.add_argument(
        "--format",
        choices=sorted(FORMATS),
        default="text",
        help="text for people, json for programs, github for workflow annotations (default: text)",
    )
    parser.set_defaults(run=lambda options: run(options.file or shown(project / "streams.yaml"), options.format))


def run(file: Path, form: str) -> int:
    """Check a file and print what is wrong with it."""
    report = FORMATS[form]
    try:
        spec = load(file)
    except SpecError as error:
        print(report.mistakes(str(file), error.problems))
        count = len(error.problems)
        print(f"{count} mistake{'s' if count != 1 else ''} in {file}", file=sys.stderr)
        return 1
    print(report.fine(str(file), spec))
    return 0
