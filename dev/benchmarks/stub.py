"""An API that costs next to nothing: a list of records, served by limit and offset from texts that are made beforehand.

It runs in a process other than the one that is measured, and spends a few microseconds on a row.
"""

from __future__ import annotations

import json
import socketserver
import threading
from email.utils import formatdate
from types import TracebackType

from dev.benchmarks.records import page

MOST_ROWS = 200  # to a page, as Prefect's servers have it


class Stub:
    """A server as a context manager: POST ``{"limit": n, "offset": m}`` to ``url`` plus any path. No row, no more."""

    def __init__(self, count: int) -> None:
        self._server = _Server(count)
        self.url = f"http://127.0.0.1:{self._server.server_address[1]}/api"

    def __enter__(self) -> Stub:
        threading.Thread(target=self._server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True).start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._server.shutdown()
        self._server.server_close()


class _Server(socketserver.ThreadingTCPServer):
    allow_reuse_address = True
    daemon_threads = True

    def __init__(self, count: int) -> None:
        super().__init__(("127.0.0.1", 0), _Connection)
        self._count = count

    def page(self, limit: int, offset: int) -> bytes:
        return page(offset, max(0, min(limit, MOST_ROWS, self._count - offset)))


class _Connection(socketserver.StreamRequestHandler):
    server: _Server
    disable_nagle_algorithm = True

    def handle(self) -> None:
        while self.rfile.readline():
            length = 0
            while (line := self.rfile.readline().strip().lower()) != b"":
                if line.startswith(b"content-length:"):
                    length = int(line.partition(b":")[2])
            asked = json.loads(self.rfile.read(length) or b"{}")
            body = self.server.page(asked.get("limit", MOST_ROWS), asked.get("offset", 0))
            self.wfile.write(
                b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nDate: %s\r\nContent-Length: %d\r\n\r\n"
                % (formatdate(usegmt=True).encode(), len(body))
                + body
            )
