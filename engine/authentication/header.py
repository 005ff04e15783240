"""Authentication style ``header``."""

from __future__ import annotations

from dataclasses import dataclass

from engine.authentication.credentials import HEADER_VALUE, NONE, Credentials
from engine.declare.blocks import key
from engine.declare.types import HEADER


@dataclass(frozen=True, kw_only=True)
class Header:
    """A header of the API's own, such as `X-Api-Key: KEY` or `Authorization: Token token=KEY`.

    An empty value sends no such header.
    """

    name: str = key(HEADER, "The header's name.")
    value: str = key(HEADER_VALUE, "The header's value: `${api_key}`, or `Token token=${api_key}`.", secret=True)

    def credentials(self) -> Credentials:
        """The header; none for an empty value."""
        return Credentials({self.name: self.value}) if self.value else NONE
