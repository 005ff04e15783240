"""What a sync costs before its first request."""

from __future__ import annotations

import resource
import subprocess
from collections.abc import Iterator
from typing import Final

from dev.benchmarks.measure import ENGINE, Line, Table, tell
from dev.testbed.prefect_server import PROJECT

SAMPLES: Final = 7
_IMPORT: Final = "import requests, yaml; from engine.sync import sync; from engine.spec.load import resolve"
_CONNECT: Final = "from pathlib import Path; resolve(Path('streams.yaml'), {'api_url': 'http://127.0.0.1:4200/api'})"
_CASES: Final = {
    "Python": "pass",
    "Python and its HTTP and YAML libraries": "import requests, yaml",
    "... and the engine imported": _IMPORT,
    "... and streams.yaml read, validated and filled in": f"{_IMPORT}; {_CONNECT}",
}
_ABOUT: Final = f"""\
CPU time, user and system, of a whole process that does so much and ends; {SAMPLES} of each, in turns. The ratios
are to the case before."""


def measure() -> Iterator[Table]:
    """One table: each case holds what the one before it does."""
    python = str(PROJECT / ENGINE / "bin" / "python")
    values: dict[str, list[float]] = {case: [] for case in _CASES}
    for number in range(SAMPLES):
        tell(f"start: sample {number + 1} of {SAMPLES}")
        for case, code in _CASES.items():
            before = _spent()
            subprocess.run([python, "-c", code], cwd=PROJECT, check=True)
            values[case].append(_spent() - before)
    before_it = {case: ("the case before", values[last]) for last, case in zip(values, list(values)[1:], strict=False)}
    lines = [Line(case, own, *before_it.get(case, ())) for case, own in values.items()]
    yield Table("Start", "CPU seconds", lines, ".3f", _ABOUT)


def _spent() -> float:
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime
