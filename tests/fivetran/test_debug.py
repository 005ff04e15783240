"""`fivetran debug` against a loopback server: its dependency check, errors, and no secret in its output."""

from __future__ import annotations

import base64
import json
import os
import re
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from dev.testbed.loopback import Loopback, Reply, Seen, rows_by_offset
from dev.testbed.proxy import Proxy
from tests.fivetran.project import PROJECT, UserProject
from tests.forks import Forks

CANARY = "pnu_CANARY0123456789abcdef"
UPDATED = "2024-05-01T10:00:00Z"


def answer(seen: Seen) -> Reply:
    """An API with one flow and nothing else."""
    rows: list[dict[str, Any]] = (
        [{"id": "1", "name": "f", "tags": [], "updated": UPDATED}] if "/flows/" in seen.path else []
    )
    return rows_by_offset(rows)(seen)


@pytest.fixture
def loopback() -> Iterator[Loopback]:
    with Loopback(answer) as server:
        yield server


def test_the_dependency_check_passes(loopback: Loopback, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Fivetran's CLI finds no missing, unused or unpinned dependency, also without a registry.

    It checks the whole project as checked out, tests included. What it cannot find on disk it looks up in a registry;
    where there is none, each `fivetran debug` waits for it and then complains.
    """
    checkout = tmp_path / "checkout"
    checkout.mkdir()
    for path in PROJECT.iterdir():
        if path.name not in {"files", "configuration.json", ".git"}:
            (checkout / path.name).symlink_to(path)
    configuration = {"api_url": loopback.url, "api_key": "", "streams": "flows"}
    project = UserProject(checkout)
    (checkout / "configuration.json").write_text(json.dumps(configuration))
    with Proxy(credentials="no one's") as no_network:
        for name in ("HTTP_PROXY", "HTTPS_PROXY", "http_proxy", "https_proxy"):
            monkeypatch.setenv(name, f"http://{no_network.address}")
        monkeypatch.setenv("NO_PROXY", "127.0.0.1,localhost")
        done = project.debug()
    assert done.code == 0, done.output
    for complaint in ("pipreqs", "requirements", "stable version", "not needed", "Include the following"):
        assert complaint not in done.output
    assert re.findall("(?:WARNING|SEVERE).*", done.output) == []


def test_the_connector_runs_from_any_folder(forks: Forks, tmp_path: Path) -> None:
    """Fivetran runs it from another folder, so it opens its files relative to connector.py."""
    project = UserProject.create(tmp_path / "connector", {})
    done = run(
        forks,
        tmp_path,
        "sys.path.append(sys.argv[1]); import connector\nprint([table['table'] for table in connector.schema({})])",
        project.folder,
    )
    assert b"['flow_runs', 'flows', 'deployments', 'task_runs'," in done.stdout, done.stderr


def test_an_installed_package_named_engine_is_not_imported(forks: Forks, tmp_path: Path) -> None:
    """The SDK appends the project to sys.path; connector.py puts it first."""
    impostor = tmp_path / "site" / "engine"
    impostor.mkdir(parents=True)
    (impostor / "__init__.py").write_text("raise RuntimeError('the wrong engine')")
    code = "sys.path[:0] = [sys.argv[1]]; sys.path.append(sys.argv[2]); import connector; print('right')"
    done = run(forks, tmp_path, code, tmp_path / "site", PROJECT)
    assert done.stdout == b"right\n", done.stderr


FORGET_THE_ENGINE = """
import sys
for name in [name for name in sys.modules if name.partition(".")[0] == "engine"]:
    del sys.modules[name]
"""


def run(forks: Forks, folder: Path, code: str, *arguments: Path) -> subprocess.CompletedProcess[bytes]:
    """Run lines of Python in a folder, in a process that has not imported an engine."""
    script = folder / "script.py"
    script.write_text(f"{FORGET_THE_ENGINE}\n{code}", "utf-8")
    return forks.python(str(script), *map(str, arguments), folder=folder, environment=os.environ)


def test_configuration_errors_are_reported_without_values(loopback: Loopback, forks: Forks, tmp_path: Path) -> None:
    """All at once and before any request, with the setting's name. No value is in the output or in a file."""
    wrong = {
        "api_url": f"ftp://{CANARY}",
        "api_key": f"{CANARY} ",
        "batch_size": "201",
        "api_kye": CANARY,
        "streams": "all, flos",
    }
    project = UserProject.create(tmp_path / "connector", wrong, forks)
    done = project.debug()
    assert done.code != 0
    mistakes = ("api_url: expected", "api_key: expected", "batch_size: expected", "api_kye: unknown setting")
    for mistake in (*mistakes, "streams: item 2 is not a stream"):
        assert re.search(rf"SEVERE.*{mistake}", done.output), done.output
    assert "an integer from 1 to 200" in done.output
    assert_no_canary(project, done.output)
    assert loopback.seen == []


@pytest.mark.parametrize("statuses", [(401,), (403, 422, 429, 500)])
def test_a_failed_sync_shows_no_key(
    loopback: Loopback, forks: Forks, tmp_path: Path, statuses: tuple[int, ...]
) -> None:
    """Not in the output, the crash report or the state, even if the server repeats the key."""
    loopback.answer = failing(statuses)
    project = UserProject.create(tmp_path / "connector", {"api_url": loopback.url, "api_key": CANARY}, forks)
    output = failed(project, statuses)
    assert loopback.seen[0].headers["Authorization"] == f"Bearer {CANARY}"
    assert_no_canary(project, output)


def test_a_failed_sync_shows_no_secret_setting(loopback: Loopback, forks: Forks, tmp_path: Path) -> None:
    """Neither the auth string, plain or in Base64, nor a header's value, though the server repeats all headers."""
    statuses = (200, 403, 422)
    loopback.answer = failing(statuses)
    settings = {"auth_string": f"me:{CANARY} user", "headers": f"X-Id: {CANARY}-id; X-Secret: {CANARY}-secret"}
    project = UserProject.create(tmp_path / "connector", {"api_url": loopback.url, **settings}, forks)
    output = failed(project, statuses)
    encoded = base64.b64encode(settings["auth_string"].encode()).decode()
    assert loopback.seen[0].headers["Authorization"] == f"Basic {encoded}"
    assert loopback.seen[0].headers["X-Secret"] == f"{CANARY}-secret"
    assert_no_canary(project, output, CANARY, encoded.rstrip("="))


STREAMS = ("flow_runs", "flows", "deployments", "work_pools")


def failing(statuses: tuple[int, ...]) -> Callable[[Seen], Reply]:
    """An API that repeats every header, with a status for each stream."""

    def answer(seen: Seen) -> Reply:
        status = next((s for name, s in zip(STREAMS, statuses, strict=False) if f"/{name}/" in seen.path), 404)
        document = {"detail": dict(seen.headers), "secret": f"{CANARY} user"}
        return Reply(document, status=status, headers={"Retry-After": "9999"})

    return answer


def failed(project: UserProject, statuses: tuple[int, ...]) -> str:
    """The output of a sync in which each stream fails with its status."""
    project.configure(project.configuration | {"streams": ", ".join(STREAMS[: len(statuses)])})
    project.edit_streams(add={"api.retry": {"attempts": 2, "wait_initial": "1ms"}})
    done = project.debug()
    assert done.code != 0
    assert [status for status in statuses if f"returned {status}" not in done.output] == []
    return done.output


def test_unusual_json_is_stored_or_replaced_with_a_warning(loopback: Loopback, forks: Forks, tmp_path: Path) -> None:
    """Numbers of 60 digits, NaN, NUL characters, unpaired surrogates, deep nesting: none causes a traceback."""
    deep = "[" * 200 + "]" * 200
    tags = f'{{"long": {"9" * 60}, "nan": NaN, "nul": "a\\u0000b", "half": "\\ud83d", "deep": {deep}}}'
    row = f'{{"id": "1", "name": "a\\u0000b", "updated": "{UPDATED}", "tags": {tags}}}'
    loopback.answer = lambda seen: (
        Reply(body=f"[{row}]".encode())
        if "/flows/" in seen.path and not seen.json.get("offset")
        else rows_by_offset([])(seen)
    )
    configuration = {"api_url": loopback.url, "streams": "flows"}
    project = UserProject.create(tmp_path / "connector", configuration, forks)
    done = project.debug()
    assert done.code == 0, done.output
    for words in ("could not be stored", "contained NUL characters", "contained an unpaired surrogate"):
        assert words in done.output
    ((name, stored),) = project.query("SELECT name, CAST(tags AS VARCHAR) FROM flows")
    assert name == "ab"
    expected = {"long": int("9" * 60), "nan": None, "nul": "ab", "half": "\ufffd", "deep": json.loads(deep)}
    assert json.loads(stored) == expected


def assert_no_canary(project: UserProject, output: str, *canaries: str) -> None:
    """Check that no secret is in the output, or in a file other than the configuration."""
    for canary in canaries or (CANARY,):
        assert canary not in output
        for path in project.folder.rglob("*"):
            if path.is_file() and path.name != "configuration.json":
                assert canary.encode() not in path.read_bytes(), path


def test_errors_in_streams_yaml_are_reported_with_line_and_column(
    loopback: Loopback, forks: Forks, tmp_path: Path
) -> None:
    """`fivetran debug` prints the same lines as `validate`."""
    project = UserProject.create(tmp_path / "connector", {"api_url": loopback.url, "api_key": ""}, forks)
    project.edit_streams(replace={"streams.deployments.sync_mode": "full"})
    done = project.debug()
    assert done.code != 0
    assert 'streams.deployments.sync_mode: "full" is not a sync mode; did you mean "full_refresh"?' in done.output
    assert re.search(r"streams\.yaml:\d+:\d+ streams\.deployments", done.output)


def test_a_state_of_another_shape_fails_the_sync(loopback: Loopback, forks: Forks, tmp_path: Path) -> None:
    """The error says what to do. To ignore the state would silently re-read everything."""
    project = UserProject.create(tmp_path / "connector", {"api_url": loopback.url, "api_key": ""}, forks)
    files = project.folder / "files"
    files.mkdir()
    (files / "state.json").write_text(json.dumps({"flow_runs_cursor": "2024-01-01T00:00:00Z"}))
    done = project.debug()
    assert done.code != 0
    assert "reset the state (a historical re-sync)" in done.output
    assert loopback.seen == []
