"""Authentication styles, extra headers and CSRF tokens."""

from __future__ import annotations

import base64
import itertools
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from dev.testbed.loopback import Answerer, Loopback, Reply, Seen, rows_by_offset
from engine.declare.headers import parse_headers
from engine.failures import Failure, Unauthorized
from engine.http.client import Client
from tests.http.full_shop import FULL_SHOP, full_shop, request_orders, run
from tests.shop import Lines, orders
from tests.specs import edited


@pytest.fixture
def loopback() -> Iterator[Loopback]:
    with Loopback(rows_by_offset(orders(25))) as server:
        yield server


def basic(credentials: str) -> str:
    return f"Basic {base64.b64encode(credentials.encode()).decode()}"


@pytest.mark.parametrize(
    ("settings", "expected"),
    [
        ({}, None),
        ({"api_key": "k3y"}, "Bearer k3y"),
        ({"user": "someone:pass:word é"}, basic("someone:pass:word é")),
        ({"user": ":only-a-password"}, basic(":only-a-password")),
        ({"api_key": "k3y", "user": "someone:pass"}, "Bearer k3y"),
        ({"headers": "Authorization: Custom x"}, "Custom x"),
        ({"headers": "Authorization: Custom x", "api_key": "k3y"}, "Bearer k3y"),
    ],
)
def test_the_first_style_with_values_is_used(
    tmp_path: Path, loopback: Loopback, settings: dict[str, str], expected: str | None
) -> None:
    """In the order of the spec. Without values no header is sent. A style wins over an extra header of its name."""
    run(full_shop(tmp_path, loopback.url, **settings))
    assert {seen.headers.get("Authorization") for seen in loopback.seen} == {expected}


KEY_IN_THE_QUERY = {"style": "query", "name": "key", "value": "${api_key}"}


def test_a_key_in_the_query_is_sent_with_every_request(tmp_path: Path, loopback: Loopback) -> None:
    """Once each: it is added to a link to the next page that lacks it, and replaces that of one that has another."""
    text = edited(FULL_SHOP, replace={"api.authentication.0": KEY_IN_THE_QUERY, "api.pagination": {"style": "link"}})
    links = {None: "?page=2&key=old", "2": "/api/orders/filter?page=3"}

    def answer(seen: Seen) -> Reply:
        page = seen.query.get("page", [None])[0]
        link = f'<{links[page]}>; rel="next"' if page in links else None
        return Reply(orders(3)[int(page or 1) - 1 :][:1], headers={"Link": link})

    loopback.answer = answer
    recorder, _ = run(full_shop(tmp_path, loopback.url, text, api_key="k&y+"))
    assert len(recorder.tables["orders"]) == 3
    assert [seen.query["key"] for seen in loopback.seen] == [["k&y+"]] * 3
    assert {seen.headers.get("Authorization") for seen in loopback.seen} == {None}


@pytest.mark.parametrize(
    ("style", "settings", "expected"),
    [
        ({"style": "header", "value": "Token token=${api_key}"}, {"api_key": "k3y"}, "Token token=k3y"),
        ({"style": "header", "value": "Token token=${api_key}"}, {"user": "a:b"}, basic("a:b")),
        ({"style": "header", "value": "${api_key}"}, {"api_key": "k3y"}, "k3y"),
        ({"style": "basic", "credentials": "${api_key}:"}, {"api_key": "k3y", "user": "a:b"}, basic("k3y:")),
        ({"style": "basic", "credentials": "${api_key}:"}, {"user": "a:b"}, basic("a:b")),
        ({**KEY_IN_THE_QUERY, "value": "key ${api_key}"}, {"user": "a:b"}, basic("a:b")),
    ],
)
def test_a_value_is_empty_if_a_setting_in_it_is(
    tmp_path: Path, loopback: Loopback, style: dict[str, str], settings: dict[str, str], expected: str
) -> None:
    """What is written around the setting is no credential: the next style is used."""
    if style["style"] == "header":
        style = {"name": "Authorization", **style}
    run(full_shop(tmp_path, loopback.url, edited(FULL_SHOP, replace={"api.authentication.0": style}), **settings))
    assert {seen.headers.get("Authorization") for seen in loopback.seen} == {expected}


