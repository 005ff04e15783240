"""The results: tables of cases, kept in docs/performance.json, each with the date and the machine."""

from __future__ import annotations

import os
import platform
import statistics
from collections.abc import Mapping, Sequence
from datetime import date
from pathlib import Path
from typing import Final, TypeAlias

import msgspec

from dev.testbed.prefect_server import PROJECT

PEERS: Final = PROJECT / "dev" / "benchmarks" / "requirements-peers.txt"

Number: TypeAlias = int | float  # an integer stays one in the file


class Case(msgspec.Struct, frozen=True, omit_defaults=True):
    """One line of a table: median and range of its samples (no range: one sample), and the ratio to another case."""

    median: Number
    lowest: Number | None = None
    highest: Number | None = None
    ratio: float | None = None
    to: str | None = None


class Before(msgspec.Struct, frozen=True):
    """The cases of a table as they were at an earlier commit, measured once."""

    commit: str
    cases: Mapping[str, Number]


class Measured(msgspec.Struct, frozen=True):
    """When and where a table was measured."""

    date: str
    machine: str
    versions: str


def _now_and_here() -> Measured:
    python = f"{platform.python_implementation()} {platform.python_version()}"
    machine = f"{os.cpu_count()} CPUs ({platform.machine()}), {platform.system()}, {python}"
    return Measured(date.today().isoformat(), machine, f"{_prefect()}, {pins(PEERS)}")


class Table(msgspec.Struct, frozen=True, omit_defaults=True):
    """The cases of one measurement.

    ``method`` says what was measured and how; ``size`` is the number of rows that the results hold for, 0 if they do
    not depend on any. ``before`` stays when the table is measured again.
    """

    title: str
    unit: str
    method: str
    cases: Mapping[str, Case]
    size: int = 0
    measured: Measured = msgspec.field(default_factory=_now_and_here)
    before: Before | None = None

    def median(self, case: str, form: str = ",.0f") -> str:
        """The median of a case, formatted."""
        return format(self.cases[case].median, form)


Tables: TypeAlias = Mapping[str, Table]


def summarize(samples: Sequence[float], digits: int, to: str | None = None, reference: Sequence[float] = ()) -> Case:
    """Summarize the samples of one case, rounded to a number of digits.

    The ratio is the median of the rounds' ratios, each of two samples that were measured one after the other.
    """
    median, lowest, highest = (
        round(value, digits or None) for value in (statistics.median(samples), min(samples), max(samples))
    )
    ratio = round(statistics.median(a / b for a, b in zip(samples, reference, strict=True)), 2) if to else None
    return Case(median, lowest, highest, ratio, to) if len(samples) > 1 else Case(median, ratio=ratio, to=to)


def compare(samples: Mapping[str, Sequence[float]], digits: int, to: str) -> dict[str, Case]:
    """Summarize every case, with its ratio to one of them."""
    return {
        case: summarize(own, digits) if case == to else summarize(own, digits, to, samples[to])
        for case, own in samples.items()
    }


def load(path: Path) -> dict[str, Table]:
    """Read the tables; none if the file does not exist."""
    return msgspec.json.decode(path.read_bytes(), type=dict[str, Table]) if path.exists() else {}


def save(path: Path, tables: Tables) -> None:
    """Write the tables."""
    path.write_bytes(msgspec.json.format(msgspec.json.encode(tables), indent=2) + b"\n")


def smaller(known: Tables, measured: Tables) -> list[str]:
    """The names of the measured tables whose known result holds for more rows."""
    return [name for name, table in measured.items() if name in known and known[name].size > table.size]


def merge(known: Tables, measured: Tables) -> dict[str, Table]:
    """Replace the tables that were measured again, except by results for fewer rows; the others keep their dates."""
    kept = smaller(known, measured)
    new = {name: table for name, table in measured.items() if name not in kept}
    return {**known, **{name: _with_before(table, known.get(name)) for name, table in new.items()}}


def _with_before(table: Table, known: Table | None) -> Table:
    return msgspec.structs.replace(table, before=known.before) if known is not None else table


def text(tables: Tables) -> str:
    """The tables as aligned text for a terminal."""
    rows: list[tuple[str, ...]] = [("Case", "Median", "Lowest", "Highest", "Ratio", "to")]
    for table in tables.values():
        rows += [("",) * 6, (f"{table.title} ({table.unit})", *[""] * 5)]
        for name, case in table.cases.items():
            numbers = (case.median, case.lowest, case.highest, case.ratio)
            rows.append((f"  {name}", *("" if n is None else f"{n:,}" for n in numbers), case.to or ""))
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    return "\n".join(
        "  ".join(
            cell.ljust(width) if column in (0, 5) else cell.rjust(width)
            for column, (cell, width) in enumerate(zip(row, widths, strict=True))
        ).rstrip()
        for row in rows
    )


def _prefect() -> str:
    """The release of Prefect that is installed: ``prefect 3.9.1``. What needs no Prefect is measured without one."""
    found = (PROJECT / ".venv-prefect-3").glob("lib/*/site-packages/prefect-[0-9]*.dist-info")
    return next((path.name.removesuffix(".dist-info").replace("-", " ") for path in found), "no Prefect")


def pins(requirements: Path) -> str:
    """The pinned versions of a requirements file: ``airbyte-cdk 7.39.1, dlt 1.31.0``."""
    pins = [line.partition("#")[0].strip() for line in requirements.read_text("utf-8").splitlines()]
    return ", ".join(pin.replace("==", " ") for pin in pins if "==" in pin)
