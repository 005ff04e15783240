"""`make demo` succeeds, and leaves nothing behind."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.readme import PROJECT


@pytest.mark.prefect
def test_it_shows_the_main_job(tmp_path: Path) -> None:
    """It shows the synced tables, a second sync that sends only the changes, and answers; and it writes the report."""
    report = PROJECT / "files" / "report.html"
    report.unlink(missing_ok=True)
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
    for step in range(1, 8):
        assert f"\n{step}/7 " in shown
    assert "load-orders     Completed  3" in shown
    assert "send-report     Failed     2" in shown
    assert "Synced 1 flow run, 1 flow, 0 deployments, " in shown
    assert "weekly      True" in shown
    assert [path.name for path in tmp_path.iterdir()] == ["home"]
    assert "send-digest / every-morning, " in shown and " are stuck. " in shown
    assert "build-warehouse / nightly got slower" in shown
    assert report.read_text("utf-8").count("<svg") > 10
