"""`init` starts a project for another API: what it writes validates and syncs."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
import yaml

from dev.testbed.loopback import Loopback, Reply, Seen
from engine.spec.load import resolve
from engine.sync import sync
from tests.in_process import InProcess
from tests.shop import Lines, Recorder
from tests.tools.openapi.documents import shop
from tools.cli import main


def run(folder: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    """One of the new project's own commands."""
    environment = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}
    return subprocess.run(
        [sys.executable, "-m", "engine", *arguments],
        cwd=folder, env=environment, capture_output=True, text=True, timeout=60, check=False,
    )  # fmt: skip


@pytest.fixture(autouse=True)
def compiled(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let a new project have the compiled modules of this one: its processes would compile them again."""
    monkeypatch.setattr(shutil, "ignore_patterns", lambda *names: None)


def test_a_new_project_validates_and_syncs(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Its own commands find no mistake and no stale file, and its configuration syncs the one stream."""
    folder = tmp_path / "new"
    assert main(["init", "Acme Shop", "https://acme.example/v2/", "--folder", str(folder)]) == 0
    assert f"Acme Shop is in {folder}" in capsys.readouterr().out
    assert run(folder, "validate").stdout == "streams.yaml: no mistakes (1 stream, 2 columns)\n"
    assert run(folder, "generate", "--check").returncode == 0
    assert (folder / "streams.yaml").read_text("utf-8").count("Acme Shop") == 3
    assert json.loads((folder / "configuration.json").read_text("utf-8")) == {
        "api_url": "https://acme.example/v2",
        "api_key": "",
    }
    assert "configuration.json" in (folder / ".gitignore").read_text("utf-8").split("\n")
    assert yaml.safe_load((folder / ".github" / "workflows" / "ci.yml").read_text("utf-8"))["jobs"]
    recorder = Recorder()
    with InProcess(lambda seen: Reply([{"id": "a", "name": "A"}] if seen.query["offset"] == ["0"] else [])) as server:
        connection = resolve(folder / "streams.yaml", {"api_url": server.url, "api_key": "k3y"})
        sync(connection, {}, recorder, Lines())
    assert [row["name"] for row in recorder.tables["items"].values()] == ["A"]


def test_a_stream_can_be_scaffolded_at_once(tmp_path: Path) -> None:
    """From the API's document, in place of the stream to replace."""

    def answer(seen: Seen) -> Reply:
        return Reply(shop()) if seen.path == "/api/openapi.json" else Reply({}, status=404)

    folder = tmp_path / "new"
    with Loopback(answer) as server:
        arguments = ["init", "Shop", server.url, "--folder", str(folder), "--openapi", "/openapi.json"]
        assert main([*arguments, "--stream", "POST /orders/filter"]) == 0
    streams = yaml.safe_load((folder / "streams.yaml").read_text("utf-8"))["streams"]
    assert list(streams) == ["orders"]
    assert streams["orders"]["endpoint"] == "POST /orders/filter"


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["Shop", "shop.example"], "expected an http:// or https:// URL"),
        (["7", "https://shop.example"], "expected a name that starts with a letter"),
        (["Shop", "https://shop.example", "--stream", "GET /orders"], "--stream needs --openapi"),
        (["Shop", "https://shop.example", "--folder", "."], "exists and is not empty"),
    ],
)
def test_what_cannot_be_started_is_said(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    arguments: list[str],
    words: str,
) -> None:
    """Nothing is written then."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "mine").touch()
    assert main(["init", *arguments]) == 2
    assert words in capsys.readouterr().err
    assert [path.name for path in tmp_path.iterdir()] == ["mine"]
