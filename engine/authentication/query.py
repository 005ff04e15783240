"""Authentication style ``query``."""

from __future__ import annotations

from dataclasses import dataclass

from engine.authentication.credentials import NONE, Credentials
from engine.declare.blocks import key
from engine.declare.types import PARAMETER
from engine.declare.values import Text


@dataclass(frozen=True, kw_only=True)
class Query:
    """A query parameter of every request, such as `?api_key=...`. An empty value sends no such parameter.

    A link to the next page needs no key of its own: the parameter is added to it, too, and replaces one that it has.
    """

    name: str = key(PARAMETER, "The parameter's name.")
    value: str = key(Text(needs_all=True), "The parameter's value.", secret=True)

    def credentials(self) -> Credentials:
        """The parameter; none for an empty value."""
        return Credentials(query={self.name: self.value}) if self.value else NONE
