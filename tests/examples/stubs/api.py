"""What stubs of APIs have in common: a clock, requests that are checked, and errors."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta, timezone
from email.utils import format_datetime
from typing import Any

from dev.testbed.loopback import Reply, Seen
from tests.in_process import InProcess

Json = dict[str, Any]
DAY = timedelta(days=1)


class Rejected(Exception):
    """The API rejects a request, with this reply."""

    def __init__(self, reply: Reply) -> None:
        super().__init__(reply)
        self.reply = reply


@dataclass
class Api:
    """A stub of an API: a callable that replies to requests, at a time of its own.

    Attributes:
        now: What time it is there: a few days before the machine's, so that a test can let days pass.
        seen: The requests, in order.
        faults: Replies to the next requests, in place of the proper ones.
        url: Where links in its replies lead.
    """

    now: datetime = field(default_factory=lambda: datetime.now(timezone.utc).replace(microsecond=0) - 7 * DAY)
    seen: list[Seen] = field(default_factory=list)
    faults: deque[Reply] = field(default_factory=deque)
    url: str = InProcess.url

    def __call__(self, seen: Seen) -> Reply:
        self.seen.append(seen)
        try:
            reply = self.faults.popleft() if self.faults else self.answer(seen, seen.path.removeprefix("/api"))
        except Rejected as rejected:
            reply = rejected.reply
        return replace(reply, headers={"Date": format_datetime(self.now, usegmt=True), **reply.headers})

    def answer(self, seen: Seen, path: str) -> Reply:
        """The reply to a request for a path below the API's base URL.

        Raises:
            Rejected: the API rejects the request.
        """
        raise NotImplementedError

    def ago(self, span: timedelta) -> datetime:
        """An instant in the past."""
        return self.now - span


def parameters(seen: Seen, known: Sequence[str], reject: Callable[[str], Rejected]) -> Mapping[str, str]:
    """The query of a request, each of whose parameters is known and comes once, or is a list that ends in ``[]``.

    Raises:
        Rejected: as ``reject`` makes it, with the parameter's name.
    """
    for name, values in seen.query.items():
        if name not in known or (len(values) > 1 and not name.endswith("[]")):
            raise reject(name)
    return {name: ",".join(values) for name, values in seen.query.items()}
