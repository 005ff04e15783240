"""Secrets, which must not appear in any log line, error, repr or state."""

from __future__ import annotations

import base64
import json
import os
import threading
from collections.abc import Iterable, Iterator
from typing import Any, Final
from urllib.parse import quote, quote_plus, unquote

from engine.declare.headers import parse_headers

_SHORTEST_PART: Final = 4  # redacting a shorter part of a secret ("1", "yes") would hide unrelated words


class Secrets:
    """Secret strings, in every encoding in which a server or a library may repeat them.

    Args:
        values: Each value is a secret, and so are those of its parts that are.
    """

    def __init__(self, values: Iterable[str] = ()) -> None:
        self._lock = threading.Lock()
        self._strings: tuple[str, ...] = ()
        self._add(values)

    def learn(self, values: Iterable[str]) -> None:
        """Add secrets that are not in the configuration as they are, such as a token from a server."""
        self._add(value for value in values if len(value) >= _SHORTEST_PART)

    def redact(self, text: str) -> str:
        """Replace every secret in a string with asterisks."""
        for secret in self._strings:
            text = text.replace(secret, "***")
        return text

    def redacted(self, value: Any) -> Any:
        """A JSON value, with every secret in its strings replaced: its text can hold them escaped several times."""
        if isinstance(value, str):
            return self.redact(value)
        if isinstance(value, list):
            return [self.redacted(item) for item in value]
        if isinstance(value, dict):
            return {self.redact(name): self.redacted(item) for name, item in value.items()}
        return value

    def _add(self, values: Iterable[str]) -> None:
        found = {encoded for value in values for secret in (value, *_parts(value)) for encoded in _encodings(secret)}
        with self._lock:
            # Longest first: a value contains its parts.
            self._strings = tuple(sorted(found.union(self._strings), key=len, reverse=True))


def _parts(value: str) -> Iterator[str]:
    """Header values, tokens without their scheme, the password in ``user:password`` or in a URL."""
    try:
        headers = list(parse_headers(value).values())
    except ValueError:
        headers = []
    passwords = [value.partition(":")[2]] if ":" in value else []
    passwords += _credentials(value)
    for part in (*headers, *(header.rpartition(" ")[2] for header in headers), *passwords):
        if len(part) >= _SHORTEST_PART:
            yield part


def _credentials(url: str) -> Iterator[str]:
    """The credentials in a URL, which end at its last @, and the password: as they are, decoded, and encoded."""
    credentials, at, _ = url.partition("://")[2 if "://" in url else 0].rpartition("@")
    if at:
        user, _, password = credentials.partition(":")
        yield credentials
        yield password
        yield unquote(password)
        yield f"{unquote(user)}:{unquote(password)}"


def environment_credentials() -> Iterator[str]:
    """The proxies of the environment that have credentials."""
    for name, value in os.environ.items():
        if name.lower().endswith("_proxy") and "@" in value:
            yield value


def _encodings(text: str) -> Iterator[str]:
    yield text
    yield json.dumps(text)[1:-1]
    yield json.dumps(json.dumps(text)[1:-1])[1:-1]  # in a JSON body that a JSON response quotes
    yield json.dumps(text, ensure_ascii=False)[1:-1]
    yield repr(text)[1:-1]
    yield quote(text, safe="")
    yield quote_plus(text)
    encoded = text.encode("utf-8", "surrogatepass")
    if len(text) >= _SHORTEST_PART:
        yield base64.b64encode(encoded).decode().rstrip("=")
        yield base64.urlsafe_b64encode(encoded).decode().rstrip("=")
