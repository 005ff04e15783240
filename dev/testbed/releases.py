"""Releases of Prefect, each installed in an environment of its own with the dependencies of its day."""

from __future__ import annotations

import os
import subprocess
from datetime import date, timedelta
from pathlib import Path
from typing import Final

import requests

from dev.testbed.prefect_server import PROJECT

RELEASES: Final = {
    "2.7.0": date(2022, 12, 1),
    "2.10.21": date(2023, 7, 13),
    "2.14.21": date(2024, 2, 8),
    "2.16.9": date(2024, 4, 4),
    "2.18.3": date(2024, 5, 2),
    "2.20.27": date(2026, 10, 23),
    "3.0.0": date(2024, 9, 3),
    "3.0.11": date(2024, 10, 25),
    "3.1.15": date(2025, 1, 30),
    "3.2.15": date(2025, 3, 28),
    "3.4.25": date(2025, 10, 23),
    "3.6.10": date(2026, 1, 8),
    "3.6.22": date(2026, 3, 12),
}
"""Releases by the day on which they were published: the oldest that works, and those around changes of the API."""

NEWEST: Final = "newest"
_SETTLED: Final = timedelta(days=4)  # dependencies that a release needs can follow it
_UV: Final = PROJECT / ".venv-uv" / "bin" / "uv"


def newest() -> tuple[str, date]:
    """The newest release that PyPI has, and the day on which it was published."""
    found = requests.get("https://pypi.org/pypi/prefect/json", timeout=60).json()
    return found["info"]["version"], date.fromisoformat(found["urls"][0]["upload_time"][:10])


def install(version: str, published: date) -> Path:
    """Install a release unless it is installed; returns its environment.

    The interpreter is that of the variable PREFECT_PYTHON. Python 3.11 runs every release from 2.7 on.
    """
    folder = PROJECT / f".venv-prefect-{version}"
    done = folder / ".done"
    if not done.exists():
        python = os.environ.get("PREFECT_PYTHON", "python3")
        subprocess.run([_UV, "venv", "--quiet", "--clear", "--python", python, folder], check=True)
        until = (published + _SETTLED).isoformat()
        pip = [str(_UV), "pip", "install", "--quiet", "--python", f"{folder}/bin/python", "--exclude-newer", until]
        subprocess.run([*pip, f"prefect=={version}"], check=True)
        done.touch()
    return folder
