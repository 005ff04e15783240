"""An HTTP server on 127.0.0.1 that sends whatever a test wants, including broken responses."""

from __future__ import annotations

import contextlib
import json
import socket
import ssl
import sys
import threading
import time
from collections import deque
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, Final
from urllib.parse import parse_qs, urlsplit

from requests.structures import CaseInsensitiveDict


@dataclass(frozen=True)
class Seen:
    """A received request: its decoded JSON body (``content`` has the bytes), and when it came (monotonic seconds)."""

    method: str
    path: str
    query: Mapping[str, list[str]]
    json: Any
    headers: Mapping[str, str]
    at: float
    content: bytes = b""


@dataclass(frozen=True)
class Reply:
    """What to send back.

    ``value`` is sent as JSON, unless ``body`` has the bytes. ``cut`` sends only that many bytes of the body.
    ``hang_up`` closes the connection without a response. ``delay`` waits that many seconds first. A header of None is
    not sent.
    """

    value: Any = None
    status: int = 200
    body: bytes | None = None
    headers: Mapping[str, str | None] = field(default_factory=dict)
    cut: int | None = None
    hang_up: bool = False
    delay: float = 0.0

    @property
    def content(self) -> bytes:
        """The whole body."""
        return json.dumps(self.value).encode() if self.body is None else self.body


def received(method: str, target: str, headers: Mapping[str, str], content: bytes) -> Seen:
    """A request that came now. A form in its body is not decoded."""
    address = urlsplit(target)
    is_form = headers.get("Content-Type", "").startswith(("multipart/", "application/x-www-form-urlencoded"))
    value = json.loads(content) if content and not is_form else None
    return Seen(method, address.path, parse_qs(address.query), value, headers, time.monotonic(), content)


Answerer = Callable[[Seen], Reply]


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    request_queue_size = 128
    loopback: Loopback

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Ignore clients that close the connection; any other error is a mistake in a test."""
        if not isinstance(sys.exc_info()[1], OSError):
            super().handle_error(request, client_address)


class _Server6(_Server):
    address_family = socket.AF_INET6


class _Handler(BaseHTTPRequestHandler):
    server: _Server
    raw_requestline: bytes
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True
    wbufsize = -1  # a response leaves in one write: two small ones would wait for each other's acknowledgement

    def parse_request(self) -> bool:
        """Parse the request line and the headers, in a fraction of the standard library's time."""
        self.requestline = self.raw_requestline.decode("latin-1").rstrip("\r\n")
        self.command, self.path, self.request_version = self.requestline.split(" ")
        lines = iter(lambda: self.rfile.readline().decode("latin-1").rstrip("\r\n"), "")
        headers = (line.partition(":") for line in lines)
        self.request_headers = CaseInsensitiveDict((name, value.strip()) for name, _, value in headers)
        self.close_connection = self.request_headers.get("Connection") == "close"
        return True

    def _respond(self) -> None:
        length = int(self.request_headers.get("Content-Length", 0))
        content = self.rfile.read(length)
        if len(content) < length:  # the client was killed
            self.close_connection = True
            return
        seen = received(self.command, self.path, self.request_headers, content)
        self.server.loopback.seen.append(seen)
        # A client may give up.
        with contextlib.suppress(BrokenPipeError, ConnectionResetError, ssl.SSLError):
            self._send(self.server.loopback.answer(seen))

    do_GET = do_POST = do_PATCH = do_DELETE = _respond  # noqa: N815  # the standard library calls these

    def _send(self, reply: Reply) -> None:
        if reply.delay:
            time.sleep(reply.delay)
        if reply.hang_up:
            self.close_connection = True
            return
        body = reply.content
        self.send_response_only(reply.status)
        headers: dict[str, str | None] = {
            "Date": self.date_time_string(),
            "Content-Type": "application/json",
            "Content-Length": str(len(body)),
            **reply.headers,
        }
        for name, value in headers.items():
            if value is not None:
                self.send_header(name, value)
        self.end_headers()
        self.wfile.write(body if reply.cut is None else body[: reply.cut])
        if reply.cut is not None:
            self.close_connection = True

    def log_message(self, *args: Any) -> None:
        """Log nothing."""


class Loopback:
    """A server as a context manager, on a free port; ``seen`` lists every request in order of arrival."""

    def __init__(
        self, answer: Answerer, *, port: int = 0, host: str = "127.0.0.1", tls: ssl.SSLContext | None = None
    ) -> None:
        self.answer = answer
        self.seen: list[Seen] = []
        self._server = (_Server6 if ":" in host else _Server)((host, port), _Handler)
        self._server.loopback = self
        if tls is not None:
            self._server.socket = tls.wrap_socket(self._server.socket, server_side=True)
        self._thread = threading.Thread(target=self._serve, daemon=True)
        self._closing = False
        self._address = self._server.socket.getsockname()[:2]
        name = f"[{host}]" if ":" in host else host
        self.url = f"{'https' if tls else 'http'}://{name}:{self._address[1]}/api"

    def __enter__(self) -> Loopback:
        self._thread.start()
        return self

    def __exit__(self, *exception: object) -> None:
        self._closing = True
        socket.create_connection(self._address).close()  # ends the wait for a connection
        self._thread.join()
        self._server.server_close()

    def _serve(self) -> None:
        while not self._closing:
            self._server.handle_request()


def rows_by_offset(rows: Sequence[Mapping[str, Any]], *, most: int = 200) -> Answerer:
    """Serve a list, which may change, as Prefect does: limit and offset in the body, at most ``most`` rows per page."""

    def answer(seen: Seen) -> Reply:
        if seen.path.endswith("/count"):
            return Reply(len(rows))
        body = seen.json or {}
        offset = body.get("offset", 0)
        return Reply(list(rows[offset : offset + min(body.get("limit", most), most)]))

    return answer


def first_these(faults: Iterable[Reply], then: Answerer) -> Answerer:
    """Send one of ``faults`` to each of the first requests, and proper responses to all others."""
    waiting = deque(faults)

    def answer(seen: Seen) -> Reply:
        return waiting.popleft() if waiting else then(seen)

    return answer


_DEAD: Final[list[socket.socket]] = []


def dead_port() -> int:
    """A port of 127.0.0.1 on which nothing listens. It stays taken, so that no other process can."""
    taken = socket.socket()
    taken.bind(("127.0.0.1", 0))
    _DEAD.append(taken)
    return int(taken.getsockname()[1])
