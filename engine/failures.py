"""The ways in which reading an API fails. A message names the stream, the request, what was expected and a remedy."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator
from datetime import datetime
from typing import Any


class Failure(Exception):
    """A sync cannot go on. Its state stays where the last checkpoint left it."""


class ServerDown(Failure):
    """No request reaches the server: no connection, no such host, no TLS, or a proxy that does not forward."""


class LimitReached(Failure):
    """The sync must send no further request: it has reached a limit on requests or on time."""


class NotFound(Failure):
    """The server has no such endpoint (404), or not for this method (405).

    ``from_api``: whether the response is the API's own, in JSON, rather than the page of a proxy in front of it.
    ``of``: for the endpoint of children: the rows of which none has it, ``4 repos``, if it was requested for several.
    """

    def __init__(self, message: str, url: str, *, from_api: bool = False, of: str = "") -> None:
        super().__init__(message)
        self.url = url
        self.from_api = from_api
        self.of = of


class Unauthorized(Failure):
    """The server rejects the credentials (401), or they lack a permission (403)."""

    def __init__(self, message: str, status: int) -> None:
        super().__init__(message)
        self.status = status


class RequestRejected(Failure):
    """The server rejects the request as malformed or invalid (400 or 422)."""


class ChangesExpired(Failure):
    """The server no longer knows what has changed since the last pass, as streams.yaml declares of its response."""


class DeclaredAnswer(Failure):
    """streams.yaml declares that a rejection stands for a list or page without records, or for a list to skip.

    ``asked_at``: when it was requested, by the server's clock.
    """

    asked_at: datetime | None = None


class EmptyList(DeclaredAnswer):
    """The list has no records."""


class SkippedList(DeclaredAnswer):
    """The list is to be left as it is."""


class PastTheEnd(DeclaredAnswer):
    """The list ends before the page."""


class ResponseTooLarge(Failure):
    """A response has more bytes than ``limits.body`` allows."""


class ReadFailure(Failure):
    """The server responded, but the responses do not add up to a complete list."""


class OrderMoved(ReadFailure):
    """The pages of a list do not join, because rows move within its order while it is read."""


class MissingKey(ReadFailure):
    """A record has no value for its primary key."""


def ends_sync(failure: Failure) -> bool:
    """Whether a failure would meet every stream: the server is down, it rejects the key, or a limit is reached."""
    return isinstance(failure, (ServerDown, LimitReached)) or (
        isinstance(failure, Unauthorized) and failure.status == 401
    )


def redact_exception(error: BaseException, redact: Callable[[str], str]) -> None:
    """Remove secrets, in place, from an exception and from everything that Python would print with it.

    A :class:`Failure` says all that its reader needs, so its causes are removed: a library's exception can hold the
    request and, with it, the API key. Any other exception is a bug, and its causes lead to it: they stay, redacted.
    """
    if isinstance(error, Failure):
        error.__cause__ = error.__context__ = None
    for one in _with_causes(error):
        one.args = tuple(_redacted(arg, redact) for arg in one.args)
        # Some exceptions, such as OSError, compose their text from attributes instead.
        for name in dir(one):
            value = None if name.startswith("_") else getattr(one, name, None)
            if isinstance(value, str) and redact(value) != value:
                with contextlib.suppress(AttributeError):
                    setattr(one, name, redact(value))


def _redacted(value: Any, redact: Callable[[str], str]) -> Any:
    if isinstance(value, str):
        return redact(value)
    shown = value.decode("utf-8", "replace") if isinstance(value, (bytes, bytearray)) else repr(value)
    return value if redact(shown) == shown else redact(shown)


def _with_causes(error: BaseException) -> Iterator[BaseException]:
    found: list[BaseException] = []
    waiting: list[BaseException | None] = [error]
    while waiting:
        one = waiting.pop()
        if one is not None and one not in found:
            found.append(one)
            waiting += [one.__cause__, one.__context__]
    return iter(found)
