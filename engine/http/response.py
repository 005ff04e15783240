"""A response as it came over the wire, and what its headers mean."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta, timezone
from functools import cached_property

from engine.http.link_header import next_link
from engine.http.waits import parse_date, requested_wait, reset_wait, unread_wait


@dataclass(frozen=True)
class RawResponse:
    """A response of any status.

    ``sent_at`` and ``received_at``: when the request was sent and when the headers arrived, in seconds of the local
    monotonic clock.
    """

    status: int
    reason: str
    headers: Mapping[str, str] = field(repr=False)
    body: bytearray = field(repr=False)
    sent_at: float
    received_at: float

    @property
    def returned(self) -> str:
        """The status in words, for messages: ``returned 404 Not Found``."""
        return f"returned {self.status} {self.reason}".rstrip()

    @property
    def content_type(self) -> str:
        """The media type, without its parameters."""
        return self.headers.get("Content-Type", "").partition(";")[0].strip().lower()

    @property
    def is_web_page(self) -> bool:
        """Whether the body is HTML, which no API returns."""
        return self.content_type in ("text/html", "application/xhtml+xml")

    @property
    def claims_json(self) -> bool:
        """Whether the media type is JSON's, or ends in +json."""
        return self.content_type == "application/json" or self.content_type.endswith("+json")

    @property
    def next_link(self) -> str | None:
        """The target of the Link header's rel="next" (RFC 8288), if there is one."""
        return next_link(self.headers.get("Link", ""))

    @cached_property
    def date(self) -> datetime | None:
        """When the response was sent, by the server's clock. None if it has no Date header.

        A cache passes on the server's date, and says in Age how many seconds ago that was (RFC 9111, 5.1).
        """
        date, age = parse_date(self.headers.get("Date")), self.headers.get("Age", "").partition(",")[0].strip()
        try:
            return date + timedelta(seconds=_seconds(age) or 0) if date is not None else None
        except OverflowError:
            return date

    @property
    def retry_after(self) -> float | None:
        """The wait in seconds that the server requests; None if it requests none, or none that can be read."""
        return self.throttled_wait if self.status == 429 else requested_wait(self.headers, self.now)

    @property
    def throttled_wait(self) -> float | None:
        """The same for a response which throttles a request: if nothing else is requested, until the limit resets."""
        wait = requested_wait(self.headers, self.now)
        return reset_wait(self.headers, self.now) if wait is None else wait

    @property
    def unread_wait(self) -> str | None:
        """The Retry-After header, if it cannot be read and no other header says how long to wait."""
        return unread_wait(self.headers, self.now) if self.retry_after is None else None

    @property
    def now(self) -> datetime:
        """The server's time or, if it sends no date, this machine's."""
        return self.date or datetime.now(timezone.utc)

    @property
    def text(self) -> str:
        """The body as a string, for messages. Invalid UTF-8 is replaced."""
        return self.body.decode("utf-8", "replace")


def _seconds(value: str) -> float | None:
    """A number of seconds as HTTP writes it. None if it is anything else."""
    return float(value[:9]) if re.fullmatch("[0-9]+", value) else None  # nine digits are already 30 years
