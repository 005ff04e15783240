"""Authentication style ``login``: a session token for a user and a password, or whatever the server asks for."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, ClassVar

from engine.authentication.basic import CREDENTIALS, basic
from engine.authentication.credentials import Credentials
from engine.authentication.token import TOKEN_ENDPOINT, Token, TokenRequest, header_key, prefix_key, usable
from engine.declare.blocks import key
from engine.declare.response import RESPONSE_PLACE, ResponsePlace
from engine.declare.types import Endpoint
from engine.declare.values import JsonObject, JsonValue, MapOf, Text


@dataclass(frozen=True, kw_only=True)
class Login:
    """A token that the server issues for a login.

    The connector logs in before the first request, and again if the server rejects the token (401): once for all
    requests. The token is never stored. A wrong password is sent once, so that no account is locked.
    """

    required_one_of: ClassVar = ("body", "form", "credentials")

    endpoint: Endpoint | None = key(
        TOKEN_ENDPOINT,
        "Takes the login: `POST /login` below the base URL, or `POST https://login.example/login`, which gets none of "
        "the api's headers.",
    )
    body: Mapping[str, JsonValue] | None = key(
        JsonObject(), "The login as JSON. A login with an empty string in it is empty.", default=None, secret=True
    )
    form: Mapping[str, str] | None = key(
        MapOf("field", Text(needs_all=True)), "The login as a form.", default=None, secret=True
    )
    pair: str | None = key(
        CREDENTIALS, "user:password, sent in an Authorization header.", name="credentials", default=None, secret=True
    )
    token: ResponsePlace = key(RESPONSE_PLACE, "Where the response has the token.")
    header: str = header_key()
    prefix: str = prefix_key()

    def request(self) -> TokenRequest | None:
        """The login; None if a value of it is empty."""
        body = self.body if self.form is None else self.form
        if self.endpoint is None or self.pair == "" or _has_empty(body):
            return None
        headers = {} if self.pair is None else {"Authorization": basic(self.pair)}
        return TokenRequest(self.endpoint, headers, body, is_form=self.form is not None)

    def read(self, headers: Mapping[str, str], document: Callable[[], Any]) -> Token:
        """The token in a response."""
        return Token(usable(self.token.value(headers, document), self.token.where))

    def carry(self, token: str) -> Credentials:
        """The header with a token."""
        return Credentials({self.header: f"{self.prefix}{token}"})


def _has_empty(value: Any) -> bool:
    """Whether a string in a value, at any depth, is empty.

    >>> [_has_empty(value) for value in (None, {"user": {"names": ["a", ""]}}, {"user": {"names": ["a"], "age": None}})]
    [False, True, False]
    """
    if isinstance(value, Mapping):
        return any(map(_has_empty, value.values()))
    return any(map(_has_empty, value)) if isinstance(value, list) else value == ""
