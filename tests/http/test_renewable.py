"""A token that one thread fetches for all. No server is needed."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from threading import Barrier, Event

import pytest

from engine.authentication.credentials import NONE, Credentials
from engine.failures import Failure, ServerDown, Unauthorized
from engine.http.renewable import RenewableToken

THREADS = 8


class Issuer:
    """Issues numbered tokens once it is released, or raises what it is given."""

    def __init__(self, *failures: Exception) -> None:
        self.failures = list(failures)
        self.issued = 0
        self.released = Event()

    def __call__(self) -> Credentials:
        self.issued += 1
        assert self.released.wait(10)
        if self.failures:
            raise self.failures.pop(0)
        return Credentials({"Token": str(self.issued)})


def together(issuer: Issuer, renew: Callable[[], Credentials]) -> list[Credentials | Failure]:
    """The results of as many threads as wait for the issuer at once."""
    started = Barrier(THREADS + 1)

    def one(_: int) -> Credentials | Failure:
        started.wait(10)
        try:
            return renew()
        except Failure as failure:
            return failure

    with ThreadPoolExecutor(THREADS) as pool:
        results = pool.map(one, range(THREADS))
        started.wait(10)
        issuer.released.set()
        return list(results)


def test_threads_that_need_a_token_share_one() -> None:
    """A second one could invalidate the first. Those that come later have it, too."""
    issuer = Issuer()
    token = RenewableToken(issuer)
    assert together(issuer, lambda: token.renewed(NONE)) == [Credentials({"Token": "1"})] * THREADS
    first = token.held
    assert token.renewed(NONE) is first
    assert together(issuer, lambda: token.renewed(first)) == [Credentials({"Token": "2"})] * THREADS
    assert issuer.issued == 2


def test_a_rejection_is_remembered() -> None:
    """Wrong credentials are sent once, by however many threads and streams: more could lock the account."""
    issuer = Issuer(Unauthorized("no", 401))
    token = RenewableToken(issuer)
    failures = together(issuer, lambda: token.renewed(NONE))
    assert [str(failure) for failure in failures] == ["no"] * THREADS
    with pytest.raises(Unauthorized):
        token.renewed(NONE)
    assert issuer.issued == 1


def test_a_server_that_is_down_is_asked_again() -> None:
    """The next request may find it up."""
    issuer = Issuer(ServerDown("down"))
    issuer.released.set()
    token = RenewableToken(issuer)
    with pytest.raises(ServerDown):
        token.renewed(NONE)
    assert token.renewed(NONE) == Credentials({"Token": "2"})
