"""``python -m tools.report``: what ``python -m engine report`` runs, in the environment of dbt/."""

from __future__ import annotations

import argparse
import io
import sys
from pathlib import Path

import duckdb

from tools.report.answers import answers
from tools.report.build import html
from tools.report.models import NotBuilt, build
from tools.report.warehouse import NoModels, opened


def main() -> int:
    """Build the models, and write the page. Returns the exit code."""
    parser = argparse.ArgumentParser()
    parser.add_argument("warehouse", type=Path)
    parser.add_argument("output", type=Path)
    parser.add_argument("--days", type=int, required=True)
    parser.add_argument("--no-build", action="store_true")
    options = parser.parse_args()
    if isinstance(sys.stdout, io.TextIOWrapper):
        sys.stdout.reconfigure(errors="backslashreplace")  # a terminal may not be able to print every name
    try:
        if not options.no_build:
            build(options.warehouse, options.days)
        with opened(options.warehouse, options.days) as warehouse:
            found = list(answers(warehouse))
            page = html(warehouse, found, options.warehouse.name)
    except (NoModels, NotBuilt, duckdb.Error) as error:
        print(f"{options.warehouse}: {error}", file=sys.stderr)
        return 2
    try:
        _write(options.output, page)
    except OSError as error:
        print(f"cannot write {options.output}: {error.strerror}", file=sys.stderr)
        return 2
    for answer in found:
        print(f"{answer.title}: {answer.finding}")
    return 0


def _write(output: Path, page: str) -> None:
    """Write the page whole, or leave what is there."""
    output.parent.mkdir(parents=True, exist_ok=True)
    part = output.with_name(f".{output.name}.part")
    try:
        part.write_text(page, "utf-8")
        part.replace(output)
    finally:
        part.unlink(missing_ok=True)


if __name__ == "__main__":
    try:
        sys.exit(main())
    except KeyboardInterrupt:
        sys.exit(130)
