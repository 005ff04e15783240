"""The ways in which reading an API ends early. Each says which stream and request, what was expected, what to do."""

from __future__ import annotations


class Failure(Exception):
    """A sync cannot go on; its state stays where the last checkpoint left it."""


class NotFound(Failure):
    """The server has no such endpoint (404), or none for the method (405)."""

    def __init__(self, message: str, url: str) -> None:
        super().__init__(message)
        self.url = url


class Unauthorized(Failure):
    """The server does not accept who asks (401), or does not let them (403)."""

    def __init__(self, message: str, status: int) -> None:
        super().__init__(message)
        self.status = status


class RequestRejected(Failure):
    """The server does not accept the request as it is (400 or 422)."""


class ReadFailure(Failure):
    """Answers came, but a stream cannot be proven to have been read whole from them."""
