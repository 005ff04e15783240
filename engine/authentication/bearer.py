"""Authentication style ``bearer``."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from engine.declare.blocks import key
from engine.declare.values import Text


@dataclass(frozen=True, kw_only=True)
class Bearer:
    """`Authorization: Bearer TOKEN`. An empty token sends no such header, for servers without authentication."""

    token: str = key(Text(r"[!-~]*", "printable ASCII without spaces"), "The token.", secret=True)

    def headers(self) -> Mapping[str, str]:
        """The Authorization header; empty for an empty token."""
        return {"Authorization": f"Bearer {self.token}"} if self.token else {}
