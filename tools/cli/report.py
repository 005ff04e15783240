"""``report``: a page with the answers that are in a warehouse."""

from __future__ import annotations

import argparse
import importlib.util
import subprocess
import sys
from pathlib import Path
from typing import Any, Final

from tools.cli.options import PROJECT, add_command, positive, shown
from tools.cli.target import CommandError

_EXAMPLES: Final = """\
examples:
  python -m engine report                                 files/report.html from files/warehouse.db, of `fivetran debug`
  python -m engine report --warehouse my.duckdb           from another DuckDB file that a sync wrote
  python -m engine report --days 180                      over half a year, by week
  python -m engine report --no-build                      with the models of dbt/ as they are in the file

Builds the models of dbt/ in the file, into the schema analytics_prefect, and writes one page that loads nothing.
Needs dbt and altair: `make report` installs them into .venv-dbt. Exit code 0: written. 2: the page could not be made.
"""
_ENVIRONMENT: Final = PROJECT / ".venv-dbt"
_DAYS_MAX: Final = 3650


def add_to(commands: Any) -> None:
    """Add the command to the parser."""
    summary = "write a page with what ran, failed, was late, is stuck and waits, from a DuckDB warehouse"
    parser = add_command(commands, "report", summary, _EXAMPLES)
    for name, file, what in (
        ("--warehouse", "warehouse.db", "a DuckDB file that a sync wrote"),
        ("--output", "report.html", "the page"),
    ):
        said = f"{what} (default: files/{file})"
        parser.add_argument(name, type=Path, default=Path("files") / file, metavar="FILE", help=said)
    days = f"the days before the last sync, at most {_DAYS_MAX:,} (default: 28)"
    parser.add_argument("--days", type=_days, default=28, metavar="N", help=days)
    parser.add_argument("--no-build", action="store_true", help="use the models of dbt/ that are in the file")
    parser.set_defaults(run=run)


def run(options: argparse.Namespace) -> int:
    """Write the page. Returns the exit code."""
    warehouse, output = options.warehouse.resolve(), options.output.resolve()
    if not warehouse.is_file():
        raise CommandError(f"there is no {shown(warehouse)}; name the DuckDB file of a sync: --warehouse FILE")
    command = [str(_interpreter()), "-m", "tools.report", str(warehouse), str(output), "--days", str(options.days)]
    code = subprocess.run([*command, *(["--no-build"] if options.no_build else [])], cwd=PROJECT).returncode
    if code == 0:
        print(f"wrote {shown(output)}")
    return code


def _days(text: str) -> int:
    if positive(text) > _DAYS_MAX:
        raise argparse.ArgumentTypeError(f"expected at most {_DAYS_MAX:,}")
    return int(text)


def _interpreter() -> Path:
    """The interpreter that has dbt and altair."""
    if (_ENVIRONMENT / ".done").exists():  # which `make` writes last
        return _ENVIRONMENT / "bin" / "python"
    if all(importlib.util.find_spec(name) for name in ("altair", "dbt", "duckdb", "vl_convert")):
        return Path(sys.executable)
    raise CommandError("the report needs dbt and altair; install them into .venv-dbt: make report")
