"""A CSRF token: fetched when the server requires one, and shared by all threads."""

from __future__ import annotations

import uuid
from collections.abc import Callable
from typing import Any

from engine.authentication.credentials import Credentials
from engine.failures import NotFound, RequestRejected, Unauthorized
from engine.http.decoding import UnexpectedShape
from engine.http.renewable import RenewableToken
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
        self._token = RenewableToken(self._fetch_token)

    def credentials(self) -> Credentials:
        """The headers to send; none until the server has required a token."""
        return self._token.held

    def renew(self, status: int, rejected: Credentials) -> bool:
        """Fetch a new token after a 403; return whether it is worth sending the request again.

        Raises:
            Failure: the token could not be fetched.
        """
        if status != 403:
            return False
        try:
            self._token.renewed(rejected)
        except (NotFound, RequestRejected):
            return False  # the server has no CSRF protection: the first response says what is wrong
        except Unauthorized as failure:
            if failure.status == 401:
                raise  # the credentials are wrong, not the token
            return False
        return True

    def _fetch_token(self) -> Credentials:
        declared = self._declared
        token = self._fetch(Request(self.endpoint, {declared.client_parameter: self._client}), self._read)
        return Credentials({declared.token_header: token, declared.client_header: self._client})

    def _read(self, document: Any) -> str:
        token = self._declared.token.get(document)
        if not isinstance(token, str) or not token.isascii() or not token.isprintable() or not token:
            raise UnexpectedShape(f"no token at {self._declared.token.text}")
        return token
