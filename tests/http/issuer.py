"""A server whose API requires an access token that its token endpoint issues."""

from __future__ import annotations

import threading
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import parse_qs

from dev.testbed.loopback import Answerer, Reply, Seen, rows_by_offset
from tests.shop import orders


@dataclass
class Issuer:
    """Issues numbered tokens for a POST to a path that ends in /token, and serves ``rows`` to requests with one.

    ``rejected``: what the token endpoint returns in place of a token, in turn; then tokens. ``extra``: what a token
    response has besides the token. ``header``: the header that has the token, in place of a body. ``uses``: how many
    requests a token is good for.
    """

    rows: Answerer = field(default_factory=lambda: rows_by_offset(orders(25)))
    extra: Mapping[str, Any] = field(default_factory=lambda: {"token_type": "Bearer", "expires_in": 3600})
    rejected: list[Reply] = field(default_factory=list)
    header: str | None = None
    uses: int = 10**9
    issued: list[Seen] = field(default_factory=list)
    served: int = 0
    valid: dict[str, int] = field(default_factory=dict)
    lock: threading.Lock = field(default_factory=threading.Lock)

    def __call__(self, seen: Seen) -> Reply:
        with self.lock:
            if seen.method == "POST" and seen.path.endswith("/token"):
                return self._issue(seen)
            token = seen.headers.get("Authorization", "").removeprefix("Bearer ")
            if not self.valid.get(token):
                return Reply({"detail": "the token is not valid"}, status=401)
            self.valid[token] -= 1
            self.served += 1
        return self.rows(seen)

    def _issue(self, seen: Seen) -> Reply:
        self.issued.append(seen)
        if self.rejected:
            return self.rejected.pop(0)
        token = f"token-{len(self.issued)}"
        self.valid[token] = self.uses
        if self.header is not None:
            return Reply(body=b"", status=201, headers={self.header: token})
        return Reply({"access_token": token, **self.extra})

    def forms(self) -> list[dict[str, str]]:
        """The form of each request for a token."""
        parsed = [parse_qs(seen.content.decode(), keep_blank_values=True) for seen in self.issued]
        return [{name: one for name, [one] in form.items()} for form in parsed]
