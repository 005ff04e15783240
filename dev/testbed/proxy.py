"""An HTTP proxy on 127.0.0.1 that tunnels (CONNECT), asks for credentials if it is told to, and notes who came."""

from __future__ import annotations

import base64
import contextlib
import select
import socket
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any


class Proxy:
    """A proxy as a context manager; ``tunnels`` holds the address of every tunnel that it opened."""

    def __init__(self, credentials: str | None = None) -> None:
        self.tunnels: list[str] = []
        self._wanted = credentials and f"Basic {base64.b64encode(credentials.encode()).decode()}"
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), self._handler())
        self._server.daemon_threads = True
        self.address = f"127.0.0.1:{self._server.server_address[1]}"

    def __enter__(self) -> Proxy:
        threading.Thread(target=self._server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True).start()
        return self

    def __exit__(self, *exception: object) -> None:
        self._server.shutdown()
        self._server.server_close()

    def _handler(self) -> type[BaseHTTPRequestHandler]:
        proxy = self

        class Handler(BaseHTTPRequestHandler):
            def do_CONNECT(self) -> None:
                self.close_connection = True
                if proxy._wanted and self.headers.get("Proxy-Authorization") != proxy._wanted:
                    self.send_error(407)
                    return
                proxy.tunnels.append(self.path)
                host, port = self.path.rsplit(":", 1)
                with socket.create_connection((host, int(port))) as there, contextlib.suppress(OSError):
                    self.send_response(200)
                    self.end_headers()
                    _pass_on(self.connection, there)

            def log_message(self, *args: Any) -> None:
                """Say nothing."""

        return Handler


def _pass_on(one: socket.socket, other: socket.socket) -> None:
    """Pass bytes on in both directions until one side has no more."""
    while True:
        readable, _, _ = select.select([one, other], [], [], 30)
        for side in readable:
            content = side.recv(65536)
            if not content:
                return
            (other if side is one else one).sendall(content)
        if not readable:
            return
