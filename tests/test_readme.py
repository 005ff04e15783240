"""README.md, CONTRIBUTING.md and docs/operations.md are true: commands run, examples are accepted, numbers are those of
the code.
"""

from __future__ import annotations

import json
import os
import re
import shlex
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from engine.spec.configuration import check_configuration
from tests.forks import Forks
from tests.readme import CONTRIBUTING, OPERATIONS, PROJECT, README, blocks
from tests.specs import shipped
from tools.cli import main, parser

LINES = (
    line for page in (README, CONTRIBUTING, OPERATIONS) for block in blocks("sh", page) for line in block.splitlines()
)
COMMANDS = list(dict.fromkeys(line.split("#")[0].strip() for line in LINES))


def test_the_first_screen_says_it_all() -> None:
    """What it is and why, the demo, one's own Prefect and adding a table come before everything else."""
    first = README.split("\n---\n")[0]
    assert len(first.splitlines()) <= 75
    for words in ("Why not a loop", "11 requests", "make demo", "fivetran debug", "fivetran deploy", "engine scaffold"):
        assert words in first
    for name in ("scaffold", "validate", "check", "preview"):
        assert f"python -m engine {name}" in first


def test_it_is_short() -> None:
    """A page that nobody reads to its end documents nothing: details have pages of their own."""
    assert len(README.split()) < 1500
    for section in README.split("\n---\n")[1].split("\n## ")[1:]:
        assert len([line for line in section.splitlines()[1:] if line]) <= 11, section


@pytest.mark.parametrize("command", [c for c in COMMANDS if c.startswith("make")])
def test_make_targets_exist(command: str) -> None:
    """Every `make` command names targets of the Makefile."""
    for target in re.findall(r"make (\w+)", command):
        subprocess.run(["make", "-n", target], cwd=PROJECT, check=True, capture_output=True)


ENGINE_COMMANDS = [command for command in COMMANDS if command.startswith("python -m engine")]


def test_engine_commands_run(tmp_path: Path, configurations: dict[int, Path]) -> None:
    """Every `python -m engine` command succeeds in a copy of the project, one after the other, as a user runs them."""
    for name in ("engine", "tools", "schemas", "docs"):
        shutil.copytree(PROJECT / name, tmp_path / name, ignore=shutil.ignore_patterns("__pycache__"))
    for name in ("streams.yaml", "configuration.json.example"):
        shutil.copy(PROJECT / name, tmp_path / name)
    shutil.copy(configurations[3], tmp_path / "configuration.json")
    assert len(ENGINE_COMMANDS) >= 5
    for command in ENGINE_COMMANDS:
        arguments = [sys.executable, *shlex.split(command)[1:]]
        done = subprocess.run(arguments, cwd=tmp_path, capture_output=True, text=True)
        assert done.returncode == 0, command + done.stdout + done.stderr


def test_fivetran_options_exist(forks: Forks, tmp_path: Path) -> None:
    """Every option given to `fivetran` is one that it knows. (The tests of tests/fivetran run `fivetran debug`.)"""
    commands = [
        shlex.split(re.sub(r"<(\w+)>", r"\1", command)) for command in COMMANDS if command.startswith("fivetran")
    ]
    assert len(commands) >= 3
    fivetran = str(Path(sys.executable).with_name("fivetran"))
    for _, subcommand, *options in commands:
        done = forks.python(fivetran, subcommand, "--help", folder=tmp_path, environment=os.environ)
        assert done.returncode == 0
        assert [word for word in options if word.startswith("--") and word not in done.stdout.decode()] == []


def test_the_error_message_is_what_validate_prints(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """The example of a mistake, made for real."""
    text = (PROJECT / "streams.yaml").read_text("utf-8")
    (tmp_path / "streams.yaml").write_text(text.replace("{style: offset,", "{style: ofset,", 1), "utf-8")
    monkeypatch.chdir(tmp_path)
    assert main(["validate", "streams.yaml"]) == 1
    assert capsys.readouterr().out == blocks("text")[0]


def test_the_configuration_is_accepted() -> None:
    """The example of a configuration passes the check, and names every setting."""
    configuration = json.loads(blocks("json", OPERATIONS)[0])
    declared = shipped().configuration
    check_configuration(declared, configuration)
    assert configuration.keys() == declared.keys()


def test_every_setting_is_described() -> None:
    """Nobody has to look into streams.yaml to configure a connection."""
    for name in shipped().configuration:
        assert f"`{name}`" in README and f"- `{name}`" in OPERATIONS


def test_numbers_in_the_text_are_those_of_the_code() -> None:
    """Where the text gives a default, the code has the same."""
    from engine.sync.writer import CHECKPOINT_ROWS, CHECKPOINT_SECONDS

    api = shipped().api
    assert f"up to {api.retry.attempts} times" in README
    assert f"up to {api.retry.retry_after_max.seconds // 60} minutes" in README
    assert f"{api.limits.retries} retries spent" in README
    assert f"more than {api.limits.body // 1024**2} MB" in README
    assert f"`lookback` ({api.lookback.seconds // 60} minutes)" in README
    assert f"every {CHECKPOINT_ROWS:,} rows or {CHECKPOINT_SECONDS:.0f} seconds" in README


def test_the_tables_are_counted() -> None:
    """Both counts change when a stream is added: all tables, and those that the first lines do not name."""
    tables = len(shipped().streams)
    assert f"[{tables} tables](docs/streams.md)" in README
    named = re.search(r"with Fivetran: (.*?) and \[(\d+) more tables]\(docs/streams.md\)", README, re.DOTALL)
    assert named is not None
    assert len(named[1].split(",")) + int(named[2]) == tables


ENGINE = ["validate", "check", "scaffold", "preview", "report", "generate"]


@pytest.mark.parametrize("command", [[], *([name] for name in ENGINE)])
def test_every_command_has_help_with_examples(command: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    """--help ends with code 0 and shows how the command is used."""
    with pytest.raises(SystemExit) as ended:
        main([*command, "--help"])
    assert ended.value.code == 0
    text = capsys.readouterr().out
    assert "python -m engine" in text
    assert not command or "examples:" in text


@pytest.mark.parametrize("name", ENGINE)
def test_the_examples_of_the_help_are_understood(name: str, capsys: pytest.CaptureFixture[str]) -> None:
    """Every example that --help shows is a command line that the parser takes."""
    with pytest.raises(SystemExit):
        main([name, "--help"])
    shown = re.findall(r"^  python -m engine (.+?)(?:  .*|\||$)", capsys.readouterr().out, re.MULTILINE)
    assert shown
    for example in shown:
        parser().parse_args(shlex.split(example))
