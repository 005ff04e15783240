"""The command line: ``python -m engine COMMAND``.

Exit codes: 0 all is well, 1 mistakes were found, 2 the command could not be carried out.

argparse serves, rather than a package: whatever this room imports would be installed with every connector.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

from engine.cli import generate, validate

PROJECT = Path(__file__).resolve().parents[2]


def main(arguments: Sequence[str] | None = None) -> int:
    """Run a command; answers with its exit code."""
    parser = argparse.ArgumentParser(
        prog="python -m engine",
        description="Tools for streams.yaml, the file that says which endpoints are read into which tables.",
        epilog="python -m engine COMMAND --help tells more about a command.",
    )
    commands = parser.add_subparsers(title="commands", metavar="COMMAND", required=True)
    for command in (validate, generate):
        command.add_to(commands, PROJECT)
    options = parser.parse_args(arguments)
    try:
        code: int = options.run(options)
    except OSError as error:
        print(f"cannot read or write {error.filename}: {error.strerror}", file=sys.stderr)
        return 2
    return code
