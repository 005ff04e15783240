"""What comes in headers: waits, dates, links; and the headers of a setting."""

from __future__ import annotations

import math
import re
from contextlib import suppress
from datetime import datetime, timezone

from hypothesis import example, given
from hypothesis import strategies as st

from engine.declare.certificates import CERTIFICATES_PATTERN, certificates
from engine.declare.headers import HEADER_NAME, parse_headers
from engine.http.link_header import next_link
from engine.http.response import RawResponse
from tests.fuzz.damage import damaged, tries

WAITS = ("30", "39.871", "1m30s", "Fri, 01 May 2026 10:00:00 GMT", "2026-05-01T10:00:00Z", "1777629600", '"5"', "1, 2")
LIMITS = ('"default";r=0;t=30', "limit=10, remaining=0, reset=30", '"a";q=10;w=60')
DATES = ("Fri, 01 May 2026 10:00:00 GMT", "Friday, 01-May-26 10:00:00 EST", "Fri May  1 10:00:00 2026")
SCRAPS = (*'-.;,="<>', "h", "ms", "9" * 30, "1e5", "٣", "inf", "nan", "GMT", "-0000", "+2500", "\\")
LINKS = (
    '</a;b,c?page=1>; rel="first", </a;b,c?page=3>; title="a, b"; rel="Next last"',
    "<http://x.test/?page=2>; rel=next",
    "/x?page=2; rel='next'",
    '<a>; rel="next"; rel="prev", <b>; REL="next"',
)


@tries(500)
@given(damaged(WAITS, SCRAPS), damaged(LIMITS, SCRAPS), damaged(DATES, SCRAPS), damaged(("5", "0.5"), SCRAPS))
def test_a_wait_is_a_number_of_seconds_or_none(wait: str, limit: str, date: str, number: str) -> None:
    """Never negative, never without an end."""
    headers = {"Retry-After": wait, "RateLimit": limit, "RateLimit-Policy": limit, "Date": date, "Age": number}
    for sent in (headers, {"X-RateLimit-Reset": wait, "Retry-After-Ms": number}, {"Retry-After": date}):
        response = RawResponse(429, "", sent, bytearray(), 0.0, 0.0)
        seconds = response.retry_after
        assert seconds is None or (seconds >= 0 and math.isfinite(seconds))
        assert response.unread_wait is None or response.unread_wait in sent["Retry-After"]
        assert response.date is None or response.date.tzinfo is timezone.utc


@tries(600)
@given(damaged(LINKS, (*'<>;,="\\', "rel", "next", " ", "<" * 30, '"' * 30, "; " * 30)))
def test_a_link_is_part_of_its_header(header: str) -> None:
    """Or there is none."""
    link = next_link(header)
    assert link is None or link in header


@tries(200)
@given(st.text("abc/?&=;,%-_.:", min_size=1), st.sampled_from(['rel="next"', "rel=next", 'title=">"; rel="x next"']))
def test_a_link_is_read_as_it_was_written(target: str, relation: str) -> None:
    """Whatever is in its address, and whatever link is before it."""
    assert next_link(f'<{target}>; rel="first", <{target}>; {relation}') == target


HEADERS = ("X-A: b; X-C: d", "Cookie: a=b; c=d", '{"X-A": "b", "X-C": "d"}', "X-A: b\nX-C: d")


@tries(1000)
@given(damaged(HEADERS, (*':;{}"\\,', "\r\n", " ", "é", "\0", "\\u0041", "a: " * 20, "; " * 20)))
@example("X-A:;; X-C: d")
@example("\r\nX-A: b; X-C:\r\n")
def test_headers_of_a_setting_can_be_sent_or_are_refused(text: str) -> None:
    """A name is a token, a value printable ASCII, on one line."""
    with suppress(ValueError):
        for name, value in parse_headers(text).items():
            assert re.fullmatch(HEADER_NAME, name)
            assert re.fullmatch(r"[ -~]*", value) and value == value.strip() and value


@tries(200)
@given(
    st.dictionaries(
        st.from_regex(r"[A-Za-z][A-Za-z0-9-]{0,9}", fullmatch=True),
        st.from_regex(r"[a-zA-Z0-9=/+.-]([ a-zA-Z0-9=/+.-]{0,9}[a-zA-Z0-9=/+.-])?", fullmatch=True),
        min_size=1,
    )
)
def test_headers_are_read_as_they_were_written(headers: dict[str, str]) -> None:
    """In both forms."""
    assert parse_headers("; ".join(f"{name}: {value}" for name, value in headers.items())) == headers
    assert parse_headers("{" + ", ".join(f'"{name}": "{value}"' for name, value in headers.items()) + "}") == headers


PEM = "-----BEGIN CERTIFICATE-----\nMIIBszCCARygAwIBAgIUQ==\n-----END CERTIFICATE-----\n"


@tries(500)
@given(damaged((PEM, PEM.replace("\n", " "), PEM.replace("\n", r"\n"), PEM * 2), ("-----", "\\r", "\n", "é", PEM[:30])))
def test_certificates_are_cleaned_once(text: str) -> None:
    """What is clean stays; and what the setting's pattern accepts has a certificate."""
    clean = certificates(text)
    assert certificates(clean) == clean
    assert bool(clean) == (re.fullmatch(CERTIFICATES_PATTERN, text) is not None)


def test_a_date_is_in_utc() -> None:
    """The seed of the target above is right."""
    response = RawResponse(200, "", {"Date": DATES[0]}, bytearray(), 0.0, 0.0)
    assert response.date == datetime(2026, 5, 1, 10, tzinfo=timezone.utc)
