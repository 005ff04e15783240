"""Authentication style ``basic`` (RFC 7617)."""

from __future__ import annotations

import base64
from collections.abc import Mapping
from dataclasses import dataclass

from engine.declare.blocks import key
from engine.declare.values import Text


@dataclass(frozen=True, kw_only=True)
class Basic:
    """`Authorization: Basic ...` (RFC 7617). Empty credentials send no such header."""

    credentials: str = key(
        Text(r"([^:\r\n]*:[^\r\n]*)?", "user:password", noun="`user:password`"),
        "user:password. The password may contain colons.",
        secret=True,
    )

    def headers(self) -> Mapping[str, str]:
        """The Authorization header; empty for empty credentials."""
        if not self.credentials:
            return {}
        return {"Authorization": f"Basic {base64.b64encode(self.credentials.encode('utf-8')).decode('ascii')}"}
