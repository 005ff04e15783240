"""What can stand between a request and the API: failures, wrong dates, cut pages, and rows that change in between."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from copy import deepcopy
from dataclasses import replace
from datetime import timedelta
from itertools import count

from dev.testbed.loopback import Answerer, Reply, Seen
from tests.hostile.api import Api, Misbehavior, http_date

SERVER_ERROR = Reply({"exception_message": "Internal Server Error"}, 500)
NOT_FOUND = Reply({"detail": "Not Found"}, 404)
PROXY_PAGE = Reply(status=404, body=b"<html><h1>404 page not found</h1></html>", headers={"Content-Type": "text/html"})

Which = Callable[[Seen], bool]


def on(path: str) -> Which:
    """Whether a request is for a path that contains this."""
    return lambda seen: path in seen.path


def numbered(first: int, last: int | None = None) -> Which:
    """Whether a request is one of these, counted from now and from 1."""
    numbers: Iterator[int] = count(1)
    return lambda seen: first <= next(numbers) <= (first if last is None else last)


def both(*each: Which) -> Which:
    """Whether all hold. The first that does not keeps the later ones from counting."""
    return lambda seen: all(one(seen) for one in each)


def respond(reply: Reply, which: Which) -> Misbehavior:
    """Send this to some requests."""
    return lambda seen, answer: reply if which(seen) else answer(seen)


def dated(api: Api, hours: float | None, which: Which) -> Misbehavior:
    """Date the responses to some requests wrong, as a cache does that repeats old headers, or not at all."""

    def misbehave(seen: Seen, answer: Answerer) -> Reply:
        reply = answer(seen)
        if not which(seen):
            return reply
        date = None if hours is None else http_date(api.now + timedelta(hours=hours))
        return replace(reply, headers={**reply.headers, "Date": date})

    return misbehave


def after_each(which: Which, act: Callable[[], object]) -> Misbehavior:
    """Let something happen after each of some requests."""

    def misbehave(seen: Seen, answer: Answerer) -> Reply:
        reply = answer(seen)
        if which(seen):
            act()
        return reply

    return misbehave


def outdated(api: Api, which: Which) -> Misbehavior:
    """Respond to some requests with the rows as they are now, like a cache or a replica that is behind."""
    before = deepcopy(api.tables)

    def misbehave(seen: Seen, answer: Answerer) -> Reply:
        if not which(seen):
            return answer(seen)
        now, api.tables = api.tables, before
        try:
            return answer(seen)
        finally:
            api.tables = now

    return misbehave
