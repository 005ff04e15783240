"""Authentication style ``bearer``."""

from __future__ import annotations

from dataclasses import dataclass

from engine.authentication.credentials import NONE, Credentials
from engine.declare.blocks import key
from engine.declare.values import Text


@dataclass(frozen=True, kw_only=True)
class Bearer:
    """`Authorization: Bearer TOKEN`. An empty token sends no such header, for servers without authentication."""

    token: str = key(Text(r"[!-~]*", "printable ASCII without spaces", needs_all=True), "The token.", secret=True)

    def credentials(self) -> Credentials:
        """The Authorization header; none for an empty token."""
        return Credentials({"Authorization": f"Bearer {self.token}"}) if self.token else NONE
