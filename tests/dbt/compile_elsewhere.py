"""Compiles the package for warehouses that run nowhere here, and parses the SQL. Runs in dbt's environment.

    python -m tests.dbt.compile_elsewhere FOLDER COLUMNS

The macros of dbt's adapters are the real ones. The adapters are not, because their drivers are not installed: they know
the tables and columns in the file COLUMNS, and connect nowhere. The compiled SQL is in FOLDER afterwards; what sqlglot
cannot parse is printed.
"""

from __future__ import annotations

import json
import sys
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType
from typing import Any

import dbt.include
import sqlglot
from dbt.adapters.base import AdapterPlugin, BaseRelation, Column
from dbt.adapters.contracts.connection import Credentials
from dbt.adapters.sql import SQLAdapter, SQLConnectionManager
from dbt.cli.main import dbtRunner
from dbt.contracts.graph.manifest import Manifest

PACKAGE = Path(__file__).parents[2] / "dbt"
INCLUDED = Path(dbt.include.__file__).parent
DIALECTS = ("bigquery", "databricks", "redshift", "snowflake")
INHERITED = {"databricks": ["spark"], "redshift": ["postgres"]}
"""Adapters whose macros another one falls back to."""


class BackquotedRelation(BaseRelation):
    """A relation of BigQuery or Databricks."""

    quote_character = "`"


def install(name: str, tables: dict[str, list[str]]) -> None:
    """Put an adapter that knows tables, and connects nowhere, in the place of the real one."""

    @dataclass
    class StubCredentials(Credentials):
        type = name
        unique_field = name

        def _connection_keys(self) -> tuple[str, ...]:
            return ("database", "schema")

    class StubConnections(SQLConnectionManager):
        TYPE = name
        cancel = get_response = open = exception_handler = None

    class StubAdapter(SQLAdapter):
        ConnectionManager = StubConnections
        Relation = BackquotedRelation if name in ("bigquery", "databricks") else BaseRelation

        @classmethod
        def quote(cls, identifier: str) -> str:
            return f"{cls.Relation.quote_character}{identifier}{cls.Relation.quote_character}"

        @classmethod
        def date_function(cls) -> str:
            return "now()"

        @classmethod
        def is_cancelable(cls) -> bool:
            return False

        def get_relation(self, database: str, schema: str, identifier: str) -> BaseRelation:
            return self.Relation.create(database=database, schema=schema, identifier=identifier, type="table")

        def get_columns_in_relation(self, relation: BaseRelation) -> list[Column]:
            names = tables[relation.identifier]
            return [Column(column.upper() if name == "snowflake" else column, "text") for column in names]

    module: Any = ModuleType(f"dbt.adapters.{name}")
    module.__path__ = [str(INCLUDED.parent / "adapters" / name)]  # where its version is
    module.Plugin = AdapterPlugin(
        StubAdapter, StubCredentials, str(INCLUDED / name), INHERITED.get(name, []), project_name=f"dbt_{name}"
    )
    sys.modules[module.__name__] = module


def run(*command: str, manifest: Manifest | None = None) -> Any:
    """Run a command of dbt, and return its result."""
    done = dbtRunner(manifest).invoke(["--quiet", *command, "--vars", "{prefect__using_flow_run_states: true}"])
    if not done.success:
        raise SystemExit(str(done.exception or done.result))
    return done.result


def compile_for(dialect: str, folder: Path) -> None:
    """Write the SQL of all models and data tests to a folder: that of first builds, and of builds that add to them."""
    folder.mkdir(parents=True)
    target = {"type": dialect, "database": "warehouse", "schema": "analytics", "threads": 1}
    profiles = {"prefect": {"target": "stub", "outputs": {"stub": target}}}
    (folder / "profiles.yml").write_text(json.dumps(profiles))
    command = ["--project-dir", str(PACKAGE), "--profiles-dir", str(folder), "--log-path", str(folder)]
    command += ["--no-populate-cache", "--target-path"]
    parsed = run("parse", *command, str(folder))
    first = ["--exclude", "resource_type:unit_test", "--full-refresh"]
    run("compile", *command, str(folder / "first"), *first, manifest=parsed)
    later = ["--exclude", "resource_type:unit_test", "--select", "config.materialized:incremental"]
    run("compile", *command, str(folder / "later"), *later, manifest=parsed)


def mistakes(dialect: str, folder: Path) -> list[str]:
    """What sqlglot says about each file that it cannot parse, and names that are reserved words."""
    reserved = {word.lower() for word in sqlglot.Dialect.get_or_raise(dialect).generator_class.RESERVED_KEYWORDS}
    found = []
    for path in sorted(folder.rglob("compiled/**/*.sql")):
        try:
            names = sqlglot.parse_one(path.read_text(), dialect=dialect).find_all(sqlglot.exp.Identifier)
        except sqlglot.errors.SqlglotError as error:
            found.append(f"{dialect}: {path.name}: {error}\n")
            continue
        words = {name.name for name in names if not name.quoted and name.name.lower() in reserved}
        found += [f"{dialect}: {path.name}: {word} is a reserved word\n" for word in sorted(words)]
    return found


def main() -> None:
    """Compile the package for every dialect, and print what cannot be parsed."""
    folder, tables = Path(sys.argv[1]).absolute(), json.loads(Path(sys.argv[2]).read_text())
    for name in (*DIALECTS, "spark"):
        install(name, tables)
    for dialect in DIALECTS:
        compile_for(dialect, folder / dialect)
        print("".join(mistakes(dialect, folder / dialect)), end="")


if __name__ == "__main__":
    main()
