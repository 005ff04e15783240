"""Texts that must appear nowhere: in no log line, no error, no repr, no state."""

from __future__ import annotations

import base64
import json
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from typing import Final
from urllib.parse import quote, quote_plus, urlsplit

from engine.declare.headers import parse_headers

_SHORTEST_PART: Final = (
    4  # a shorter part of a secret ("1", "yes") would blot out words that have nothing to do with it
)


@dataclass(frozen=True)
class Secrets:
    """Secret texts, in the spellings in which a server or a library may repeat them."""

    texts: tuple[str, ...] = field(default=(), repr=False)

    @classmethod
    def of(cls, values: Iterable[str]) -> Secrets:
        """The secrets in these values: each whole, its parts that are secret alone, and their encodings."""
        found = {spelling for value in values for text in (value, *_parts(value)) for spelling in _spellings(text)}
        return cls(tuple(sorted(found, key=len, reverse=True)))  # a part must not spoil the whole that contains it

    def redact(self, text: str) -> str:
        """The text with asterisks in place of every secret."""
        for secret in self.texts:
            text = text.replace(secret, "***")
        return text


def _parts(value: str) -> Iterator[str]:
    """Header values, tokens after their scheme, the password of ``user:password`` and of a URL with credentials."""
    try:
        headers = list(parse_headers(value).values())
    except ValueError:
        headers = []
    passwords = [value.partition(":")[2]] if ":" in value else []
    if "://" in value:
        try:
            address = urlsplit(value)
            passwords = [address.password or "", f"{address.username}:{address.password}"] if address.password else []
        except ValueError:
            passwords = []
    for part in (*headers, *(header.rpartition(" ")[2] for header in headers), *passwords):
        if len(part) >= _SHORTEST_PART:
            yield part


def _spellings(text: str) -> Iterator[str]:
    yield text
    yield json.dumps(text)[1:-1]
    yield json.dumps(text, ensure_ascii=False)[1:-1]
    yield repr(text)[1:-1]
    yield quote(text, safe="")
    yield quote_plus(text)
    encoded = text.encode("utf-8", "surrogatepass")
    if len(text) >= _SHORTEST_PART:
        yield base64.b64encode(encoded).decode().rstrip("=")
        yield base64.urlsafe_b64encode(encoded).decode().rstrip("=")
