"""Real Prefect servers with basic authentication, CSRF protection and a base path."""

from __future__ import annotations

import base64
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path

import pytest
import requests

from dev.testbed.prefect_server import PrefectServer
from engine.failures import Unauthorized
from engine.spec.load import resolve
from engine.sync import sync
from tests.shop import Lines, Recorder
from tests.specs import edited

STREAMS = Path(__file__).resolve().parents[2] / "streams.yaml"
AUTH_STRING = "admin:pass:word!"
ENVIRONMENTS = {
    3: {
        "PREFECT_SERVER_API_AUTH_STRING": AUTH_STRING,
        "PREFECT_SERVER_CSRF_PROTECTION_ENABLED": "true",
        "PREFECT_SERVER_CSRF_TOKEN_EXPIRATION": "PT2S",
        "PREFECT_SERVER_API_BASE_PATH": "/inner/prefect/api",
    },
    2: {"PREFECT_SERVER_CSRF_PROTECTION_ENABLED": "true"},
}

pytestmark = pytest.mark.prefect


@dataclass(frozen=True)
class Guarded:
    """A server and the headers that it requires."""

    server: PrefectServer
    headers: dict[str, str]

    def call(self, path: str, body: object) -> None:
        """POST with a fresh token, as another client than the connector."""
        url = self.server.api_url
        response = requests.get(f"{url}/csrf-token", params={"client": "test"}, headers=self.headers, timeout=30)
        token = {"Prefect-Csrf-Token": response.json()["token"], "Prefect-Csrf-Client": "test"}
        requests.post(f"{url}{path}", json=body, headers={**self.headers, **token}, timeout=30).raise_for_status()


@pytest.fixture(scope="module")
def guarded() -> Iterator[dict[int, Guarded]]:
    """Prefect 3 and 2, each with three flows."""
    with ExitStack() as stack, ThreadPoolExecutor(2) as pool:

        def start(major: int) -> Guarded:
            server = stack.enter_context(PrefectServer(major, environment=ENVIRONMENTS[major]))
            basic = f"Basic {base64.b64encode(AUTH_STRING.encode()).decode()}"
            guarded = Guarded(server, {"Authorization": basic} if major == 3 else {})
            for name in ("a", "b", "c"):
                guarded.call("/flows/", {"name": name})
            return guarded

        yield dict(zip(ENVIRONMENTS, pool.map(start, ENVIRONMENTS), strict=True))


def run(server: PrefectServer, settings: dict[str, str], path: Path = STREAMS) -> tuple[Recorder, Lines]:
    """Sync three streams into a new recorder."""
    recorder, lines = Recorder(), Lines()
    settings = {"api_url": server.api_url, "streams": "flow_runs, flows, deployments", **settings}
    sync(resolve(path, settings), {}, recorder, lines)
    return recorder, lines


@pytest.mark.parametrize("major", ENVIRONMENTS)
def test_a_guarded_server_is_synced(guarded: dict[int, Guarded], major: int) -> None:
    """With the server's auth string, and with CSRF tokens fetched as required, there is no warning."""
    recorder, lines = run(guarded[major].server, {"auth_string": AUTH_STRING if major == 3 else ""})
    assert {row["name"] for row in recorder.tables["flows"].values()} == {"a", "b", "c"}
    assert lines.warnings == []


@pytest.mark.parametrize("settings", [{}, {"auth_string": "admin:wrong"}, {"api_key": AUTH_STRING.encode().hex()}])
def test_wrong_credentials_fail_with_the_setting(guarded: dict[int, Guarded], settings: dict[str, str]) -> None:
    """No credentials, another auth string, or an API key in its place: the failure names the setting, not its value."""
    with pytest.raises(Unauthorized, match="returned 401 Unauthorized") as caught:
        run(guarded[3].server, settings)
    name = next(iter(settings), "set api_key and auth_string")
    assert name in str(caught.value)
    assert "wrong" not in str(caught.value)


def test_an_expired_token_is_renewed(guarded: dict[int, Guarded], tmp_path: Path) -> None:
    """A sync that takes longer than the two seconds of a token continues with a new one."""
    path = tmp_path / "streams.yaml"
    slow = {"api.rate_limit": {"requests": 1, "per": "1s"}}
    path.write_text(edited(STREAMS.read_text("utf-8"), add=slow), "utf-8")
    began = time.monotonic()
    recorder, lines = run(guarded[3].server, {"auth_string": AUTH_STRING}, path)
    assert time.monotonic() - began > 3
    assert {row["name"] for row in recorder.tables["flows"].values()} == {"a", "b", "c"}
    assert lines.warnings == []
