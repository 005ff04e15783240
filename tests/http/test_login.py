"""Authentication style login: what is sent, where the token is found, and how often a wrong password is sent."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from dev.testbed.loopback import Loopback, Reply, Seen
from engine.failures import Unauthorized
from engine.setup_form import setup_tests
from engine.spec.load import ResolvedSpec
from tests.http.full_shop import FULL_SHOP, full_shop, run
from tests.http.issuer import Issuer
from tests.http.test_authentication import basic
from tests.shop import Lines
from tests.specs import edited

STYLE: dict[str, Any] = {"style": "login", "endpoint": "POST /login/token", "token": "$.access_token"}
BODY = {**STYLE, "body": {"name": "${name}", "secret": {"password": "${password}"}, "remember": True}}
SETTINGS = {
    "configuration.name": {"description": "The user."},
    "configuration.password": {"description": "The password.", "secret": True},
}
USER = {"name": "someone", "password": "pa$$w0rd+/&"}
REMEDY = "Check that name and password in the configuration are valid."


def shop(folder: Path, url: str, style: dict[str, Any], settings: dict[str, str] = USER) -> ResolvedSpec:
    """The full shop with a login before basic authentication."""
    remove = ["api.csrf", "api.version", "configuration.api_key"]
    text = edited(FULL_SHOP, add=SETTINGS, replace={"api.authentication.0": style}, remove=remove)
    return full_shop(folder, url, text, **settings)


@pytest.fixture
def issuer() -> Issuer:
    return Issuer()


@pytest.fixture
def loopback(issuer: Issuer) -> Iterator[Loopback]:
    with Loopback(issuer) as server:
        yield server


JSON = {"name": "someone", "secret": {"password": "pa$$w0rd+/&"}, "remember": True}


@pytest.mark.parametrize(
    ("style", "content_type", "json", "header"),
    [
        (BODY, "application/json", JSON, None),
        ({**STYLE, "credentials": "${name}:${password}"}, None, None, basic("someone:pa$$w0rd+/&")),
        (
            {**STYLE, "credentials": "${name}:${password}", "body": {"for": "an hour"}},
            "application/json",
            {"for": "an hour"},
            basic("someone:pa$$w0rd+/&"),
        ),
    ],
    ids=["body", "credentials", "both"],
)
def test_the_login(
    tmp_path: Path,
    issuer: Issuer,
    loopback: Loopback,
    style: dict[str, Any],
    content_type: str | None,
    json: Any,
    header: str | None,
) -> None:
    """One serves all requests, which carry its token."""
    recorder, lines = run(shop(tmp_path, loopback.url, style))
    assert len(recorder.tables["orders"]) == 25
    (seen,) = issuer.issued
    assert (seen.method, seen.path, seen.json) == ("POST", "/api/login/token", json)
    assert (seen.headers.get("Content-Type"), seen.headers.get("Authorization")) == (content_type, header)
    assert {one.headers["Authorization"] for one in loopback.seen if one is not seen} == {"Bearer token-1"}
    assert lines.warnings == []


def test_a_login_form(tmp_path: Path, issuer: Issuer, loopback: Loopback) -> None:
    """As a browser would send it."""
    run(shop(tmp_path, loopback.url, {**STYLE, "form": {"user": "${name}", "pass": "${password}"}}))
    assert issuer.forms() == [{"user": "someone", "pass": "pa$$w0rd+/&"}]
    assert issuer.issued[0].headers["Content-Type"] == "application/x-www-form-urlencoded"


def test_a_token_in_a_header(tmp_path: Path, issuer: Issuer, loopback: Loopback) -> None:
    """The response needs no body. Requests carry the token in a header of another name, without a prefix."""
    issuer.header = "X-Subject-Token"
    loopback.answer = lambda seen: issuer(seen) if seen.path.endswith("/token") else Reply([])
    style = {**BODY, "token": {"header": "x-subject-token"}, "header": "X-Auth-Token", "prefix": ""}
    run(shop(tmp_path, loopback.url, style))
    carried = {(s.headers.get("X-Auth-Token"), s.headers.get("Authorization")) for s in loopback.seen[1:]}
    assert carried == {("token-1", None)}


def test_a_session_that_ends_is_renewed(tmp_path: Path, issuer: Issuer, loopback: Loopback) -> None:
    """With another login, in the middle of a sync. That is no failure: no warning, no retry."""
    issuer.uses = 2
    recorder, lines = run(shop(tmp_path, loopback.url, BODY))
    assert len(recorder.tables["orders"]) == 25
    assert len(issuer.issued) >= 2
    assert lines.warnings == []


SIGN_IN = Reply(body=b"<html>Wrong password", headers={"Content-Type": "text/html"})


@pytest.mark.parametrize(
    ("style", "reply", "words"),
    [
        (BODY, Reply({"message": "wrong password"}, status=401), 'returned 401 Unauthorized: {"message": "wrong'),
        (BODY, Reply({"success": False, "message": "wrong password"}), "returned 200 OK: wrong password"),
        (BODY, SIGN_IN, "returned 200 with a web page (text/html) instead of JSON"),
        (BODY, Reply({"session": "s3cret-session"}), "returned 200 OK: no token at $.access_token"),
        ({**BODY, "token": {"header": "X-T"}}, Reply({"session": 1}), "returned 200 OK: no token in the header X-T"),
    ],
    ids=["401", "error in the body", "sign-in page", "no token", "no header"],
)
def test_a_login_that_fails_is_not_repeated(
    tmp_path: Path, issuer: Issuer, loopback: Loopback, style: dict[str, Any], reply: Reply, words: str
) -> None:
    """A wrong password that is sent again locks accounts. Nothing that could be a token is shown."""
    issuer.rejected = [reply]
    with pytest.raises(Unauthorized) as caught:
        run(shop(tmp_path, loopback.url, style))
    message = str(caught.value)
    assert message.startswith(f"authentication: POST /login/token at {loopback.url}/login/token: {words}")
    assert message.endswith(REMEDY)
    assert "s3cret-session" not in message
    assert len(loopback.seen) == 1


@pytest.mark.parametrize(
    "style",
    [
        BODY,
        {**STYLE, "form": {"name": "${name}", "text": "password ${password}"}},
        {**STYLE, "credentials": "${name}:${password}"},
    ],
    ids=["body", "form", "credentials"],
)
def test_without_a_value_the_next_style_is_used(tmp_path: Path, style: dict[str, Any]) -> None:
    """Nobody logs in."""

    def answer(seen: Seen) -> Reply:
        assert "token" not in seen.path
        return Reply([])

    with Loopback(answer) as server:
        run(shop(tmp_path, server.url, style, {"name": "someone", "user": "a:b"}))
        assert {seen.headers["Authorization"] for seen in server.seen} == {basic("a:b")}


def test_the_setup_form_logs_in(tmp_path: Path, issuer: Issuer, loopback: Loopback) -> None:
    """A wrong password is the result of the test of the credentials."""
    shop(tmp_path, loopback.url, BODY)
    by_name = {test.name: test.run for test in setup_tests(tmp_path / "streams.yaml", Lines())}
    configuration = {"api_url": loopback.url, **USER}
    assert by_name["key_is_accepted"](configuration) is None
    issuer.rejected = [Reply({"error": "wrong password"}, status=403)]
    assert "returned 403 Forbidden: wrong password. Check that" in (by_name["key_is_accepted"](configuration) or "")
