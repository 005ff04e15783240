"""The command line: ``python -m engine COMMAND``.

Exit codes: 0 if all is well, 1 if mistakes were found, 2 if the command could not run, 130 if it was interrupted.
"""

from __future__ import annotations

import argparse
import contextlib
import os
import sys
from collections.abc import Sequence
from functools import cache

from engine.declare.problems import SpecError
from engine.failures import Failure
from engine.spec.configuration import ConfigurationError
from tools.cli import check, generate, init, preview, report, scaffold, validate
from tools.cli.options import PROJECT
from tools.cli.target import CommandError
from tools.cli.terminal import never_fail_to_print


@cache
def parser() -> argparse.ArgumentParser:
    """The parser of the command line."""
    found = argparse.ArgumentParser(
        prog="python -m engine",
        description="Tools for streams.yaml, which declares the endpoints to sync and their tables.",
        epilog="Run python -m engine COMMAND --help for options and examples.",
    )
    commands = found.add_subparsers(title="commands", metavar="COMMAND", required=True)
    for command in (validate, check, scaffold, preview, report, generate, init):
        if command is not report or (PROJECT / "dbt").is_dir():  # the models of which it reports
            command.add_to(commands)
    return found


def main(arguments: Sequence[str] | None = None) -> int:
    """Run a command and return its exit code."""
    never_fail_to_print()
    try:
        return _run(arguments)
    except KeyboardInterrupt:
        return 130
    except BrokenPipeError:  # the reader of a pipe, such as head, has read enough
        for stream in (sys.stdout, sys.stderr):
            with contextlib.suppress(OSError, ValueError):  # not a stream of the system
                os.dup2(os.open(os.devnull, os.O_WRONLY), stream.fileno())
        return 0


def _run(arguments: Sequence[str] | None) -> int:
    try:
        options = parser().parse_args(arguments)
    finally:  # of --help, too, before Python closes the stream at its end
        sys.stdout.flush()
    try:
        code: int = options.run(options)
        sys.stdout.flush()
    except SpecError as error:
        print(error)
        return 1
    except (CommandError, ConfigurationError, Failure) as error:
        print(error, file=sys.stderr)
        return 2
    except BrokenPipeError:
        raise
    except OSError as error:
        print(f"cannot read or write {error.filename}: {error.strerror}", file=sys.stderr)
        return 2
    return code
