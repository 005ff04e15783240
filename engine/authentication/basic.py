"""Authentication style ``basic`` (RFC 7617)."""

from __future__ import annotations

import base64
from dataclasses import dataclass
from typing import Final

from engine.authentication.credentials import NONE, Credentials
from engine.declare.blocks import key
from engine.declare.values import Text

CREDENTIALS: Final = Text(r"([^:\r\n]*:[^\r\n]*)?", "user:password", noun="`user:password`", needs_all=True)
"""A user and a password; empty if a setting in it is."""


@dataclass(frozen=True, kw_only=True)
class Basic:
    """`Authorization: Basic ...` (RFC 7617). Empty credentials send no such header."""

    pair: str = key(CREDENTIALS, "user:password. The password may contain colons.", name="credentials", secret=True)

    def credentials(self) -> Credentials:
        """The Authorization header; none for empty credentials."""
        return Credentials({"Authorization": basic(self.pair)}) if self.pair else NONE


def basic(pair: str) -> str:
    """The value of an Authorization header with a user and a password (RFC 7617).

    >>> basic("user:password")
    'Basic dXNlcjpwYXNzd29yZA=='
    """
    return f"Basic {base64.b64encode(pair.encode('utf-8')).decode('ascii')}"
