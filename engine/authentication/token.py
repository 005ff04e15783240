"""Tokens that a server issues: what the styles that fetch one have in common."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Final, Protocol
from urllib.parse import urlsplit

from engine.authentication.credentials import Credentials
from engine.declare.addresses import is_loopback, plain_url
from engine.declare.blocks import key
from engine.declare.types import ENDPOINT, HEADER, Endpoint
from engine.declare.values import Text

_VALUE: Final = re.compile(r"[!-~]([ -~]*[!-~])?")
_PATH, _URL = r"(/|\.\.(/|$))[^\s?#{}]*", r"https?://[^\s/?#@]+(/[^\s?#{}]*)?"


class NoToken(Exception):
    """A server issued no token that can be used. The message completes ``returned 200 OK: ...``."""


@dataclass(frozen=True)
class Token:
    """A token, and the seconds for which it is valid; None if the server does not say."""

    value: str = field(repr=False)
    lifetime: float | None = None


@dataclass(frozen=True)
class TokenRequest:
    """The request for a token. Its body is sent as a form or, without ``is_form``, as JSON."""

    endpoint: Endpoint
    headers: Mapping[str, str] = field(repr=False)
    body: Mapping[str, Any] | None = field(repr=False)
    is_form: bool


class TokenStyle(Protocol):
    """An authentication style whose token a server issues."""

    def request(self) -> TokenRequest | None:
        """The request for a token; None if a value that it needs is empty."""

    def read(self, headers: Mapping[str, str], document: Callable[[], Any]) -> Token:
        """The token in a response of status 2xx; raises NoToken.

        Args:
            headers: The response's headers.
            document: Decodes its body.
        """

    def carry(self, token: str) -> Credentials:
        """The credentials with a token."""


def usable(value: Any, where: str) -> str:
    """The value, if it is a token that a header can contain; raises NoToken if it is anything else."""
    if isinstance(value, str) and _VALUE.fullmatch(value):
        return value
    raise NoToken(f"{'no token' if value is None else 'something other than a token'} {where}")


def _endpoint(text: str) -> Endpoint:
    method, target = text.split(" ")
    if "://" not in target:
        assert ENDPOINT.convert is not None
        endpoint: Endpoint = ENDPOINT.convert(text)
        return endpoint
    if plain_url(target) is None:
        raise ValueError("the host or the port of this URL is wrong")
    if target.startswith("http:") and not is_loopback(urlsplit(target).hostname or ""):
        raise ValueError("http:// would send the credentials unencrypted; use https://")
    return Endpoint(method, target)


TOKEN_ENDPOINT: Final = Text(
    f"POST ({_PATH}|{_URL})",
    "POST and a path or an https:// URL, such as POST /oauth2/token",
    _endpoint,
    noun="`POST` and a path or a URL",
    needs_all=True,
)
"""Where tokens are issued: below the base URL, or on another server. None if a setting in it is empty."""


def header_key() -> Any:
    """The key for the header in which requests carry the token."""
    return key(HEADER, "The header in which requests carry the token.", default="Authorization")


def prefix_key() -> Any:
    """The key for what precedes the token in the header."""
    return key(Text(r"([!-~][ -~]*)?", "printable ASCII"), "What precedes the token there.", default="Bearer ")
