"""Secrets, which must not appear in any log line, error, repr or state."""

from __future__ import annotations

import base64
import json
import os
import threading
from collections import deque
from collections.abc import Iterable, Iterator
from typing import Any, Final
from urllib.parse import quote, quote_plus, unquote

from engine.declare.headers import parse_headers

_TOKENS: Final = 64  # of a server that issues a new one for each request
_SHORTEST_PART: Final = 4  # redacting a shorter part of a secret ("1", "yes") would hide unrelated words


class Secrets:
    """Secret strings, in every encoding in which a server or a library may repeat them.

    Args:
        values: Each value is a secret, and so are those of its parts that are.
    """

    def __init__(self, values: Iterable[str] = ()) -> None:
        self._lock = threading.Lock()
        self._lasting = _spellings(values)
        self._tokens: deque[frozenset[str]] = deque(maxlen=_TOKENS)
        self._strings = self._longest_first()

    def learn(self, values: Iterable[str]) -> None:
        """Add secrets that are made of those in the configuration."""
        with self._lock:
            self._lasting |= _spellings(value for value in values if len(value) >= _SHORTEST_PART)
            self._strings = self._longest_first()

    def learn_token(self, token: str) -> None:
        """Add a token that a server issued. Only the last tokens are kept: earlier ones are no longer valid."""
        with self._lock:
            self._tokens.append(_spellings([token] if len(token) >= _SHORTEST_PART else []))
            self._strings = self._longest_first()

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

    def _longest_first(self) -> tuple[str, ...]:
        """All strings to replace. The longest come first: a value contains its parts."""
        return tuple(sorted(self._lasting.union(*self._tokens), key=len, reverse=True))


def _spellings(values: Iterable[str]) -> frozenset[str]:
    """The values, those of their parts that are secrets, and their encodings."""
    return frozenset(e for value in values for secret in (value, *_parts(value)) for e in _encodings(secret))


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
