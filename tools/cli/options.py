"""Options that several commands share, as parent parsers, so that they are spelled and explained once."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any, Final

PROJECT: Final = Path(__file__).resolve().parents[2]


def add_command(
    commands: Any, name: str, summary: str, examples: str, *shared: argparse.ArgumentParser
) -> argparse.ArgumentParser:
    """Add a subcommand.

    Args:
        commands: The action returned by ``ArgumentParser.add_subparsers``.
        name: The name of the command.
        summary: What the command does, in one line of the list of commands.
        examples: What --help shows after the options, starting with examples.
        *shared: Parent parsers.
    """
    parser: argparse.ArgumentParser = commands.add_parser(
        name,
        help=summary,
        description=f"{summary[0].upper()}{summary[1:]}.",
        epilog=examples,
        formatter_class=argparse.RawDescriptionHelpFormatter,
        parents=shared,
    )
    return parser


def _shared(*names: str, **settings: Any) -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(add_help=False)
    parser.add_argument(*names, **settings)
    return parser


FILE: Final = _shared(
    "file", nargs="?", type=Path, metavar="FILE", help="the file to check (default: this project's streams.yaml)"
)
FILE_OPTION: Final = _shared(
    "--file", type=Path, metavar="FILE", help="the file with the streams (default: this project's streams.yaml)"
)
STREAMS: Final = _shared(
    "--stream", action="append", default=[], metavar="NAME", help="only this stream; repeat the option for more"
)
FORMAT: Final = _shared(
    "--format",
    choices=("text", "json", "github"),
    default="text",
    help="text for people, json for programs, github for annotations on a pull request (default: text)",
)
CONFIGURATION: Final = _shared(
    "--configuration",
    type=Path,
    default=Path("configuration.json"),
    metavar="FILE",
    help="the settings of the connection, as for fivetran debug (default: configuration.json in this folder)",
)
OPENAPI: Final = _shared(
    "--openapi",
    metavar="FILE|URL",
    help="a saved OpenAPI document, or its URL (default: the one that api.openapi in streams.yaml names); "
    "credentials are sent only to the host of the API",
)


def positive(text: str) -> int:
    """The value of an option that is an integer of at least 1."""
    if not text.isdecimal() or int(text) < 1:
        raise argparse.ArgumentTypeError("expected an integer of at least 1")
    return int(text)


def streams_file(options: argparse.Namespace) -> Path:
    """The streams.yaml that the options name, or the project's."""
    file: Path | None = options.file
    return file or shown(PROJECT / "streams.yaml")


def shown(path: Path) -> Path:
    """The path relative to the current folder if it is inside it, as editors and GitHub expect."""
    here = Path.cwd()
    return path.relative_to(here) if path.is_relative_to(here) else path
