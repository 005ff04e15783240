"""``generate``: write the files that are generated from streams.yaml and from the declarations of its dialect."""

from __future__ import annotations

import json
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from engine.declare.problems import SpecError
from engine.spec.dialect import Spec
from engine.spec.load import load
from tools.cli.options import PROJECT, add_command
from tools.docgen import dialect, models
from tools.docgen.dbt import sources
from tools.docgen.dbt_package import package
from tools.docgen.streams import page
from tools.json_schema import configuration_example, configuration_schema, streams_schema

_EXAMPLES = """\
examples:
  python -m engine generate            rewrite the files that are stale
  python -m engine generate --check    list the files that are stale; exit with 1 if there are any

files:
  schemas/streams.schema.json          the keys of streams.yaml, for editors
  schemas/configuration.schema.json    the settings of configuration.json, for editors
  configuration.json.example           an example of each setting
  docs/streams.md                      tables, columns and what a sync guarantees
  docs/dialect.md                      the reference of streams.yaml
  docs/models.md                       the models of the dbt package
  dbt/models/staging/                  the tables as sources and staging models of the dbt package; in a project
                                       without a package, docs/dbt/sources.yml has the tables as sources
"""


def add_to(commands: Any) -> None:
    """Add the command to the parser."""
    summary = "rewrite the generated files (schemas and docs), or check that they are up to date"
    parser = add_command(commands, "generate", summary, _EXAMPLES)
    parser.add_argument("--check", action="store_true", help="write nothing; exit with 1 if a file is stale")
    parser.set_defaults(run=lambda options: run(PROJECT, check=options.check))


def generated(project: Path) -> Mapping[Path, str]:
    """The generated files of a project and their contents.

    Raises:
        SpecError: streams.yaml has mistakes.
    """
    spec = load(project / "streams.yaml", name="streams.yaml")
    title = f"configuration.json of the {spec.title} connector"
    return {
        project / "schemas" / "streams.schema.json": _json(streams_schema()),
        project / "schemas" / "configuration.schema.json": _json(configuration_schema(spec.configuration, title)),
        project / "configuration.json.example": _json(configuration_example(spec.configuration)),
        project / "docs" / "streams.md": page(spec),
        project / "docs" / "dialect.md": dialect.page(),
        **_dbt(project, spec),
    }


def _dbt(project: Path, spec: Spec) -> Mapping[Path, str]:
    """The staging layer and the page of the project's dbt package; the tables as dbt sources, if it has no package."""
    if not (project / "dbt" / "dbt_project.yml").exists():
        return {project / "docs" / "dbt" / "sources.yml": sources(spec)}
    staging = project / "dbt" / "models" / "staging"
    return {
        **{staging / path: text for path, text in package(spec).items()},
        project / "docs" / "models.md": models.page(project),
    }


def run(project: Path, *, check: bool) -> int:
    """Rewrite the generated files that are stale, or with ``check`` only list them. Returns the exit code."""
    try:
        files = generated(project)
    except SpecError as error:
        print(error)
        return 1
    stale = [path for path, text in files.items() if not path.exists() or path.read_text("utf-8") != text]
    for path in stale:
        if check:
            print(f"{path.relative_to(project)} is stale; run python -m engine generate", file=sys.stderr)
        else:
            path.parent.mkdir(exist_ok=True, parents=True)
            path.write_text(files[path], "utf-8")
            print(f"wrote {path.relative_to(project)}")
    if not stale:
        print("all generated files are up to date")
    return 1 if check and stale else 0


def _json(value: Any) -> str:
    return json.dumps(value, indent=2, ensure_ascii=False) + "\n"
