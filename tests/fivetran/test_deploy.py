"""`fivetran deploy` and `fivetran package create`: what they upload, and that the package runs on its own."""

from __future__ import annotations

import io
import json
import shutil
import subprocess
import sys
import zipfile
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from dev.testbed.fivetran_api import DESTINATION, FivetranApi
from dev.testbed.history import History, read_all
from dev.testbed.prefect_server import PrefectServer
from tests import effort
from tests.fivetran.project import PROJECT, CommandResult, UserProject
from tests.forks import Forks
from tests.specs import edited

KEY = "Zm9vOmJhcg=="
SECRET = "CANARY-PREFECT-KEY"
MOST_BYTES = 350_000
BESIDES = {
    "README.md",
    "CHANGELOG.md",
    "CONTRIBUTING.md",
    "LICENSE",
    "Makefile",
    "configuration.json.example",
    ".gitignore",
    "configuration_form.pb",
}


@pytest.fixture(scope="module")
def working_copy(forks: Forks, tmp_path_factory: pytest.TempPathFactory) -> UserProject:
    """The repository as checked out and used: its files, and those that a user's commands create."""
    folder = tmp_path_factory.mktemp("deploy") / "connector"
    listed = ["git", "ls-files", "--cached", "--others", "--exclude-standard", "-z"]
    names = subprocess.run(listed, cwd=PROJECT, check=True, capture_output=True, text=True).stdout
    for name in filter(None, names.split("\0")):
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        if (PROJECT / name).exists():
            shutil.copy(PROJECT / name, folder / name)
    for name in (
        "files/state.json",
        "files/warehouse.db",
        "crash-reports/report.txt",
        ".venv/pyvenv.cfg",
        ".venv/big.py",
    ):
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(json.dumps({"secret": SECRET}), "utf-8")
    configuration = {"api_url": "http://127.0.0.1:4200/api", "api_key": SECRET}
    (folder / "configuration.json").write_text(json.dumps(configuration), "utf-8")
    return UserProject(folder, forks)


@pytest.fixture
def fivetran(working_copy: UserProject) -> Iterator[FivetranApi]:
    """Fivetran's API, as the project's `fivetran` command reaches it."""
    with FivetranApi(KEY) as api:
        api.use_in(working_copy.folder / ".home")
        yield api


def deploy(project: UserProject, *, key: str = KEY) -> CommandResult:
    """Deploy as the README describes."""
    options = ["--destination", DESTINATION, "--connection", "prefect", "--python-version", "3.12", "--yes"]
    return project.fivetran("deploy", "--api-key", key, *options, "--configuration", "configuration.json")


def make_environment(folder: Path, requirements: list[str]) -> Path:
    """Create a virtual environment and install packages, with the uv that `make setup` installs if it is there."""
    uv = PROJECT / ".venv-uv" / "bin" / "uv"
    if uv.exists():
        create: list[str | Path] = [uv, "venv", "--quiet", "--python", sys.executable, folder]
        install: list[str | Path] = [uv, "pip", "install", "--quiet", "--python", folder / "bin" / "python"]
    else:
        create = [sys.executable, "-m", "venv", folder]
        install = [folder / "bin" / "pip", "install", "--quiet", "--disable-pip-version-check"]
    subprocess.run(create, check=True, timeout=300)
    subprocess.run([*install, *requirements], check=True, timeout=300)
    return folder


def files_of(package: bytes) -> dict[str, bytes]:
    with zipfile.ZipFile(io.BytesIO(package)) as archive:
        return {name: archive.read(name) for name in archive.namelist() if not name.endswith("/")}


def test_deploy_uploads_only_the_connector(working_copy: UserProject, fivetran: FivetranApi) -> None:
    """No tests, docs, states or warehouses. Settings go to the connection and into no file."""
    # A quick run leaves the dependency check to test_debug.py.
    done = deploy(working_copy if effort.quick else replace(working_copy, forks=None))
    assert done.code == 0, done.output
    assert "Validation of pyproject.toml completed." in done.output
    assert not any(word in done.output.lower() for word in ("warning", "missing", "unused"))
    ((package, content),) = fivetran.packages.items()
    files = files_of(content)
    connector = {
        str(path.relative_to(PROJECT))
        for top in ("engine", "schemas")
        for path in (PROJECT / top).rglob("*")
        if path.is_file() and "__pycache__" not in path.parts
    }
    assert set(files) == connector | {"connector.py", "streams.yaml", "pyproject.toml"} | BESIDES
    assert len(content) < MOST_BYTES
    assert not any(SECRET.encode() in text for text in files.values())
    (connection,) = fivetran.connections.values()
    assert connection["config"]["package_id"] == package
    assert {"key": "api_key", "value": SECRET} in connection["config"]["secrets_list"]
    assert SECRET not in done.output


def test_deploy_updates_the_connection(working_copy: UserProject, fivetran: FivetranApi) -> None:
    """A changed streams.yaml arrives, and the connection stays the same."""
    assert deploy(working_copy).code == 0
    streams = working_copy.folder / "streams.yaml"
    before = streams.read_text("utf-8")
    streams.write_text(edited(before, replace={"streams.flows.description": "One row per existing flow."}), "utf-8")
    try:
        done = deploy(working_copy)
    finally:
        streams.write_text(before, "utf-8")
    assert done.code == 0, done.output
    (connection,) = fivetran.connections.values()
    newest = files_of(fivetran.packages[connection["config"]["package_id"]])
    assert b"One row per existing flow." in newest["streams.yaml"]


def test_a_rejected_key_fails_the_deployment(working_copy: UserProject, fivetran: FivetranApi) -> None:
    """Nothing is uploaded, and the exit code is not 0."""
    done = deploy(working_copy, key="d3Jvbmc6a2V5")
    assert done.code != 0
    assert "401" in done.output
    assert not fivetran.packages
    assert not fivetran.connections


def test_the_package_runs_in_a_new_environment(
    working_copy: UserProject, fivetran: FivetranApi, servers: dict[int, tuple[PrefectServer, History]], tmp_path: Path
) -> None:
    """With only the SDK and the dependencies that the package declares."""
    done = working_copy.fivetran("package", "create", "--api-key", KEY)
    assert done.code == 0, done.output
    (content,) = fivetran.packages.values()
    folder = tmp_path / "unpacked"
    with zipfile.ZipFile(io.BytesIO(content)) as archive:
        archive.extractall(folder)
    pinned = (PROJECT / "tests/requirements.txt").read_text("utf-8").splitlines()
    sdk = [line.rstrip(" \\") for line in pinned if not line.startswith((" ", "#")) and "fivetran" in line]
    environment = make_environment(tmp_path / "environment", [*sdk, str(folder)])
    for name in ("build", "prefect_fivetran_connector.egg-info"):
        shutil.rmtree(folder / name, ignore_errors=True)

    server, _ = servers[3]
    project = UserProject(folder)
    (folder / "configuration.json").write_text(json.dumps({"api_url": server.api_url}), "utf-8")
    done = project.fivetran("debug", "--configuration", "configuration.json", executables=environment / "bin")
    assert done.code == 0, done.output
    assert "missing" not in done.output.lower()
    for table in ("flows", "flow_runs", "deployments"):
        assert {key for (key,) in project.query(f"SELECT id FROM {table}")} == {
            record["id"] for record in read_all(server.api_url, table)
        }
