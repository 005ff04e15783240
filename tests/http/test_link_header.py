"""The Link header, as RFC 8288 has it and as servers send it."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from engine.http.response import RawResponse


def link(header: str) -> str | None:
    """The next page of a response with this Link header."""
    return RawResponse(200, "", {"Link": header}, bytearray(), 0.0, 0.0).next_link


LINKS = [
    ('<https://h/items?page=2>; rel="next"', "https://h/items?page=2"),
    ("</items?page=2>;rel=next", "/items?page=2"),
    ('</items;v=1?page=2;x>; rel="next"', "/items;v=1?page=2;x"),
    ('</items?ids=1,2,3&page=2>; rel="next"', "/items?ids=1,2,3&page=2"),
    ('</a;b>; rel="first", </a;c?page=2>; rel="next"', "/a;c?page=2"),
    ('</1>; rel="first",</2>; rel="prev",</3>;rel="next",</4>; rel="last"', "/3"),
    ('</1>; title="a, <b>; rel=next"; rel="prev", </3>; rel="next"', "/3"),
    ('</2>; title="a \\" b"; rel="last next"', "/2"),
    ("</2> ; REL = NEXT", "/2"),
    ("</2>; rel='next'", "/2"),
    ("</2>; rel=first; rel=next", None),
    ("https://h/items?page=2; rel=next", "https://h/items?page=2"),
    ('</1>; rel="nextish"', None),
    ("; rel=next", None),
    ("</1>", None),
    ("", None),
]


def test_the_next_page_is_found() -> None:
    """Whatever its address contains and whichever links come before it."""
    for header, target in LINKS:
        assert link(header) == target, header


@given(st.text(alphabet='<>;,="\\ relnxt/?', max_size=60))
def test_any_header_is_read(header: str) -> None:
    """Nothing that a server sends raises."""
    found = link(header)
    assert found is None or isinstance(found, str)


def test_a_long_header_is_read_in_linear_time() -> None:
    """Neither quotes nor brackets that are never closed make it slow."""
    for part in ('</a>; x="', "<", "</a>; ", ";x=", "</a>" + " " * 50, '\\"'):
        assert link(part * 5_000) is None
