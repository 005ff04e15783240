"""`make demo` succeeds, and leaves nothing behind."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from tests.readme import PROJECT, blocks


@pytest.mark.prefect
def test_it_shows_the_main_job(tmp_path: Path) -> None:
    """It shows six steps, the synced tables, and a second sync that sends only the changes."""
    home = tmp_path / "home"
    home.mkdir()
    done = subprocess.run(
        [sys.executable, "-m", "dev.demo"],
        cwd=PROJECT,
        env={**os.environ, "HOME": str(home), "TMPDIR": str(tmp_path)},
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=300,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    shown = done.stdout
    for step in range(1, 7):
        assert f"\n{step}/6 " in shown
    assert "load-orders     Completed  3" in shown
    assert "send-report     Failed     2" in shown
    assert "Synced 1 flow run, 1 flow, and 0 deployments" in shown
    assert "weekly      True" in shown
    assert [path.name for path in tmp_path.iterdir()] == ["home"]
    for line in blocks("text")[0].splitlines():  # the README's excerpt, whose runs have random names
        pattern = r"\s+".join(
            re.escape(word) if "-" not in word or word[:4] == "send" else r"[a-z-]+" for word in line.split()
        )
        assert re.search(pattern, shown), line
