"""Authentication styles: how a request says who asks."""

from __future__ import annotations

import base64
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Protocol

from engine.spec.headers import HEADER_NAME
from engine.spec.kinds import Text, key
from engine.spec.model import AUTHENTICATION


class Authentication(Protocol):
    """A style with its options."""

    def headers(self) -> Mapping[str, str]:
        """The headers that say who asks; none where the options are empty."""


@AUTHENTICATION.register("bearer")
@dataclass(frozen=True, kw_only=True)
class Bearer:
    """`Authorization: Bearer TOKEN`. An empty token sends no such header, for servers without authentication."""

    token: str = key(Text(r"[!-~]*", "printable ASCII without spaces"), "The token.", secret=True)

    def headers(self) -> Mapping[str, str]:
        """The Authorization header, or none for an empty token."""
        return {"Authorization": f"Bearer {self.token}"} if self.token else {}


@AUTHENTICATION.register("header")
@dataclass(frozen=True, kw_only=True)
class Header:
    """A header of the API's own, such as `X-Api-Key`. An empty value sends no such header."""

    name: str = key(Text(HEADER_NAME, "an HTTP header's name"), "The header's name.")
    value: str = key(Text(r"[!-~]*", "printable ASCII without spaces"), "Its value.", secret=True)

    def headers(self) -> Mapping[str, str]:
        """The header, or none for an empty value."""
        return {self.name: self.value} if self.value else {}


@AUTHENTICATION.register("basic")
@dataclass(frozen=True, kw_only=True)
class Basic:
    """`Authorization: Basic ...` (RFC 7617). Empty credentials send no such header."""

    credentials: str = key(
        Text(r"([^:\r\n]*:[^\r\n]*)?", "user:password"),
        "user:password. The password may contain colons.",
        secret=True,
    )

    def headers(self) -> Mapping[str, str]:
        """The Authorization header, or none for empty credentials."""
        if not self.credentials:
            return {}
        return {"Authorization": f"Basic {base64.b64encode(self.credentials.encode('utf-8')).decode('ascii')}"}