@pytest.mark.parametrize(
    ("settings", "hint"),
    [
        ({}, "The server requires authentication; set api_key and user in the configuration"),
        ({"api_key": "k3y"}, "Check that api_key in the configuration is valid."),
        ({"user": "a:b"}, "Check that user in the configuration is valid."),
        (
            {"api_key": "k3y", "user": "a:b"},
            "Check that api_key in the configuration is valid; user is set too, and not used",
        ),
    ],
)
def test_a_401_names_the_setting_that_was_used(
    tmp_path: Path, loopback: Loopback, settings: dict[str, str], hint: str
) -> None:
    """The remedy also names a setting that is set and not used: often that is the one meant."""
    loopback.answer = lambda seen: Reply({"detail": "no"}, status=401)
    with pytest.raises(Unauthorized) as caught:
        run(full_shop(tmp_path, loopback.url, **settings))
    assert hint in str(caught.value)


def test_a_403_names_a_second_key_in_a_header(tmp_path: Path, loopback: Loopback) -> None:
    """Either can be wrong. A version, which is no secret, cannot."""
    settings = {
        "configuration.app_key": {"description": "The application's key.", "secret": True},
        "configuration.since": {"description": "The version."},
        "api.headers": {"X-App-Key": "${app_key}", "X-Version": "${since}"},
    }
    loopback.answer = lambda seen: Reply({"detail": "no"}, status=403)
    text = edited(FULL_SHOP, add=settings)
    with pytest.raises(Unauthorized, match="Check that api_key and app_key in the configuration have the required"):
        run(full_shop(tmp_path, loopback.url, text, api_key="k3y", app_key="s3cond", since="v1"))


@pytest.mark.parametrize(
    ("text", "headers"),
    [
        ("", {}),
        ("A: x", {"A": "x"}),
        ("A: x; B-C:y;", {"A": "x", "B-C": "y"}),
        ("A: x\r\nB: y\n", {"A": "x", "B": "y"}),
        ("Cookie: a=b; c=d; E: f", {"Cookie": "a=b; c=d", "E": "f"}),
        ("A: Bearer x:y", {"A": "Bearer x:y"}),
        ('{"A": "x; y: z", "B": "\\"q\\""}', {"A": "x; y: z", "B": '"q"'}),
    ],
)
def test_headers_in_one_setting(text: str, headers: dict[str, str]) -> None:
    """Separated by line breaks or semicolons, or as JSON."""
    assert parse_headers(text) == headers


@pytest.mark.parametrize("text", ["A", "A:", "A: x; B:", "A B: x", "A: é", '{"A": 1}', '{"A": "x"', '{"A": " "}', "{}"])
def test_malformed_headers_are_an_error_that_does_not_quote_them(text: str) -> None:
    """A header without a value is malformed too: it would be sent empty."""
    with pytest.raises(ValueError, match=r"^expected headers as"):
        parse_headers(text)


def test_extra_headers_are_sent_with_every_request(tmp_path: Path, loopback: Loopback) -> None:
    """Requests that count rows carry them as well."""
    run(full_shop(tmp_path, loopback.url, headers="X-Access-Id: me; X-Access-Secret: s3cret"))
    assert {(s.headers["X-Access-Id"], s.headers["X-Access-Secret"]) for s in loopback.seen} == {("me", "s3cret")}
    assert {seen.path for seen in loopback.seen} == {"/api/orders/filter", "/api/orders/count"}


