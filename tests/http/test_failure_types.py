"""Failures by type: those after which no other request can succeed, and those of one request."""

from __future__ import annotations

import socket
import threading
from collections.abc import Iterator
from pathlib import Path
from socketserver import BaseRequestHandler, ThreadingTCPServer
from typing import Any

import pytest

from dev.testbed.certificates import make_authority
from dev.testbed.loopback import Loopback, Reply, dead_port, rows_by_offset
from engine.failures import Failure, LimitReached, ServerDown
from engine.http.client import Client
from tests.http.full_shop import FULL_SHOP, full_shop, request_orders
from tests.shop import Lines, impatient, orders
from tests.specs import edited

pytestmark = pytest.mark.long  # they wait


@pytest.fixture
def loopback() -> Iterator[Loopback]:
    with Loopback(rows_by_offset(orders(5))) as server:
        yield server


@pytest.fixture(autouse=True)
def no_proxy_variables(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("HTTP_PROXY", "HTTPS_PROXY", "NO_PROXY", "ALL_PROXY", "REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE"):
        monkeypatch.delenv(name, raising=False)
        monkeypatch.delenv(name.lower(), raising=False)


def failure(folder: Path, url: str, *, after: int = 0, text: str = FULL_SHOP, **settings: str) -> Failure:
    """The failure of a request, after so many that succeed."""
    with Client(full_shop(folder, url, text, **settings), Lines()) as client:
        for _ in range(after):
            request_orders(client)
        with pytest.raises(Failure) as caught:
            request_orders(client)
    return caught.value


class PlainHttp(BaseRequestHandler):
    """Sends a 400 whatever it receives."""

    def handle(self) -> None:
        """Respond to one connection."""
        self.request.recv(10_000)
        self.request.sendall(b"HTTP/1.1 400 Bad Request\r\n\r\n")


def test_a_refused_connection(tmp_path: Path) -> None:
    """Nothing listens at the port, at the last attempt either."""
    down = failure(tmp_path, f"http://127.0.0.1:{dead_port()}/api")
    assert type(down) is ServerDown
    assert "gave up after 4 attempts" in str(down)


def test_a_refused_connection_and_no_retries_left(tmp_path: Path) -> None:
    """The budget of retries ends first. The server is still what is wrong."""
    text = edited(FULL_SHOP, add={"api.limits": {"retries": 1}})
    down = failure(tmp_path, f"http://127.0.0.1:{dead_port()}/api", text=text)
    assert type(down) is ServerDown
    assert "used up its 1 retries" in str(down)


def test_a_name_that_does_not_resolve(tmp_path: Path) -> None:
    """RFC 2606 reserves .invalid for names that never do."""
    assert type(failure(tmp_path, "http://shop.invalid/api")) is ServerDown


def test_a_connection_that_is_not_accepted(tmp_path: Path) -> None:
    """The queue of a server that accepts nothing is full, so the connection times out."""
    text = edited(FULL_SHOP, replace={"api.timeout.connect": "100ms", "api.retry.attempts": 1})
    with socket.socket() as listener, socket.socket() as first:
        listener.bind(("127.0.0.1", 0))
        listener.listen(0)
        first.connect(listener.getsockname())
        down = failure(tmp_path, f"http://127.0.0.1:{listener.getsockname()[1]}/api", text=text)
    assert "timed out" in str(down)
    assert type(down) is ServerDown


def test_a_certificate_that_is_not_trusted(tmp_path: Path) -> None:
    """TLS fails before any request is sent."""
    authority = make_authority(tmp_path)
    with Loopback(rows_by_offset([]), tls=authority.server) as secure:
        assert type(failure(tmp_path, secure.url)) is ServerDown


def test_a_port_that_speaks_no_tls(tmp_path: Path) -> None:
    """A web server that expects plain HTTP takes the handshake for a bad request."""
    with ThreadingTCPServer(("127.0.0.1", 0), PlainHttp) as server:
        threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True).start()
        down = failure(tmp_path, f"https://127.0.0.1:{server.server_address[1]}/api")
        server.shutdown()
    assert type(down) is ServerDown


def test_a_proxy_that_is_down(tmp_path: Path, loopback: Loopback) -> None:
    """No request gets past it."""
    assert type(failure(tmp_path, loopback.url, proxy=f"http://127.0.0.1:{dead_port()}")) is ServerDown


@pytest.mark.parametrize("limits", [{"requests": 3}, {"duration": "1ms"}], ids=["requests", "duration"])
def test_a_limit_of_the_sync(tmp_path: Path, loopback: Loopback, limits: dict[str, Any]) -> None:
    """No other request may be sent either."""
    if "duration" in limits:
        loopback.answer = lambda seen: Reply(status=500)
    text = edited(FULL_SHOP, add={"api.limits": limits})
    after = limits.get("requests", 0)
    assert type(failure(tmp_path, loopback.url, after=after, text=text)) is LimitReached


ONE_REQUEST = {
    "500": Reply(status=500),
    "hang-up": Reply(hang_up=True),
    "read timeout": Reply([], delay=3),
    "not JSON": Reply(body=b"<"),
    "409": Reply(status=409),
    "a wait that is too long": Reply(status=429, headers={"Retry-After": "9999"}),
}


@pytest.mark.parametrize("reply", ONE_REQUEST.values(), ids=ONE_REQUEST)
def test_a_failure_of_one_request(tmp_path: Path, loopback: Loopback, reply: Reply) -> None:
    """Another request may well succeed."""
    loopback.answer = lambda seen: reply
    assert type(failure(tmp_path, loopback.url, text=impatient(FULL_SHOP) if reply.delay else FULL_SHOP)) is Failure


def test_no_retries_left(tmp_path: Path, loopback: Loopback) -> None:
    """Requests that need no retry still succeed."""
    loopback.answer = lambda seen: Reply(status=500)
    text = edited(FULL_SHOP, add={"api.limits": {"retries": 1}})
    assert type(failure(tmp_path, loopback.url, text=text)) is Failure
