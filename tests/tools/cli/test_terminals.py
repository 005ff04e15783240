"""Every command in terminals that are not UTF-8, and with a pipe that is closed early."""

from __future__ import annotations

import io
import json
import os
from collections.abc import Iterator, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest

from dev.testbed.loopback import Loopback, rows_by_offset
from tests.effort import pairs, some
from tests.forks import Forks
from tests.readme import PROJECT
from tests.shop import STREAMS, orders
from tools.cli import main

NOTE = "🚀 naïve ‮ Привет"
OPENAPI: dict[str, Any] = {
    "openapi": "3.1.0",
    "info": {"title": f"Shop {NOTE}", "version": "1"},
    "paths": {
        "/things/filter": {
            "post": {
                "description": NOTE,
                "responses": {
                    "200": {
                        "content": {
                            "application/json": {
                                "schema": {
                                    "type": "array",
                                    "items": {
                                        "type": "object",
                                        "properties": {
                                            "id": {"type": "string", "format": "uuid"},
                                            "näme 🚀": {"type": "string", "description": NOTE},
                                        },
                                    },
                                }
                            }
                        }
                    }
                },
            }
        }
    },
}
COMMANDS = {
    "help": ["--help"],
    "help of a command": ["check", "--help"],
    "validate": ["validate", "{folder}/streams.yaml"],
    "validate a wrong file": ["validate", "{folder}/wrong.yaml"],
    "validate as JSON": ["validate", "{folder}/wrong.yaml", "--format", "json"],
    "validate for GitHub": ["validate", "{folder}/wrong.yaml", "--format", "github"],
    "check": ["check", "{folder}/streams.yaml", "--openapi", "{folder}/api.json", "--unmapped", "{configuration}"],
    "check as JSON": [
        "check",
        "{folder}/streams.yaml",
        "--openapi",
        "{folder}/api.json",
        "--offline",
        "--format",
        "json",
    ],
    "scaffold": ["scaffold", "/things/filter", "--file", "{folder}/streams.yaml", "--openapi", "{folder}/api.json"],
    "preview": ["preview", "orders", "--file", "{folder}/streams.yaml", "{configuration}"],
    "preview as JSON": ["preview", "orders", "--json", "--file", "{folder}/streams.yaml", "{configuration}"],
    "generate": ["generate", "--check"],
}


@pytest.fixture
def folder(tmp_path: Path) -> Iterator[Path]:
    """A streams.yaml, a wrong one, an OpenAPI document and a configuration, with a server of emoji."""
    (tmp_path / "streams.yaml").write_text(STREAMS, "utf-8")
    (tmp_path / "wrong.yaml").write_text(STREAMS.replace("name: Shop", f"name: Shop\n{NOTE[:1]}: {NOTE}"), "utf-8")
    (tmp_path / "api.json").write_text(json.dumps(OPENAPI), "utf-8")
    with Loopback(rows_by_offset([{**row, "note": NOTE * 9} for row in orders(20)])) as server:
        (tmp_path / "configuration.json").write_text(json.dumps({"api_url": server.url}), "utf-8")
        yield tmp_path


def command(folder: Path, arguments: Sequence[str]) -> list[str]:
    """The arguments of `python -m engine`."""
    configuration = ["--configuration", str(folder / "configuration.json")]
    given = [one for text in arguments for one in (configuration if text == "{configuration}" else [text])]
    return [text.replace("{folder}", str(folder)) for text in given]


@pytest.mark.parametrize(("name", "encoding"), pairs(COMMANDS, ["cp1252", "ascii"]))
def test_a_terminal_that_is_not_utf_8(folder: Path, name: str, encoding: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """What it cannot show is an escape, and JSON is still JSON."""
    arguments = COMMANDS[name]
    monkeypatch.chdir(PROJECT)
    content = io.BytesIO()
    terminal = io.TextIOWrapper(content, encoding)
    monkeypatch.setattr("sys.stdout", terminal)
    with suppress(SystemExit):  # of --help
        main(command(folder, arguments))
    terminal.flush()
    printed = content.getvalue().decode(encoding)
    assert printed
    if "json" in arguments:
        assert json.loads(printed)["findings"]
    if "--json" in arguments:
        assert {json.loads(line)["note"] for line in printed.splitlines()} == {NOTE * 9}
    if arguments[0] == "preview" and "--json" not in arguments:
        header, *lines = printed.splitlines()
        assert {line.index("2024") for line in lines[:10]} == {header.index("updated")}
        assert "\\U0001f680" in lines[0]


@pytest.mark.parametrize("name", some([*COMMANDS]))
def test_a_pipe_that_is_closed_early(forks: Forks, folder: Path, name: str) -> None:
    """As by head: the command ends in silence."""
    reading, writing = os.pipe()
    os.close(reading)
    engine = ["-m", "engine", *command(folder, COMMANDS[name])]
    done = forks.python(*engine, folder=PROJECT, environment=os.environ, stdout=writing)
    os.close(writing)
    assert b"Traceback" not in done.stderr
    assert b"BrokenPipe" not in done.stderr
    assert done.returncode == 0
