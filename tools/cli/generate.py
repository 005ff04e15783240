"""``generate``: the files and pages that follow from streams.yaml and the components' descriptions."""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

from engine.declare.problems import SpecError
from engine.spec.load import load
from tools.docgen import dialect
from tools.docgen.dbt import sources
from tools.docgen.streams import page, summary
from tools.json_schema import configuration_example, configuration_schema, streams_schema

_EXAMPLES = """\
examples:
  python -m engine generate            write what is stale anew
  python -m engine generate --check    say what is stale; exit code 1 if anything is

Written: schemas/streams.schema.json (what may stand in streams.yaml; editors complete and check by it),
schemas/configuration.schema.json and configuration.json.example (from the configuration block of streams.yaml),
docs/streams.md (tables, columns and what they promise), docs/dialect.md (the keys of streams.yaml),
docs/dbt/sources.yml, and the table between the two marks in README.md.
"""
BEGIN: Final = "<!-- generated from streams.yaml: begin -->\n"
END: Final = "<!-- generated from streams.yaml: end -->\n"


def add_to(commands: Any, project: Path) -> None:
    """Add the command to the parser."""
    parser = commands.add_parser(
        "generate",
        help="write schemas/, configuration.json.example and docs/ anew, or check that they are fresh",
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
    spec = load(project / "streams.yaml", name="streams.yaml")
    title = f"configuration.json of the {spec.title} connector"
    files = {
        project / "schemas" / "streams.schema.json": _json(streams_schema()),
        project / "schemas" / "configuration.schema.json": _json(configuration_schema(spec.configuration, title)),
        project / "configuration.json.example": _json(configuration_example(spec.configuration)),
        project / "docs" / "streams.md": page(spec),
        project / "docs" / "dialect.md": dialect.page(streams_schema()),
        project / "docs" / "dbt" / "sources.yml": sources(spec),
    }
    readme = project / "README.md"
    if readme.exists():
        before, mark, rest = readme.read_text("utf-8").partition(BEGIN)
        _, _, after = rest.partition(END)
        if mark:
            files[readme] = "".join([before, BEGIN, *summary(spec), END, after])
    return files


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
            print(f"{path.relative_to(project)} is stale: run python -m engine generate", file=sys.stderr)
        else:
            path.parent.mkdir(exist_ok=True, parents=True)
            path.write_text(files[path], "utf-8")
            print(f"wrote {path.relative_to(project)}")
    if not stale:
        print("all generated files are fresh")
    return 1 if check and stale else 0


def _json(value: Any) -> str:
    return json.dumps(value, indent=2, ensure_ascii=False) + "\n"
