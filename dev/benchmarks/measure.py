"""Runs contenders, each in a process of its own, and returns what they cost."""

from __future__ import annotations

import json
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
    """A module of dev.benchmarks.contenders with its arguments, and the rows it must read (None: any number)."""

    case: str
    module: str
    arguments: tuple[str, ...]
    rows: int | None
    environment: str = ENGINE


@dataclass(frozen=True)
class Cost:
    """What one run cost: wall-clock seconds, CPU seconds, and peak memory in bytes."""

    rows: int
    seconds: float
    cpu: float
    peak: int


class BenchmarkError(RuntimeError):
    """A contender failed or did not read every row, so there is nothing to compare."""


def run(contender: Contender) -> Cost:
    """Run a contender.

    Raises:
        BenchmarkError: it failed, or read the wrong number of rows.
    """
    python = PROJECT / contender.environment / "bin" / "python"
    command = [str(python), "-m", "dev.benchmarks.contenders", contender.module, *contender.arguments]
    done = subprocess.run(command, cwd=PROJECT, capture_output=True, text=True)
    if done.returncode:
        raise BenchmarkError(f"{contender.case} failed:\n{done.stderr[-3000:]}")
    cost = Cost(**json.loads(done.stdout.splitlines()[-1]))
    if contender.rows not in (None, cost.rows):
        raise BenchmarkError(f"{contender.case} read {cost.rows:,} of {contender.rows:,} rows")
    return cost


def run_in_turns(contenders: Sequence[Contender]) -> dict[str, list[Cost]]:
    """Run every contender ROUNDS times, in turns, so that other load on the machine affects all of them alike.

    Returns:
        The costs of each case.

    Raises:
        BenchmarkError: a contender failed, or read the wrong number of rows.
    """
    costs: dict[str, list[Cost]] = {contender.case: [] for contender in contenders}
    for number in range(ROUNDS):
        for contender in contenders:
            progress(f"round {number + 1} of {ROUNDS}: {contender.case}")
            costs[contender.case].append(run(contender))
    return costs


def cpu_per_row(costs: dict[str, list[Cost]]) -> dict[str, list[float]]:
    """Microseconds of CPU per row."""
    return {case: [cost.cpu / cost.rows * 1e6 for cost in own] for case, own in costs.items()}


def progress(message: str) -> None:
    """Print to stderr what is being measured."""
    print(f"  {message}", file=sys.stderr, flush=True)
