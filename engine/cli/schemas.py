"""``schemas``: the files that are generated from the components' descriptions and from streams.yaml."""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from engine.spec.configuration import configuration_example, configuration_schema
from engine.spec.load import load, streams_schema
from engine.spec.problems import SpecError

_EXAMPLES = """\
examples:
  python -m engine schemas            write the generated files anew
  python -m engine schemas --check    say which of them are stale; exit code 1 if any

Written: schemas/streams.schema.json (what may stand in streams.yaml; editors complete and check by it),
schemas/configuration.schema.json and configuration.json.example (from the configuration block of streams.yaml).
"""


def add_to(commands: Any, project: Path) -> None:
    """Add the command to the parser."""
    parser = commands.add_parser(
        "schemas",
        help="write schemas/ and configuration.json.example anew, or check that they are fresh",
        description="Write the generated files of this project anew, or check that they are fresh.",
        epilog=_EXAMPLES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--check", action="store_true", help="write nothing; exit code 1 when a file is stale")
    parser.set_defaults(run=lambda options: run(project, check=options.check))


def generated(project: Path) -> Mapping[Path, str]:
    """The generated files of a project and their contents.

    Raises:
        SpecError: streams.yaml is wrong.
    """
    document = load(project / "streams.yaml", name="streams.yaml")
    title = f"configuration.json of the {document.title} connector"
    return {
        project / "schemas" / "streams.schema.json": _json(streams_schema()),
        project / "schemas" / "configuration.schema.json": _json(configuration_schema(document.configuration, title)),
        project / "configuration.json.example": _json(configuration_example(document.configuration)),
    }


def run(project: Path, *, check: bool) -> int:
    """Write the generated files, or tell which are stale."""
    try:
        files = generated(project)
    except SpecError as error:
        print(error)
        return 1
    stale = [path for path, text in files.items() if not path.exists() or path.read_text("utf-8") != text]
    for path in stale:
        if check:
            print(f"{path.relative_to(project)} is stale: run python -m engine schemas", file=sys.stderr)
        else:
            path.parent.mkdir(exist_ok=True)
            path.write_text(files[path], "utf-8")
            print(f"wrote {path.relative_to(project)}")
    if not stale:
        print("all generated files are fresh")
    return 1 if check and stale else 0


def _json(value: Any) -> str:
    return json.dumps(value, indent=2, ensure_ascii=False) + "\n"
