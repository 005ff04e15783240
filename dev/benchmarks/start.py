"""What a sync costs before its first request."""

from __future__ import annotations

import resource
import subprocess
from typing import Final

from dev.benchmarks.measure import ENGINE, progress
from dev.benchmarks.results import Table, summarize
from dev.testbed.prefect_server import PROJECT

SAMPLES: Final = 7
_IMPORT: Final = "import requests, yaml; from engine.sync import sync; from engine.spec.load import resolve"
_RESOLVE: Final = "from pathlib import Path; resolve(Path('streams.yaml'), {'api_url': 'http://127.0.0.1:4200/api'})"
CASES: Final = {
    "Python": "pass",
    "Python with its HTTP and YAML libraries": "import requests, yaml",
    "... and the engine imported": _IMPORT,
    "... and streams.yaml read, validated and resolved": f"{_IMPORT}; {_RESOLVE}",
}
_METHOD: Final = f"""\
CPU time, user and system, of a whole process that does this much and exits; {SAMPLES} samples of each, in turns. The \
ratio is to the case before."""


def measure(full: bool) -> dict[str, Table]:
    """CPU seconds; each case includes the one before it."""
    python = str(PROJECT / ENGINE / "bin" / "python")
    samples: dict[str, list[float]] = {case: [] for case in CASES}
    for number in range(SAMPLES):
        progress(f"start: sample {number + 1} of {SAMPLES}")
        for case, code in CASES.items():
            before = _spent()
            subprocess.run([python, "-c", code], cwd=PROJECT, check=True)
            samples[case].append(_spent() - before)
    cases = {case: summarize(own, 3) for case, own in samples.items()}
    for before_it, case in zip(samples, list(samples)[1:], strict=False):
        cases[case] = summarize(samples[case], 3, before_it, samples[before_it])
    return {"start": Table("Start", "CPU seconds", _METHOD, cases)}


def _spent() -> float:
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime
