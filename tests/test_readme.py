"""What the README says is true: its commands exist, its examples are accepted, its sentences have their code. The
commands of docs/operations.md exist too.
"""

from __future__ import annotations

import json
import re
import shlex
import subprocess
import sys
from pathlib import Path

import pytest

from engine.spec.configuration import check_configuration
from engine.spec.load import load
from tests.readme import OPERATIONS, PROJECT, README, blocks
from tools.cli import main, parser

LINES = (line for page in (README, OPERATIONS) for block in blocks("sh", page) for line in block.splitlines())
COMMANDS = list(dict.fromkeys(line.split("#")[0].strip() for line in LINES))


def test_the_first_screen_says_it_all() -> None:
    """What it is, the two commands, one's own Prefect and adding an endpoint come before everything else."""
    first = "\n".join(README.splitlines()[:60])
    for words in ("make demo", "make test", "fivetran debug", "fivetran deploy", "python -m engine validate"):
        assert words in first


@pytest.mark.parametrize("command", [c for c in COMMANDS if c.startswith("make")])
def test_make_targets_exist(command: str) -> None:
    """Every `make` command names targets of the Makefile."""
    for target in re.findall(r"make (\w+)", command):
        subprocess.run(["make", "-n", target], cwd=PROJECT, check=True, capture_output=True)


ENGINE_COMMANDS = [shlex.split(command)[3:] for command in COMMANDS if command.startswith("python -m engine")]
OFFLINE = ("validate", "generate")


@pytest.mark.parametrize("command", [c for c in ENGINE_COMMANDS if c[0] in OFFLINE], ids=" ".join)
def test_engine_commands_run(command: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    """Every `python -m engine` command succeeds on the project as it is."""
    assert main(command) == 0


@pytest.mark.parametrize("command", [c for c in ENGINE_COMMANDS if c[0] not in OFFLINE], ids=" ".join)
def test_engine_commands_that_ask_a_server_run(
    command: list[str], configurations: dict[int, Path], capsys: pytest.CaptureFixture[str]
) -> None:
    """They do so where configuration.json names a server."""
    assert main([*command, "--configuration", str(configurations[3])]) == 0
    assert capsys.readouterr().err == ""


@pytest.mark.parametrize("command", [c for c in COMMANDS if c.startswith("fivetran")])
def test_fivetran_options_exist(command: str) -> None:
    """Every option given to `fivetran` is one that it knows. (The tests of tests/fivetran run `fivetran debug`.)"""
    _, subcommand, *options = shlex.split(re.sub(r"<(\w+)>", r"\1", command))
    fivetran = Path(sys.executable).with_name("fivetran")
    help_text = subprocess.run([fivetran, subcommand, "--help"], capture_output=True, text=True, check=True).stdout
    for option in (word for word in options if word.startswith("--")):
        assert option in help_text


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
    configuration = json.loads(blocks("json")[0])
    declared = load(PROJECT / "streams.yaml").configuration
    check_configuration(declared, configuration)
    assert configuration.keys() == declared.keys()


def test_every_setting_is_described() -> None:
    """Nobody has to look into streams.yaml to configure a connection."""
    for name in load(PROJECT / "streams.yaml").configuration:
        assert f"- `{name}`" in README


def test_numbers_in_the_text_are_those_of_the_code() -> None:
    """Where the text gives a default, the code has the same."""
    from engine.sync.writer import CHECKPOINT_ROWS, CHECKPOINT_SECONDS

    api = load(PROJECT / "streams.yaml").api
    assert f"up to {api.retry.attempts} times" in README
    assert f"up to {api.retry.retry_after_max.seconds // 60} minutes" in README
    assert f"spent {api.limits.retries} retries" in README
    assert f"more than {api.limits.body // 1024**2} MB" in README
    assert f"`overlap` ({api.lookback.seconds // 60} minutes)" in README
    assert f"every {CHECKPOINT_ROWS:,} rows or {CHECKPOINT_SECONDS:.0f} seconds" in README


ENGINE = ["validate", "check", "drift", "scaffold", "preview", "generate"]


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
