"""Responses in lines of JSON and in CSV: decoded completely, or refused."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from dev.testbed.loopback import Loopback, Reply
from engine.failures import Failure
from engine.http.decoding import NUL_CHARACTERS, Undecodable, decode_as
from engine.spec.formats import Csv, Lines
from engine.sync import sync
from tests.lists import HEAD, Server, alive, synced
from tests.shop import Lines as Log
from tests.shop import Recorder, connection
from tests.specs import edited

PRICES = f"""{HEAD}
  prices:
    description: One row per price.
    endpoint: GET /prices
    format: csv
    primary_key: id
    sync_mode: full_refresh
    fields:
      id: $.sku
      price: {{path: $.price, type: DECIMAL, precision: 12, scale: 2, format: text}}
      note: $['a note']
"""
EVENTS = edited(PRICES, replace={"streams.prices.format": "lines", "streams.prices.fields": {"id": "$.id"}})


@pytest.mark.parametrize(
    ("content", "documents"),
    [
        (b'{"id": 1}\n{"id": 2}\n', [{"id": 1}, {"id": 2}]),
        (b'{"id": 1}\r\n\r\n[2]\r\n"three"', [{"id": 1}, [2], "three"]),
        (b"", []),
        (b"\n", []),
    ],
)
def test_each_line_is_a_document(content: bytes, documents: list[Any]) -> None:
    """Empty lines are none, and the last one needs no end."""
    assert decode_as(Lines(), content) == (documents, {})


def test_each_line_is_repaired() -> None:
    """As a whole document would be."""
    assert decode_as(Lines(), b'{"a": "\\u0000x"}\n{"a": "y\\u0000"}') == (
        [{"a": "x"}, {"a": "y"}],
        {NUL_CHARACTERS: 2},
    )


@pytest.mark.parametrize(
    ("content", "rows"),
    [
        (b"a,b\n1,2\n3,4\n", [{"a": "1", "b": "2"}, {"a": "3", "b": "4"}]),
        (b'\xef\xbb\xbfa,b\r\n"1,5","say ""x""\nand y"\r\n', [{"a": "1,5", "b": 'say "x"\nand y'}]),
        (b"a,b\n1,\n\n,2", [{"a": "1", "b": None}, {"a": None, "b": "2"}]),
        ("größe\né\n".encode(), [{"größe": "é"}]),
        (b"a,b\n", []),
        pytest.param(b"a\n" + b"x" * 200_000, [{"a": "x" * 200_000}], id="a long cell"),
    ],
)
def test_a_row_has_a_value_for_each_column(content: bytes, rows: list[Any]) -> None:
    """By the names in the first row, which a byte order mark can precede. An empty cell is null."""
    assert decode_as(Csv(), content) == (rows, {})


def test_cells_are_separated_as_declared() -> None:
    """By a semicolon or a tab, for example."""
    assert decode_as(Csv(delimiter=";"), b"a;b\n1,5;2") == ([{"a": "1,5", "b": "2"}], {})
    assert decode_as(Csv(delimiter="\t"), b"a\tb\n1\t2") == ([{"a": "1", "b": "2"}], {})


def test_nul_characters_are_removed_from_cells() -> None:
    """No destination stores them; the log counts them."""
    assert decode_as(Csv(), b"a\nx\0y\n") == ([{"a": "xy"}], {NUL_CHARACTERS: 1})


@pytest.mark.parametrize(
    ("form", "content", "reason"),
    [
        (Lines(), b'{"id": 1}\n{"id": ', "of lines, of which line 2 is one that is not JSON"),
        (Lines(), b'[\n{"id": 1}\n]', "of lines, of which line 1 is one that is not JSON"),
        (Csv(), b"", "that is empty"),
        (Csv(), b'{"error": "no access"}', "that is JSON and not CSV"),
        (Csv(), b' [{"id": 1}]', "that is JSON and not CSV"),
        (Csv(), b'a,b\n1,"2', "that is not CSV: unexpected end of data in line 2"),
        (Csv(), b"a,b\n1\n", "that is not CSV: line 2 has not as many cells as the first"),
        (Csv(), b"a,b\n1,2\n3,4,5\n", "that is not CSV: line 3 has not as many cells as the first"),
        (Csv(), b"a\n\xff\n", "that is not text in UTF-8"),
    ],
)
def test_a_body_of_another_format_is_refused(form: Any, content: bytes, reason: str) -> None:
    """So is one that was cut: what is missing would count as gone."""
    with pytest.raises(Undecodable) as caught:
        decode_as(form, content)
    assert str(caught.value) == reason


def test_rows_of_csv_are_records(tmp_path: Path) -> None:
    """A list of them, wherever the api has the lists of its JSON."""
    text = edited(PRICES, add={"api.records": "$.data"})
    body = b'sku,price,a note\nA1,12.50,\nB2,-3,"cheap, but old"\n'
    server = Server(prices=Reply(body=body, headers={"Content-Type": "text/csv"}))
    recorder, _ = synced(server, tmp_path, text)
    rows = {key: (row["price"], row["note"]) for key, row in alive(recorder, "prices").items()}
    assert rows == {"A1": ("12.5", None), "B2": ("-3", "cheap, but old")}


def test_lines_are_records(tmp_path: Path) -> None:
    """In every request of the stream, if the api says so."""
    text = edited(EVENTS, remove=["streams.prices.format"], add={"api.format": "lines"})
    recorder, _ = synced(Server(prices=Reply(body=b'{"id": "a"}\n{"id": "b"}\n')), tmp_path, text)
    assert [*alive(recorder, "prices")] == ["a", "b"]


def test_a_body_that_is_cut_is_a_failure(tmp_path: Path) -> None:
    """It names the line; no row is deleted."""
    server = Server(prices=Reply(body=b'{"id": "a"}\n{"id": "b"}\n'))
    recorder, _ = synced(server, tmp_path, EVENTS)
    server.lists["prices"] = Reply(body=b'{"id": "a"}\n{"id": ')
    with pytest.raises(Failure, match="returned 200 with a body of lines, of which line 2 is one that is not JSON"):
        synced(server, tmp_path, EVENTS, recorder)
    assert [*alive(recorder, "prices")] == ["a", "b"]


@pytest.mark.parametrize(
    ("headers", "accepted"),
    [({}, "text/csv"), ({"api.headers": {"accept": "a/b"}}, "a/b")],
    ids=["default", "declared"],
)
def test_a_request_accepts_the_format(tmp_path: Path, headers: dict[str, Any], accepted: str) -> None:
    """Unless the file says what it accepts."""
    text = edited(PRICES, add={**headers, "streams.prices.enabled": True})
    with Loopback(lambda seen: Reply(body=b"sku,price,a note\n", headers={"Content-Type": "text/csv"})) as server:
        sync(connection(tmp_path, server.url, text), {}, Recorder(), Log())
    assert server.seen[0].headers["Accept"] == accepted


def test_the_limit_of_a_body_holds(tmp_path: Path) -> None:
    """Whatever its format."""
    text = edited(PRICES, add={"api.limits": {"body": "1KB"}})
    with pytest.raises(Failure, match="returned 200 with more than 1 KB"):
        synced(Server(prices=Reply(body=b"sku\n" + b"x\n" * 1000)), tmp_path, text)
