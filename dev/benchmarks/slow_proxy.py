"""A proxy in front of an API that counts requests, and delays each of them like a distant server."""

from __future__ import annotations

import asyncio
import contextlib
import threading
from collections import Counter
from urllib.parse import urlsplit


class SlowProxy:
    """A proxy as a context manager; one thread serves all connections.

    Args:
        api_url: The API that receives the requests.
        delay: Seconds of delay of each request.

    Attributes:
        url: The API through the proxy.
        requests: The number of requests, by method and path.
    """

    def __init__(self, api_url: str, delay: float = 0.0) -> None:
        target = urlsplit(api_url)
        self._target = target.hostname, target.port
        self._path = target.path
        self._delay = delay
        self._loop = asyncio.new_event_loop()
        self._up = threading.Event()
        self._stop = asyncio.Event()
        self._thread = threading.Thread(target=self._loop.run_until_complete, args=[self._serve()], daemon=True)
        self.url = ""
        self.requests: Counter[str] = Counter()

    def __enter__(self) -> SlowProxy:
        self._thread.start()
        self._up.wait()
        return self

    def __exit__(self, *exception: object) -> None:
        self._loop.call_soon_threadsafe(self._stop.set)
        self._thread.join()
        self._loop.close()

    async def _serve(self) -> None:
        server = await asyncio.start_server(self._connected, "127.0.0.1", 0)
        self.url = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}{self._path}"
        self._up.set()
        await self._stop.wait()
        server.close()
        open_connections = asyncio.all_tasks() - {asyncio.current_task()}
        for task in open_connections:
            task.cancel()
        await asyncio.gather(*open_connections, return_exceptions=True)

    async def _connected(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        upstream, requests = await asyncio.open_connection(*self._target)
        responses = asyncio.ensure_future(_forward(upstream, writer))
        with contextlib.suppress(asyncio.IncompleteReadError, ConnectionError):
            while True:
                head = await reader.readuntil(b"\r\n\r\n")
                method, url, *_ = head.split(b" ", 2)
                self.requests[f"{method.decode()} {urlsplit(url.decode()).path.removeprefix(self._path)}"] += 1
                body = await reader.readexactly(_length(head))
                await asyncio.sleep(self._delay)
                requests.write(head + body)
        responses.cancel()
        requests.close()
        writer.close()


async def _forward(upstream: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    with contextlib.suppress(ConnectionError):
        while content := await upstream.read(1 << 18):
            writer.write(content)
            await writer.drain()
    writer.close()


def _length(head: bytes) -> int:
    for line in head.lower().split(b"\r\n"):
        if line.startswith(b"content-length:"):
            return int(line.partition(b":")[2])
    return 0
