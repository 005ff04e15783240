"""The tables: as text for the terminal, and as the page docs/performance.md."""

from __future__ import annotations

import os
import platform
from collections.abc import Sequence
from pathlib import Path

from dev.benchmarks.measure import Line, Table

_HEAD = ("Case", "Median", "Lowest", "Highest", "Ratio", "to")

_INTRODUCTION = """\
# Performance

Written by `make bench`; do not edit. Both sides of every ratio were measured in the same run, in turns. The median
of several rounds is given, with the lowest and the highest; a ratio is the median of the rounds' ratios. Other
machines give other figures: the ratios are what to look at. What is measured is the engine, into destinations that
count rows and store nothing; nothing here says how fast the Connector SDK or a warehouse takes them.

Measured on {machine}.{full}
"""


def page(tables: Sequence[Table], versions: str, full: bool) -> str:
    """The page in Markdown."""
    note = " With `ARGS=--full`." if full else ""
    parts = [_INTRODUCTION.format(machine=f"{_machine()}; {versions}", full=note)]
    for table in tables:
        parts.append(f"## {table.title}\n")
        if table.about:
            parts.append(f"{table.about}\n")
        head = (_HEAD[0], f"{_HEAD[1]}, {table.unit}", *_HEAD[2:])
        rows: list[tuple[str, ...]] = [head, ("---", "---:", "---:", "---:", "---:", "---")]
        rows += [cells(line, table.format) for line in table.lines]
        parts.append("\n".join(f"| {' | '.join(row)} |" for row in rows) + "\n")
    return "\n".join(parts)


def text(tables: Sequence[Table]) -> str:
    """All tables as one, aligned."""
    rows: list[tuple[str, ...]] = [_HEAD]
    for table in tables:
        rows += [("",) * len(_HEAD), (f"{table.title} ({table.unit})", *[""] * (len(_HEAD) - 1))]
        rows += [(f"  {first}", *rest) for first, *rest in (cells(line, table.format) for line in table.lines)]
    widths = [max(len(row[column]) for row in rows) for column in range(len(_HEAD))]
    return "\n".join(
        "  ".join(
            cell.ljust(width) if column in (0, len(_HEAD) - 1) else cell.rjust(width)
            for column, (cell, width) in enumerate(zip(row, widths, strict=True))
        ).rstrip()
        for row in rows
    )


def cells(line: Line, style: str) -> tuple[str, ...]:
    """The line as text, one for each column."""
    spread = len(line.values) > 1
    return (
        line.case,
        format(line.median, style),
        format(min(line.values), style) if spread else "",
        format(max(line.values), style) if spread else "",
        "" if line.ratio is None else f"{line.ratio:.2f}",
        line.than,
    )


def versions_of(requirements: Path) -> str:
    """What a requirements file pins, in words."""
    pins = [line.partition("#")[0].strip() for line in requirements.read_text("utf-8").splitlines()]
    return ", ".join(pin.replace("==", " ") for pin in pins if "==" in pin)


def _machine() -> str:
    return (
        f"{os.cpu_count()} CPUs ({platform.machine()}), {platform.system()}, "
        f"{platform.python_implementation()} {platform.python_version()}"
    )
