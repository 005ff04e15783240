"""What the connector runs on: Pythons from 3.10 on, and exactly these packages."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import pytest

from tests.readme import PROJECT

LOCKED = {
    "tests/requirements.in": "tests/requirements.txt",
    "dev/testbed/requirements-prefect-3.in": "dev/testbed/requirements-prefect-3.txt",
    "dev/testbed/requirements-prefect-2.in": "dev/testbed/requirements-prefect-2.txt",
    "spark/requirements.in": "spark/requirements.txt",
    "dbt/requirements.in": "dbt/requirements.txt",
    "dbt/requirements-dialects.in": "dbt/requirements-dialects.txt",
}
"""What is asked for, and the file into which `make lock` resolves it."""


def pins(text: str) -> set[str]:
    """The packages that a requirements file pins, each by the name that the registry compares, and its version."""
    found = re.findall(r"^\s*\"?([A-Za-z0-9._-]+)==([^\s;\"#]+)", text, re.MULTILINE)
    return {f"{re.sub('[-_.]+', '-', name).lower()}=={version}" for name, version in found}


def test_nothing_newer_than_python_3_10_is_used() -> None:
    """By the words and modules that the code uses, whichever Python runs the tests."""
    vermin = Path(sys.executable).with_name("vermin")
    fast = ["--processes=1", "--no-parse-comments"]
    command = [str(vermin), *fast, "--target=3.10-", "--no-tips", "--violations", "connector.py", "engine"]
    done = subprocess.run(command, cwd=PROJECT, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout
    assert "Minimum required versions: 3.10" in done.stdout


def test_all_that_is_asked_for_is_locked_at_its_version() -> None:
    """`make lock` was run after the last change."""
    (declared,) = re.findall(
        r"^dependencies = \[(.*)\]$", (PROJECT / "pyproject.toml").read_text("utf-8"), re.MULTILINE
    )
    for asked_in, locked_in in LOCKED.items():
        asked, locked = ((PROJECT / path).read_text("utf-8") for path in (asked_in, locked_in))
        assert pins(asked)
        assert pins(asked) <= pins(locked)
    assert pins(declared.replace(", ", "\n")) <= pins((PROJECT / "tests" / "requirements.txt").read_text("utf-8"))


@pytest.mark.parametrize("locked", LOCKED.values())
def test_every_package_has_hashes(locked: str) -> None:
    """So nothing else than what was tested is installed."""
    entries = re.split(r"\n(?=\S)", (PROJECT / locked).read_text("utf-8").strip())
    assert all(re.match(r"[a-z0-9-]+==\S+( ; .*)? \\\n    --hash=sha256:[0-9a-f]{64}", entry) for entry in entries)
