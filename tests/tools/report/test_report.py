"""`python -m engine report`, on the real models and in a real browser."""

from __future__ import annotations

import re
import shutil
import subprocess
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta, timezone
from pathlib import Path
from statistics import median

import duckdb
import pytest

from dev.testbed.seed import Row
from tests.readme import PROJECT
from tests.tools.report.synced import NAMES, write
from tests.tools.report.test_page import Elements
from tools.cli import main
from tools.report.words import duration

pytestmark = [pytest.mark.dbt, pytest.mark.long]

NOW = datetime(2026, 11, 26, 12, 30, tzinfo=timezone.utc)
SINCE = datetime(2026, 10, 30, tzinfo=timezone.utc)
BROWSERS = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")
SCREENSHOTS = PROJECT / "files" / "screenshots"


@dataclass(frozen=True)
class Report:
    """The page that was written, and what it was written from."""

    path: Path
    warehouse: Path
    tables: Mapping[str, list[Row]]

    @property
    def runs(self) -> list[Row]:
        """The runs of the page's period."""
        return [run for run in self.tables["flow_runs"] if SINCE <= run["expected_start_time"] <= NOW]


@pytest.fixture(scope="module")
def report(dbt: None, tmp_path_factory: pytest.TempPathFactory) -> Report:
    """A page of four weeks of runs."""
    folder = tmp_path_factory.mktemp("report")
    warehouse, page = folder / "warehouse.db", folder / "report.html"
    tables = write(warehouse, NOW)
    assert main(["report", "--warehouse", str(warehouse), "--output", str(page)]) == 0
    return Report(page, warehouse, tables)


def test_its_figures_are_those_of_the_runs(report: Report) -> None:
    """Counted again from the rows that were synced, without the models."""
    text = Elements(report.path.read_text("utf-8")).text.replace("\xa0", " ")
    states = [run["state_type"] for run in report.runs]
    failed = states.count("FAILED") + states.count("CRASHED")
    assert f"{failed:,} of {failed + states.count('COMPLETED'):,} runs failed" in text
    assert f"Prefect {len(states):,} runs of 9 flows, Oct 30 to Nov 26, 2026" in text
    seconds = median((r["end_time"] - r["start_time"]).total_seconds() for r in report.runs if r["end_time"])
    assert f"Half of the runs take less than {duration(seconds)}," in text
    late = [r["start_time"] - r["expected_start_time"] > timedelta(seconds=30) for r in report.runs if r["start_time"]]
    assert f"{sum(late):,} of {len(late):,} runs started more than 30 seconds late" in text
    assert "3 runs are stuck." in text


def test_its_figures_are_those_of_the_models(report: Report) -> None:
    """Whoever builds a dashboard on the daily metrics finds the same."""
    with duckdb.connect(str(report.warehouse), read_only=True) as connection:
        found = connection.execute(
            "SELECT date_day, completed_runs, failed_runs, crashed_runs FROM analytics_prefect.prefect__daily_metrics "
            "WHERE grouped_by = 'workspace' AND date_day BETWEEN '2026-10-30' AND '2026-11-26' ORDER BY 1 DESC"
        ).fetchall()
    html = report.path.read_text("utf-8")
    rows = re.findall(r"<th scope=row>(2026-\d\d-\d\d)</th>((?:<td class=n>[^<]*</td>)+)", html)
    cells = [(day, re.findall(r">([\d,]+)<", figures)) for day, figures in rows]
    shown = [(day, int(figures[2]), int(figures[5]), int(figures[4])) for day, figures in cells]
    assert shown == [(str(day), *counts) for day, *counts in found]


def test_it_is_small_and_hard_names_are_text(report: Report) -> None:
    """A page that is mailed around must not be large, and Prefect's names are other people's."""
    html = report.path.read_text("utf-8")
    assert len(html.encode()) < 600_000
    found = Elements(html)
    assert not {"script", "img", "link", "iframe"} & set(found.tags)
    for flow in ("send-digest", "sync-crm"):
        assert NAMES[flow] in found.text
    assert "价格 🚀" in found.text and "\u202e" not in html and "\x07" not in html


def test_a_page_that_cannot_be_written(report: Report, tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    """The message says why, and nothing is left."""
    arguments = ["report", "--no-build", "--warehouse", str(report.warehouse), "--output", str(tmp_path)]
    assert main(arguments) == 2
    assert capfd.readouterr().err == f"cannot write {tmp_path}: Is a directory\n"
    assert not list(tmp_path.parent.glob(".*.part"))


@pytest.fixture(scope="module")
def browser() -> str:
    """A Chromium, and a folder for how the page looks in it."""
    found = next(filter(None, map(shutil.which, BROWSERS)), None)
    if found is None:
        pytest.skip(f"needs a browser: none of {', '.join(BROWSERS)} is installed")
    SCREENSHOTS.mkdir(parents=True, exist_ok=True)
    return found


def browse(browser: str, page: Path, profile: Path, *options: str, size: str = "1000,900") -> tuple[str, str]:
    """Open a page in a browser without a window; returns what it prints, and its console."""
    options += ("--disable-background-networking", "--disable-component-update", "--no-first-run", "--no-sandbox")
    options += ("--disable-gpu", "--hide-scrollbars", "--enable-logging=stderr", "--allow-file-access-from-files")
    options += ("--host-resolver-rules=MAP * ~NOTFOUND",)  # no network
    options += (f"--user-data-dir={profile}", f"--window-size={size}")
    command = [browser, "--headless=new", *options, page.as_uri()]
    done = subprocess.run(command, capture_output=True, text=True, timeout=120)
    assert done.returncode == 0, done.stderr
    return done.stdout, "\n".join(line for line in done.stderr.splitlines() if "CONSOLE" in line)


def test_a_browser_shows_it_and_loads_nothing(report: Report, browser: str, tmp_path: Path) -> None:
    """No script runs and no request is tried, or its console would say so; the screenshots are kept."""
    html, console = browse(browser, report.path, tmp_path, "--dump-dom")
    assert console == ""
    found = Elements(html)
    assert "<title>Prefect: " in html and NAMES["send-digest"] in found.text
    assert found.tags.count("svg") == html.count('role="img"') >= 18
    tried = report.path.with_name("tried.html")
    tried.write_text(report.path.read_text("utf-8").replace("<main>", "<main><img src=http://127.0.0.1:9/>"), "utf-8")
    assert "Content Security Policy" in browse(browser, tried, tmp_path, "--dump-dom")[1]
    for name, options in (("light", ()), ("dark", ("--blink-settings=preferredColorScheme=0",))):
        file = SCREENSHOTS / f"{name}.png"
        file.unlink(missing_ok=True)
        browse(browser, report.path, tmp_path, f"--screenshot={file}", *options, size="1000,5200")
        assert file.stat().st_size > 50_000


def test_a_phone_shows_it_without_scrolling_sideways(report: Report, browser: str, tmp_path: Path) -> None:
    """Names without end are broken into lines, and wide tables scroll in a frame of their own."""
    frame = report.path.with_name("phone.html")
    script = "document.title = this.contentDocument.documentElement.scrollWidth"
    frame.write_text(f'<iframe src="{report.path.name}" width=390 height=5200 onload="{script}"></iframe>', "utf-8")
    html, console = browse(browser, frame, tmp_path, "--dump-dom")
    assert "<title>390</title>" in html and console == ""
    browse(browser, frame, tmp_path, f"--screenshot={SCREENSHOTS / 'phone.png'}", size="500,5300")