class Protected:
    """Serves requests with their client's newest token, as Prefect does. A token expires after ``uses`` requests."""

    def __init__(self, rows: Answerer, uses: int = 10**9) -> None:
        self.rows, self.uses = rows, uses
        self.fetched = 0
        self.tokens: dict[str, list[int | str]] = {}
        self.numbers = itertools.count()
        self.lock = threading.Lock()

    def __call__(self, seen: Seen) -> Reply:
        with self.lock:
            if seen.path == "/api/token":
                self.fetched += 1
                token = f"token-{next(self.numbers)}"
                self.tokens[seen.query["client"][0]] = [token, self.uses]
                return Reply({"token": token})
            current = self.tokens.get(seen.headers.get("X-Client", ""))
            if current is None or current[0] != seen.headers.get("X-Token") or current[1] == 0:
                return Reply({"detail": "Invalid CSRF token or client identifier."}, status=403)
            assert isinstance(current[1], int)
            current[1] -= 1
        return self.rows(seen)


def test_a_csrf_token_is_fetched_when_the_server_requires_one(tmp_path: Path, loopback: Loopback) -> None:
    """It is fetched once. The 403 that requires it is not a failure: no warning, no retry."""
    loopback.answer = protected = Protected(rows_by_offset(orders(25)))
    recorder, lines = run(full_shop(tmp_path, loopback.url))
    assert len(recorder.tables["orders"]) == 25
    assert (protected.fetched, lines.warnings) == (1, [])


def test_an_expired_csrf_token_is_renewed(tmp_path: Path, loopback: Loopback) -> None:
    """In the middle of a sync, each time it expires."""
    loopback.answer = protected = Protected(rows_by_offset(orders(45)), uses=2)
    recorder, lines = run(full_shop(tmp_path, loopback.url))
    assert len(recorder.tables["orders"]) == 45
    assert protected.fetched > 2
    assert lines.warnings == []


def test_threads_share_a_csrf_token(tmp_path: Path, loopback: Loopback) -> None:
    """A second token for the same client would invalidate the one that the other threads use."""
    loopback.answer = protected = Protected(lambda seen: Reply([], delay=0.01))
    with Client(full_shop(tmp_path, loopback.url), Lines()) as client, ThreadPoolExecutor(8) as pool:
        for answer in pool.map(lambda _: request_orders(client), range(64)):
            assert answer.value == []
    assert protected.fetched == 1


@pytest.mark.parametrize("status", [404, 403, 422])
def test_a_server_without_csrf_protection(tmp_path: Path, loopback: Loopback, status: int) -> None:
    """No token is fetched. If a 403 has another cause, the failure quotes that response, which is requested once."""
    run(full_shop(tmp_path, loopback.url))
    assert "/api/token" not in {seen.path for seen in loopback.seen}
    loopback.seen.clear()
    loopback.answer = lambda seen: Reply({"detail": "Not yours."}, status=status if "token" in seen.path else 403)
    with pytest.raises(Unauthorized, match=r"returned 403 Forbidden: .*Not yours\."):
        run(full_shop(tmp_path, loopback.url))
    paths = [seen.path for seen in loopback.seen]
    assert len(paths) == len(set(paths)), paths


@pytest.mark.parametrize("answer", [{"token": None}, {"token": "a\nb"}, {"token": ""}, {}, []])
def test_a_malformed_csrf_token_is_a_failure(tmp_path: Path, loopback: Loopback, answer: object) -> None:
    """It is never sent in a header."""
    loopback.answer = lambda seen: Reply(answer) if "token" in seen.path else Reply({"detail": "No."}, status=403)
    with pytest.raises(Failure, match=r"CSRF token: GET /token .*returned 200 with no token at \$\.token"):
        run(full_shop(tmp_path, loopback.url))


def test_missing_credentials_are_reported_before_a_missing_csrf_token(tmp_path: Path, loopback: Loopback) -> None:
    """Prefect checks the token first. If the request for a token gets a 401, the credentials are what is missing."""
    loopback.answer = lambda seen: Reply({"detail": "Who?"}, status=401 if "token" in seen.path else 403)
    with pytest.raises(Unauthorized, match=r"returned 401.*Who\?.*set api_key and user in the configuration"):
        run(full_shop(tmp_path, loopback.url))
