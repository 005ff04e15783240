"""Runs contenders in processes of their own, in turns, and puts what they cost beside each other."""

from __future__ import annotations

import json
import statistics
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from dev.testbed.prefect_server import PROJECT

ROUNDS: Final = 3
ENGINE: Final = ".venv"
PEERS: Final = ".venv-bench"


@dataclass(frozen=True)
class Contender:
    """A module of benchmarks.contenders, its arguments and environment, and the rows that it must read (if any)."""

    case: str
    module: str
    arguments: tuple[str, ...]
    rows: int | None
    environment: str = ENGINE


@dataclass(frozen=True)
class Cost:
    """What one reading cost: seconds by the clock and of CPU, and bytes of memory at most."""

    rows: int
    seconds: float
    cpu: float
    peak: int


class Broken(RuntimeError):
    """A contender failed or did not read every row: there is nothing to compare."""


@dataclass(frozen=True)
class Line:
    """One line of a table: the values of all rounds, and those of the case that they are compared with."""

    case: str
    values: Sequence[float]
    than: str = ""
    reference: Sequence[float] = ()

    @property
    def median(self) -> float:
        """The median of the rounds."""
        return statistics.median(self.values)

    @property
    def ratio(self) -> float | None:
        """The median of the rounds' ratios, each of two values that were measured one after the other."""
        if not self.reference:
            return None
        return statistics.median(a / b for a, b in zip(self.values, self.reference, strict=True))


@dataclass(frozen=True)
class Table:
    """Lines of one unit. ``format`` is that of one value; ``about`` says what was measured and how."""

    title: str
    unit: str
    lines: Sequence[Line]
    format: str = ",.0f"
    about: str = ""


def run(contender: Contender) -> Cost:
    """Run a contender.

    Raises:
        Broken: it failed, or read another number of rows than it should.
    """
    python = PROJECT / contender.environment / "bin" / "python"
    command = [str(python), "-m", "dev.benchmarks.contenders", contender.module, *contender.arguments]
    done = subprocess.run(command, cwd=PROJECT, capture_output=True, text=True)
    if done.returncode:
        raise Broken(f"{contender.case} failed:\n{done.stderr[-3000:]}")
    cost = Cost(**json.loads(done.stdout.splitlines()[-1]))
    if contender.rows not in (None, cost.rows):
        raise Broken(f"{contender.case} read {cost.rows:,} of {contender.rows:,} rows")
    return cost


def in_turns(contenders: Sequence[Contender], rounds: int = ROUNDS) -> list[list[Cost]]:
    """Run all contenders so many times, in turns, so that what else the machine does meets them alike.

    Returns:
        For each contender its costs.

    Raises:
        Broken: one failed, or read another number of rows than it should.
    """
    costs: list[list[Cost]] = [[] for _ in contenders]
    for number in range(rounds):
        for contender, own in zip(contenders, costs, strict=True):
            tell(f"round {number + 1} of {rounds}: {contender.case}")
            own.append(run(contender))
    return costs


def tell(what: str) -> None:
    """Say on stderr what is being measured."""
    print(f"  {what}", file=sys.stderr, flush=True)
