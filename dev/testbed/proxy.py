"""An HTTP proxy on 127.0.0.1 that tunnels (CONNECT), may require credentials, and records its tunnels."""

from __future__ import annotations

import base64
import contextlib
import select
import socket
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any


class Proxy:
    """A proxy as a context manager; ``tunnels`` lists the address of every tunnel it opened."""

    def __init__(self, credentials: str | None = None) -> None:
        self.tunnels: list[str] = []
        self._required = credentials and f"Basic {base64.b64encode(credentials.encode()).decode()}"
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
                if proxy._required and self.headers.get("Proxy-Authorization") != proxy._required:
                    self.send_error(407)
                    return
                proxy.tunnels.append(self.path)
                host, port = self.path.rsplit(":", 1)
                with socket.create_connection((host, int(port))) as target, contextlib.suppress(OSError):
                    self.send_response(200)
                    self.end_headers()
                    _forward(self.connection, target)

            def log_message(self, *args: Any) -> None:
                """Log nothing."""

        return Handler


def _forward(client: socket.socket, target: socket.socket) -> None:
    """Forward bytes in both directions until one side closes."""
    while True:
        readable, _, _ = select.select([client, target], [], [], 30)
        for side in readable:
            content = side.recv(65536)
            if not content:
                return
            (target if side is client else client).sendall(content)
        if not readable:
            return
