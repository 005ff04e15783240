"""`report` says what to do when it cannot write the page."""

from __future__ import annotations

from pathlib import Path

import pytest

from tools import cli
from tools.cli import main, report


def test_a_warehouse_that_is_not_there(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """The message names the file, and the option."""
    missing = tmp_path / "my.duckdb"
    assert main(["report", "--warehouse", str(missing)]) == 2
    assert capsys.readouterr().err == f"there is no {missing}; name the DuckDB file of a sync: --warehouse FILE\n"


def test_it_is_a_command_where_its_models_are(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A project for another API has no models of Prefect's runs."""
    monkeypatch.setattr(cli, "PROJECT", tmp_path)
    with pytest.raises(SystemExit):
        cli.parser.__wrapped__().parse_args(["report"])
    (tmp_path / "dbt").mkdir()
    assert cli.parser.__wrapped__().parse_args(["report"]).run is report.run


def test_a_period_without_end(capsys: pytest.CaptureFixture[str]) -> None:
    """Ten years have room in a chart, and no calendar has a million."""
    with pytest.raises(SystemExit) as stopped:
        main(["report", "--days", "3651"])
    assert stopped.value.code == 2
    assert capsys.readouterr().err.endswith("argument --days: expected at most 3,650\n")


def test_an_interrupted_command_is_quiet(capfd: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    """Whoever presses Ctrl-C knows why it stopped."""

    def interrupt(path: Path) -> bool:
        raise KeyboardInterrupt

    monkeypatch.setattr(Path, "is_file", interrupt)
    assert main(["report"]) == 130
    assert capfd.readouterr() == ("", "")


def test_an_environment_that_is_not_there(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """The message is the command that installs it."""
    (tmp_path / "bin").mkdir()
    (tmp_path / "bin" / "python").touch()  # an installation that was interrupted
    monkeypatch.setattr(report, "_ENVIRONMENT", tmp_path)
    (tmp_path / "my.duckdb").touch()
    assert main(["report", "--warehouse", str(tmp_path / "my.duckdb")]) == 2
    assert capsys.readouterr().err.endswith("install them into .venv-dbt: make report\n")
