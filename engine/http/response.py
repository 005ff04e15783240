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
    """A response of any status. ``elapsed``: seconds from the request until the headers arrived."""

    status: int
    reason: str
    headers: Mapping[str, str] = field(repr=False)
    body: bytearray = field(repr=False)
    elapsed: float

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
    def requested_at(self) -> datetime | None:
        """When the request was made, by the server's clock. None if the server sent no date."""
        date = parse_date(self.headers.get("Date"))
        return date - timedelta(seconds=self.elapsed) if date else None

    @property
    def retry_after(self) -> float | None:
        """The wait in seconds that Retry-After requests, as seconds or as a date (RFC 9110, 10.2.3)."""
        value = self.headers.get("Retry-After", "").strip()
        if re.fullmatch("[0-9]+", value):
            return float(value[:9])  # nine digits are already 30 years
        until = parse_date(value)
        if until is None:
            return None
        now = parse_date(self.headers.get("Date")) or datetime.now(timezone.utc)
        return max(0.0, (until - now).total_seconds())

    @property
    def text(self) -> str:
        """The body as a string, for messages. Invalid UTF-8 is replaced."""
        return self.body.decode("utf-8", "replace")


def parse_date(value: str | None) -> datetime | None:
    """Parse an HTTP date. None if there is none, or none that can be parsed."""
    try:
        date = parsedate_to_datetime(value) if value else None
        return date.astimezone(timezone.utc) if date is not None and date.tzinfo is not None else None
    except (ValueError, OverflowError):
        return None
