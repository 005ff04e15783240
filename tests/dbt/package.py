"""Runs dbt on the package in dbt/, in the environment that `make environments` sets up."""

from __future__ import annotations

import json
import os
import subprocess
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

from tests.readme import PROJECT

DBT: Final = PROJECT / ".venv-dbt" / "bin" / "dbt"
PACKAGE: Final = PROJECT / "dbt"
_PASSED: Final = {"success", "pass"}


def build(folder: Path, target: str, variables: Mapping[str, Any], settings: Mapping[str, str]) -> list[str]:
    """Run `dbt build`; returns the models and tests that did not pass, with their messages.

    Args:
        folder: Where dbt writes its files.
        target: An output of dbt/profiles.yml.
        variables: Variables of the package.
        settings: Environment variables that dbt/profiles.yml reads.
    """
    command = [str(DBT), "build", "--project-dir", str(PACKAGE), "--profiles-dir", str(PACKAGE), "--target", target]
    command += ["--target-path", str(folder), "--log-path", str(folder), "--vars", json.dumps(variables)]
    environment = {**os.environ, **settings, "DO_NOT_TRACK": "1"}
    done = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=600)
    file = folder / "run_results.json"
    if not file.exists():
        return [done.stdout + done.stderr]
    results = json.loads(file.read_text())["results"]
    assert results, done.stdout
    return [f"{r['unique_id']}: {r['status']}: {r['message']}" for r in results if r["status"] not in _PASSED]
