"""The command line: ``python -m engine COMMAND``.

Exit codes: 0 all is well, 1 mistakes were found, 2 the command could not be carried out.

argparse serves, rather than a package: whatever this room imports would be installed with every connector.
"""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Sequence
from pathlib import Path

from engine.declare.problems import SpecError
from engine.failures import Failure
from engine.spec.configuration import ConfigurationError
from tools.cli import check, drift, generate, preview, scaffold, validate
from tools.cli.target import CannotDo

PROJECT = Path(__file__).resolve().parents[2]


def parser() -> argparse.ArgumentParser:
    """The command line's grammar, and its help."""
    grammar = argparse.ArgumentParser(
        prog="python -m engine",
        description="Tools for streams.yaml, the file that says which endpoints are read into which tables.",
        epilog="python -m engine COMMAND --help tells more about a command.",
    )
    commands = grammar.add_subparsers(title="commands", metavar="COMMAND", required=True)
    for command in (validate, check, drift, scaffold, preview, generate):
        command.add_to(commands, PROJECT)
    return grammar


def main(arguments: Sequence[str] | None = None) -> int:
    """Run a command; answers with its exit code."""
    options = parser().parse_args(arguments)
    try:
        code: int = options.run(options)
    except SpecError as error:
        print(error)
        return 1
    except (CannotDo, ConfigurationError, Failure) as error:
        print(error, file=sys.stderr)
        return 2
    except BrokenPipeError:  # the reader, such as head, has seen enough
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 0
    except OSError as error:
        print(f"cannot read or write {error.filename}: {error.strerror}", file=sys.stderr)
        return 2
    return code
