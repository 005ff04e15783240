"""The setup form: `fivetran configuration` as a user runs it."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from dev.testbed.loopback import Loopback, Reply, Seen, dead_port, rows_by_offset
from dev.testbed.prefect_server import PrefectServer
from tests.fivetran.project import UserProject
from tests.forks import Forks
from tests.specs import shipped

CANARY = "CANARY-0123456789"
AUTH_STRING = f"admin:{CANARY}"
TESTS = ("settings_are_valid", "server_responds", "key_is_accepted", "tables_are_readable")


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[PrefectServer]:
    environment = {
        "PREFECT_SERVER_API_AUTH_STRING": AUTH_STRING,
        "PREFECT_SERVER_UI_ENABLED": "true",
        "PREFECT_SERVER_UI_STATIC_DIRECTORY": str(tmp_path_factory.mktemp("ui")),
    }
    with PrefectServer(3, environment=environment) as started:
        yield started


def run_setup_tests(forks: Forks, folder: Path, configuration: dict[str, str]) -> tuple[int, tuple[str, ...], str]:
    """Run `fivetran configuration --test`. Return its exit code, the setup tests that passed, and its output."""
    project = UserProject.create(folder, configuration, forks)
    done = project.fivetran("configuration", "--test")
    assert CANARY not in done.output
    assert "Traceback" not in done.output
    lines = [line for line in done.output.splitlines() if line.rstrip().endswith("PASSED")]
    passed = tuple(name for name in TESTS if any(f"[{name} - " in line for line in lines))
    return done.code, passed, done.output


@pytest.mark.prefect
def test_a_valid_configuration_passes(server: PrefectServer, forks: Forks, tmp_path: Path) -> None:
    """All setup tests pass on a real server, and its version is logged."""
    code, passed, output = run_setup_tests(
        forks, tmp_path / "p", {"api_url": server.api_url, "auth_string": AUTH_STRING}
    )
    assert (code, passed) == (0, TESTS), output
    assert "the server is Prefect 3." in output
    assert "All tests passed!" in output


@pytest.mark.prefect
@pytest.mark.parametrize("settings", [{"auth_string": f"admin:{CANARY}x"}, {"api_key": CANARY}, {}])
def test_a_wrong_key_fails_with_a_remedy(
    server: PrefectServer, forks: Forks, tmp_path: Path, settings: dict[str, str]
) -> None:
    """The server responds. The next setup test fails and names the setting to check."""
    code, passed, output = run_setup_tests(forks, tmp_path / "p", {"api_url": server.api_url, **settings})
    assert (code, passed) == (1, TESTS[:2]), output
    assert "returned 401 Unauthorized" in output
    setting = next(iter(settings), None)
    remedy = f"{setting} in the configuration is valid" if setting else "set api_key and auth_string"
    assert remedy in output


@pytest.mark.prefect
def test_a_url_without_api_fails_with_a_remedy(server: PrefectServer, forks: Forks, tmp_path: Path) -> None:
    """No endpoint exists there. The message names the setting and what its URL lacks."""
    url = server.api_url.removesuffix("/api")
    code, passed, output = run_setup_tests(forks, tmp_path / "p", {"api_url": url, "auth_string": AUTH_STRING})
    assert (code, passed) == (1, TESTS[:1]), output
    assert "none of the endpoints exists" in output
    assert "Check api_url in the configuration (api_url: this URL has no /api in its path" in output


def test_an_unreachable_server_fails_with_a_remedy(forks: Forks, tmp_path: Path) -> None:
    """The message says that the connection was refused, and names the setting to check."""
    code, passed, output = run_setup_tests(forks, tmp_path / "p", {"api_url": f"http://127.0.0.1:{dead_port()}/api"})
    assert (code, passed) == (1, TESTS[:1])
    assert "Connection refused" in output
    assert "api_url in the configuration" in output


def test_invalid_settings_and_an_invalid_streams_yaml_fail(forks: Forks, tmp_path: Path) -> None:
    """The first setup test reports every mistake in the settings. An invalid streams.yaml makes no form."""
    code, passed, output = run_setup_tests(
        forks, tmp_path / "p", {"api_url": "https://api.prefect.cloud/api", "api_key": f"{CANARY} "}
    )
    assert (code, passed) == (1, ())
    assert "api_url: expected" in output
    assert "accounts/ACCOUNT_ID/workspaces/WORKSPACE_ID" in output
    assert "api_key: expected" in output
    project = UserProject(tmp_path / "p", forks)
    project.edit_streams(replace={"streams.deployments.sync_mode": "full"})
    done = project.fivetran("configuration", "--test")
    assert done.code == 1
    assert '"full" is not a sync mode' in done.output


def test_an_unreadable_table_fails_by_name(forks: Forks, tmp_path: Path) -> None:
    """The last setup test requests the smallest page of each table and names the tables that fail."""

    def answer(seen: Seen) -> Reply:
        if seen.path.endswith("/version"):
            return Reply("1.2.3")
        if seen.path.endswith("/csrf-token"):
            return Reply({"detail": "CSRF protection is disabled."}, status=422)
        if "deployments" in seen.path:
            return Reply({"detail": "not for you"}, status=403)
        return rows_by_offset([])(seen)

    with Loopback(answer) as loopback:
        code, passed, output = run_setup_tests(forks, tmp_path / "p", {"api_url": loopback.url})
        requested = [seen.json for seen in loopback.seen if seen.path.endswith("deployments/filter")]
    assert (code, passed) == (1, TESTS[:3]), output
    assert "deployments: POST /deployments/filter" in output
    assert "not for you" in output
    assert [body["limit"] for body in requested] == [2]  # offset pages overlap by one row, so they have at least two


def test_the_form_has_every_setting(forks: Forks, tmp_path: Path) -> None:
    """In the order of streams.yaml, with its descriptions. Secrets are typed without echo and saved encrypted."""
    project = UserProject.create(tmp_path / "p", {}, forks)
    (project.folder / "configuration.json").unlink()
    declared = shipped().configuration
    answers = {"api_url": "http://h/api", "api_key": CANARY}
    done = project.fivetran("configuration", stdin="".join(f"{answers.get(name, '')}\n" for name in declared))
    assert done.code == 0, done.output
    at = -1
    for name, setting in declared.items():
        kind = "Password" if setting.secret else "PlainText"
        line = next(line for line in done.output.splitlines() if line.startswith(f"<{name} [{kind}]"))
        assert setting.description in line
        assert line.endswith("REQUIRED>") == setting.required
        assert done.output.index(line) > at
        at = done.output.index(line)
    saved = json.loads((project.folder / "configuration.json").read_text())
    assert saved.keys() == declared.keys()
    assert saved["api_url"] == "http://h/api"
    assert saved["api_key"].startswith("fivetran_encrypted:")
