"""A server without a network: real clients, real requests and responses, and no socket between them."""

from __future__ import annotations

from http import HTTPStatus
from io import BytesIO
from typing import Any

import pytest
import requests
from requests.adapters import HTTPAdapter
from urllib3 import HTTPResponse

from dev.testbed.loopback import Answerer, Seen, received


class InProcess:
    """A server as a context manager, like :class:`Loopback`, for tests of many requests and none of HTTP.

    It answers in the client's thread, where requests would hand a request to urllib3.
    """

    url = "http://in-process.test/api"

    def __init__(self, answer: Answerer) -> None:
        self.answer = answer
        self.seen: list[Seen] = []
        self._patch = pytest.MonkeyPatch()

    def __enter__(self) -> InProcess:
        self._patch.setattr(HTTPAdapter, "send", lambda adapter, request, **options: self._send(request))
        return self

    def __exit__(self, *exception: object) -> None:
        self._patch.undo()

    def _send(self, request: requests.PreparedRequest) -> requests.Response:
        assert request.method is not None and request.url is not None and request.url.startswith(self.url)
        body: Any = request.body or b""
        seen = received(request.method, request.url, request.headers, body)
        self.seen.append(seen)
        reply = self.answer(seen)
        sent = {"Content-Type": "application/json", **reply.headers}
        headers = {name: text for name, text in sent.items() if text is not None}
        response = requests.Response()
        response.request, response.url = request, request.url
        response.status_code, response.reason = reply.status, HTTPStatus(reply.status).phrase
        response.headers.update(headers)
        response.raw = HTTPResponse(BytesIO(reply.content), headers, reply.status, preload_content=False)
        return response
