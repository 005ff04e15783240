"""What a request carries to identify its caller."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Final

from engine.declare.values import Text


@dataclass(frozen=True)
class Credentials:
    """Headers and query parameters that are added to a request. False if there are none.

    ``renew_at``: when to fetch a new token, in monotonic seconds; None if they do not expire, or nobody knows when.
    """

    headers: Mapping[str, str] = field(default_factory=dict, repr=False)
    query: Mapping[str, str] = field(default_factory=dict, repr=False)
    renew_at: float | None = None

    def __bool__(self) -> bool:
        return bool(self.headers or self.query)

    def values(self) -> Iterator[str]:
        """The values, and those of headers without their scheme: ``Bearer KEY``, and ``KEY``."""
        for value in self.headers.values():
            yield value
            yield value.partition(" ")[2]
        yield from self.query.values()


NONE: Final = Credentials()


def merged(several: Iterable[Credentials]) -> Credentials:
    """The headers and parameters of all of them."""
    headers: dict[str, str] = {}
    query: dict[str, str] = {}
    for credentials in several:
        headers |= credentials.headers
        query |= credentials.query
    return Credentials(headers, query)


HEADER_VALUE: Final = Text(
    r"([!-~]([ -~]*[!-~])?)?", "printable ASCII without a space at either end", noun="printable ASCII", needs_all=True
)
"""What a header can contain; empty if a setting in it is."""
