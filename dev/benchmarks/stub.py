"""An API that costs next to nothing: it serves a list by limit and offset from JSON that is made in advance.

It does not run in the measured process, and spends a few microseconds per row.
"""

from __future__ import annotations

import json
import socketserver
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from email.utils import formatdate

from dev.benchmarks.records import page

PAGE_LIMIT = 200  # as on Prefect's servers


@contextmanager
def stub(count: int) -> Iterator[str]:
    """Serve a list of records; the value is the URL.

    POST ``{"limit": n, "offset": m}`` to any path below it returns a page; pages after the last record are empty.
    """
    with _Server(("127.0.0.1", 0), _Connection) as server:
        server.count = count
        threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True).start()
        try:
            yield f"http://127.0.0.1:{server.server_address[1]}/api"
        finally:
            server.shutdown()


class _Server(socketserver.ThreadingTCPServer):
    daemon_threads = True
    count = 0


class _Connection(socketserver.StreamRequestHandler):
    server: _Server
    disable_nagle_algorithm = True

    def handle(self) -> None:
        while self.rfile.readline():
            length = 0
            while (line := self.rfile.readline().strip().lower()) != b"":
                if line.startswith(b"content-length:"):
                    length = int(line.partition(b":")[2])
            wanted = json.loads(self.rfile.read(length) or b"{}")
            limit, offset = min(wanted.get("limit", PAGE_LIMIT), PAGE_LIMIT), wanted.get("offset", 0)
            body = page(offset, max(0, min(limit, self.server.count - offset)))
            self.wfile.write(
                b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nDate: %s\r\nContent-Length: %d\r\n\r\n"
                % (formatdate(usegmt=True).encode(), len(body))
                + body
            )
