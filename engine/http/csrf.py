"""A CSRF token: fetched when the server requires one, and shared by all threads."""

from __future__ import annotations

import threading
import uuid
from collections.abc import Callable, Mapping
from typing import Any

from engine.failures import NotFound, RequestRejected, Unauthorized
from engine.http.decoding import UnexpectedShape
from engine.requests import Request
from engine.spec.dialect import Csrf

Fetch = Callable[[Request, Callable[[Any], Any]], str]
"""Sends a request and returns what the second argument extracts from the decoded JSON; raises Failure."""


class CsrfToken:
    """The token of one client. There can be only one: a new token for the same client invalidates the one before it."""

    def __init__(self, declared: Csrf, fetch: Fetch) -> None:
        self.endpoint = declared.endpoint
        self._declared = declared
        self._fetch = fetch
        self._client = uuid.uuid4().hex
        self._token: str | None = None
        self._lock = threading.Lock()

    def headers(self) -> Mapping[str, str]:
        """The headers to send; empty until the server has required a token."""
        token = self._token
        if token is None:
            return {}
        return {self._declared.token_header: token, self._declared.client_header: self._client}

    def renew(self, rejected: Mapping[str, str]) -> bool:
        """Fetch a new token after a 403; return whether it is worth sending the request again.

        Args:
            rejected: The token headers that the rejected request carried.

        Raises:
            Failure: the token could not be fetched.
        """
        with self._lock:
            if self.headers() != rejected:
                return True  # another thread has renewed it in the meantime
            request = Request(self.endpoint, {self._declared.client_parameter: self._client})
            try:
                self._token = self._fetch(request, self._read)
            except (NotFound, RequestRejected):
                return False  # the server has no CSRF protection: the first response says what is wrong
            except Unauthorized as failure:
                if failure.status == 401:
                    raise  # the credentials are wrong, not the token
                return False
            return True

    def _read(self, document: Any) -> str:
        token = self._declared.token.get(document)
        if not isinstance(token, str) or not token.isascii() or not token.isprintable() or not token:
            raise UnexpectedShape(f"no token at {self._declared.token.text}")
        return token
