"""A token against forged requests: fetched when the server wants one, shared by all threads."""

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
"""Sends the request and answers with what the second argument makes of the JSON; raises Failure."""


class CsrfToken:
    """The token of one client. A server that knows the client forgets its token when it is asked for another."""

    def __init__(self, declared: Csrf, fetch: Fetch) -> None:
        self.endpoint = declared.endpoint
        self._declared = declared
        self._fetch = fetch
        self._client = uuid.uuid4().hex
        self._token: str | None = None
        self._lock = threading.Lock()

    def headers(self) -> Mapping[str, str]:
        """What a request carries; nothing as long as no server has wanted a token."""
        token = self._token
        if token is None:
            return {}
        return {self._declared.token_header: token, self._declared.client_header: self._client}

    def renew(self, refused: Mapping[str, str]) -> bool:
        """A server refused a request that carried these headers: whether there are others to try.

        Raises:
            Failure: a token could not be fetched.
        """
        with self._lock:
            if self.headers() != refused:
                return True  # another thread has renewed it meanwhile
            request = Request(self.endpoint, {self._declared.client_parameter: self._client})
            try:
                self._token = self._fetch(request, self._read)
            except (NotFound, RequestRejected):
                return False  # no such protection here; the server's words about the refused request say what is wrong
            except Unauthorized as failure:
                if failure.status == 401:
                    raise  # who asks is not known: that, and no missing token, is what is wrong
                return False
            return True

    def _read(self, document: Any) -> str:
        token = self._declared.token.get(document)
        if not isinstance(token, str) or not token.isascii() or not token.isprintable() or not token:
            raise UnexpectedShape(f"something that holds no token at {self._declared.token.text}")
        return token
