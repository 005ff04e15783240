"""A server without a network: real clients and responses, and neither a socket nor HTTP between them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from http import HTTPStatus
from io import BytesIO
from json import dumps
from typing import Any
from urllib.parse import urlencode

import pytest
import requests

from dev.testbed.loopback import Answerer, Seen, received


class InProcess:
    """A server as a context manager, like :class:`Loopback`, for tests of many requests and none of HTTP.

    It answers in the client's thread, in place of requests, whose own work is most of what such a request costs.
    """

    url = "http://in-process.test/api"

    def __init__(self, answer: Answerer) -> None:
        self.answer = answer
        self.seen: list[Seen] = []
        self._patch = pytest.MonkeyPatch()

    def __enter__(self) -> InProcess:
        self._patch.setattr(
            requests.Session, "request", lambda session, *args, **options: self._send(session, *args, **options)
        )
        return self

    def __exit__(self, *exception: object) -> None:
        self._patch.undo()

    def _send(
        self,
        session: requests.Session,
        method: str,
        url: str,
        *,
        params: Sequence[tuple[str, str]],
        json: Any,
        data: Mapping[str, str] | None,
        headers: Mapping[str, str],
        **options: Any,
    ) -> requests.Response:
        assert url.startswith(self.url)
        content = b"" if json is None else dumps(json).encode()
        sent = {**{name: str(value) for name, value in session.headers.items()}, **headers}
        if data is not None:
            content, sent["Content-Type"] = urlencode(data).encode(), "application/x-www-form-urlencoded"
        seen = received(method, f"{url}?{urlencode(params)}" if params else url, sent, content)
        self.seen.append(seen)
        reply = self.answer(seen)
        response = requests.Response()
        response.status_code, response.reason = reply.status, HTTPStatus(reply.status).phrase
        returned = {"Content-Type": "application/json", **reply.headers}
        response.headers.update({name: text for name, text in returned.items() if text is not None})
        response.raw = _Content(reply.content)
        return response


class _Content(BytesIO):
    """The body of a response, which is read as urllib3's. It is never compressed."""

    def read1(self, size: int | None = -1, decode_content: bool = False) -> bytes:
        return super().read1(size)
