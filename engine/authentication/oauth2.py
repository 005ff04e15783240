"""Authentication style ``oauth2`` (RFC 6749): client credentials (4.4), or a refresh token (6)."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, ClassVar, Final, Literal, get_args
from urllib.parse import quote_plus

from engine.authentication.basic import basic
from engine.authentication.credentials import Credentials
from engine.authentication.token import (
    TOKEN_ENDPOINT,
    NoToken,
    Token,
    TokenRequest,
    header_key,
    prefix_key,
    usable,
)
from engine.declare.blocks import key
from engine.declare.types import Endpoint
from engine.declare.values import Choice, MapOf, Text

_LONGEST: Final = 1e12  # seconds

Send = Literal["basic", "body"]
NewRefreshToken = Literal["reject", "ignore"]


@dataclass(frozen=True, kw_only=True)
class OAuth2:
    """An access token of OAuth 2.0 (RFC 6749), for client credentials or, with `refresh_token`, for a refresh token.

    The token is fetched before the first request, before it expires, and if the server rejects it (401). It is fetched
    once for all requests, and never stored: each sync begins with a new one.

    A refresh token must stay valid: a connector has no place for a new one but the state, where anyone could read it.
    """

    required_one_of: ClassVar = ("client_secret", "refresh_token")

    endpoint: Endpoint | None = key(
        TOKEN_ENDPOINT,
        "The token endpoint: `POST /oauth2/token` below the base URL, or `POST https://login.example/token`, which "
        "gets none of the api's headers.",
    )
    client_id: str = key(Text(needs_all=True), "The client's id.")
    client_secret: str | None = key(
        Text(needs_all=True),
        "The client's secret. Clients without one need a refresh token.",
        default=None,
        secret=True,
    )
    refresh_token: str | None = key(
        Text(needs_all=True), "A refresh token, for an API that acts for a user.", default=None, secret=True
    )
    scope: str = key(Text(), "The scopes to request, with spaces between.", default="")
    send: Send = key(
        Choice(
            "a place for the client's id and secret",
            get_args(Send),
            {"basic": "in an Authorization header (RFC 6749, 2.3.1)", "body": "as parameters in the body"},
        ),
        "Where the token request has the client's id and secret.",
        default="basic",
    )
    parameters: Mapping[str, str] = key(
        MapOf("parameter", Text(), may_be_empty=True),
        "More parameters of the token request, such as `audience` or `resource`. An empty one is not sent. A "
        "`grant_type` of the API's own, such as `account_credentials`, replaces the usual one.",
        default={},
        secret=True,
    )
    new_refresh_token: NewRefreshToken = key(
        Choice(
            "a rule for new refresh tokens",
            get_args(NewRefreshToken),
            {
                "reject": "the sync fails and says why: most servers revoke the earlier token",
                "ignore": "the earlier token is used again, for servers on which it stays valid",
            },
        ),
        "What happens if the server issues a new refresh token.",
        default="reject",
    )
    header: str = header_key()
    prefix: str = prefix_key()

    def request(self) -> TokenRequest | None:
        """The request for an access token; None if a value that it needs is empty."""
        if self.endpoint is None or "" in (self.client_id, self.client_secret, self.refresh_token):
            return None
        form = {"grant_type": "client_credentials"}
        if self.refresh_token is not None:
            form = {"grant_type": "refresh_token", "refresh_token": self.refresh_token}
        headers = {}
        if self.client_secret is None:
            form["client_id"] = self.client_id
        elif self.send == "body":
            form |= {"client_id": self.client_id, "client_secret": self.client_secret}
        else:  # both are form-encoded first (RFC 6749, 2.3.1)
            headers["Authorization"] = basic(f"{quote_plus(self.client_id)}:{quote_plus(self.client_secret)}")
        form |= {name: value for name, value in {"scope": self.scope, **self.parameters}.items() if value}
        return TokenRequest(self.endpoint, headers, form, is_form=True)

    def read(self, headers: Mapping[str, str], document: Callable[[], Any]) -> Token:
        """The access token in a response (RFC 6749, 5.1)."""
        value = document()
        fields = value if isinstance(value, Mapping) else {}
        token = usable(fields.get("access_token"), "at $.access_token")
        new = fields.get("refresh_token")
        is_rotated = self.refresh_token is not None and isinstance(new, str) and new not in ("", self.refresh_token)
        if is_rotated and self.new_refresh_token == "reject":
            raise NoToken(
                "the server issued a new refresh token, and may have revoked the one in the configuration. A connector "
                "could keep the new one only in its state, where anyone can read it. Turn off rotation on the server, "
                "or use client credentials; if the earlier token stays valid, set new_refresh_token: ignore"
            )
        return Token(token, _seconds(fields.get("expires_in")))

    def carry(self, token: str) -> Credentials:
        """The header with an access token (RFC 6750, 2.1)."""
        return Credentials({self.header: f"{self.prefix}{token}"})


def _seconds(value: Any) -> float | None:
    """A lifetime: a positive number, which some servers send as a string. None if it is anything else.

    >>> [_seconds(value) for value in (3600, "3599", 0, None, True, "soon")]
    [3600.0, 3599.0, None, None, None, None]
    """
    if isinstance(value, str) and re.fullmatch(r"[0-9]{1,12}(\.[0-9]{1,9})?", value):
        value = float(value)
    is_number = isinstance(value, (int, float)) and not isinstance(value, bool)
    return float(value) if is_number and 0 < value < _LONGEST else None
