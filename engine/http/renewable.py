"""A token that one thread fetches for all, and that is replaced once the server rejects it."""

from __future__ import annotations

import threading
from collections.abc import Callable
from concurrent.futures import Future
from typing import Protocol

from engine.authentication.credentials import NONE, Credentials
from engine.failures import Unauthorized


class CredentialSource(Protocol):
    """What requests carry, and whether that can be renewed."""

    def credentials(self) -> Credentials:
        """What the next request carries; raises Failure if it cannot be obtained."""

    def renew(self, status: int, rejected: Credentials) -> bool:
        """Whether it is worth sending a request again: after this response, there are other credentials than those."""


class FixedCredentials:
    """Credentials of the configuration, which nothing renews."""

    def __init__(self, credentials: Credentials) -> None:
        self._credentials = credentials

    def credentials(self) -> Credentials:
        """The same for all requests."""
        return self._credentials

    def renew(self, status: int, rejected: Credentials) -> bool:
        """There are no others."""
        return False


class RenewableToken:
    """The credentials with a token, for all threads: while one fetches a new token, the others wait for its result.

    A fetch that fails with :class:`Unauthorized` is the last: repeating it could lock the account.

    Args:
        fetch: Fetches a token. Raises Failure.
    """

    def __init__(self, fetch: Callable[[], Credentials]) -> None:
        self._fetch = fetch
        self._flight: Future[Credentials] | None = None
        self._lock = threading.Lock()
        self.held = NONE

    def renewed(self, rejected: Credentials) -> Credentials:
        """Other credentials than the rejected ones: those of another thread, or new ones.

        Raises:
            Failure: the token could not be fetched, by this thread or by the one that it waited for.
        """
        with self._lock:
            if self.held is not rejected:
                return self.held
            flight, is_mine = self._flight or Future(), self._flight is None
            self._flight = flight
        if is_mine:
            self._land(flight)
        return flight.result()

    def _land(self, flight: Future[Credentials]) -> None:
        """Fetch a token, and give it or the failure to all threads that wait."""
        try:
            fetched = self._fetch()
        except BaseException as error:  # whoever waits for the result has to know
            if not isinstance(error, Unauthorized):
                self._flight = None
            flight.set_exception(error)
        else:
            with self._lock:
                self.held, self._flight = fetched, None
            flight.set_result(fetched)
