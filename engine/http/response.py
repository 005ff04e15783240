"""A response as it came over the wire, and what its headers mean."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta, timezone
from email.utils import parsedate_to_datetime

from requests.utils import parse_header_links


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
        links = parse_header_links(self.headers.get("Link", ""))
        return next((link.get("url") for link in links if "next" in link.get("rel", "").lower().split()), None)

    @property
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
        """The wait in seconds that Retry-After requests, as seconds or as a date (RFC 9110, 10.2.3)."""
        value = self.headers.get("Retry-After", "").strip()
        seconds = _seconds(value)
        if seconds is not None:
            return seconds
        until = parse_date(value)
        if until is None:
            return None
        now = self.date or datetime.now(timezone.utc)
        return max(0.0, (until - now).total_seconds())

    @property
    def text(self) -> str:
        """The body as a string, for messages. Invalid UTF-8 is replaced."""
        return self.body.decode("utf-8", "replace")


def _seconds(value: str) -> float | None:
    """A number of seconds as HTTP writes it. None if it is anything else."""
    return float(value[:9]) if re.fullmatch("[0-9]+", value) else None  # nine digits are already 30 years


def parse_date(value: str | None) -> datetime | None:
    """Parse an HTTP date. None if there is none, or none that can be parsed."""
    try:
        date = parsedate_to_datetime(value) if value else None
        return date.astimezone(timezone.utc) if date is not None and date.tzinfo is not None else None
    except (ValueError, OverflowError):
        return None
