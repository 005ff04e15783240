"""Authentication style oauth2: how tokens are requested, shared and renewed, and what a rejection says."""

from __future__ import annotations

import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest

from dev.testbed.certificates import make_authority
from dev.testbed.loopback import Loopback, Reply, dead_port
from engine.authentication.credentials import Credentials
from engine.failures import Failure, ServerDown, Unauthorized
from engine.http.access_token import AccessToken
from engine.http.client import Client
from engine.setup_form import form_fields, setup_tests
from engine.spec.load import ResolvedSpec, load
from tests.http.full_shop import FULL_SHOP, full_shop, request_orders, run
from tests.http.issuer import Issuer
from tests.http.test_authentication import Protected, basic
from tests.shop import STREAMS, Lines
from tests.specs import edited
from tools.cli import main

STYLE: dict[str, Any] = {
    "style": "oauth2",
    "endpoint": "POST /oauth2/token",
    "client_id": "${client_id}",
    "client_secret": "${client_secret}",
}
REFRESH = {**STYLE, "refresh_token": "${refresh_token}"}
CLIENT = {"client_id": "shop-sync", "client_secret": "s3cret/+=:"}
SETTINGS = {
    "configuration.client_id": {"description": "The client."},
    "configuration.client_secret": {"description": "Its secret.", "secret": True},
    "configuration.refresh_token": {"description": "A refresh token.", "secret": True},
}


def shop(folder: Path, url: str, style: dict[str, Any], settings: dict[str, str] = CLIENT, **api: Any) -> ResolvedSpec:
    """The full shop with an oauth2 style before basic authentication, and with other values of the api."""
    replace = {"api.authentication.0": style}
    remove = ["api.csrf", "api.version", "configuration.api_key"]
    text = edited(FULL_SHOP, add=SETTINGS, replace=replace, remove=remove)
    text = edited(text, add={f"api.{name}": value for name, value in api.items()}) if api else text
    return full_shop(folder, url, text, **settings)


@pytest.fixture
def issuer() -> Issuer:
    return Issuer()


@pytest.fixture
def loopback(issuer: Issuer) -> Iterator[Loopback]:
    with Loopback(issuer) as server:
        yield server


ENCODED = basic("shop-sync:s3cret%2F%2B%3D%3A")


@pytest.mark.parametrize(
    ("style", "header", "form"),
    [
        (STYLE, ENCODED, {"grant_type": "client_credentials"}),
        ({**STYLE, "send": "body"}, None, {"grant_type": "client_credentials", **CLIENT}),
        (
            {**STYLE, "scope": "a b", "parameters": {"audience": "https://shop.test", "resource": ""}},
            ENCODED,
            {"grant_type": "client_credentials", "scope": "a b", "audience": "https://shop.test"},
        ),
        (
            {**STYLE, "parameters": {"grant_type": "account_credentials", "account_id": "7"}},
            ENCODED,
            {"grant_type": "account_credentials", "account_id": "7"},
        ),
        (REFRESH, ENCODED, {"grant_type": "refresh_token", "refresh_token": "r3fresh"}),
        (
            {name: value for name, value in REFRESH.items() if name != "client_secret"},
            None,
            {"grant_type": "refresh_token", "refresh_token": "r3fresh", "client_id": "shop-sync"},
        ),
    ],
    ids=["basic", "body", "scope and parameters", "another grant", "refresh token", "public client"],
)
def test_the_request_for_a_token(
    tmp_path: Path, issuer: Issuer, loopback: Loopback, style: dict[str, Any], header: str | None, form: dict[str, str]
) -> None:
    """A form (RFC 6749, 4.4.2 and 6). In the header, id and secret are form-encoded (2.3.1). One is enough."""
    recorder, lines = run(shop(tmp_path, loopback.url, style, {**CLIENT, "refresh_token": "r3fresh"}))
    assert len(recorder.tables["orders"]) == 25
    assert issuer.forms() == [form]
    (seen,) = issuer.issued
    assert (seen.method, seen.path, seen.headers.get("Authorization")) == ("POST", "/api/oauth2/token", header)
    assert seen.headers["Accept"] == "application/json"
    assert {s.headers["Authorization"] for s in loopback.seen if s is not seen} == {"Bearer token-1"}
    assert lines.warnings == []


def test_another_header_and_prefix(tmp_path: Path, issuer: Issuer, loopback: Loopback) -> None:
    """For APIs that do not take the token as RFC 6750 says."""
    loopback.answer = lambda seen: issuer(seen) if "token" in seen.path else Reply([])
    run(shop(tmp_path, loopback.url, {**STYLE, "header": "X-Token", "prefix": ""}))
    assert {(s.headers.get("X-Token"), "Authorization" in s.headers) for s in loopback.seen[1:]} == {("token-1", False)}


def test_a_rejected_token_is_renewed(tmp_path: Path, issuer: Issuer, loopback: Loopback) -> None:
    """Each time that the server rejects it, in the middle of a sync. That is no failure: no warning, no retry."""
    issuer.uses = 2
    recorder, lines = run(shop(tmp_path, loopback.url, STYLE))
    assert len(recorder.tables["orders"]) == 25
    assert len(issuer.issued) >= 2
    assert lines.warnings == []


def test_a_new_token_that_is_rejected_ends_the_sync(tmp_path: Path, issuer: Issuer, loopback: Loopback) -> None:
    """It is renewed once for a request: a third one would be rejected like the first two."""
    issuer.uses = 0
    with pytest.raises(
        Unauthorized, match=r"orders: POST /orders/filter .*the token is not valid.*Check that client_id"
    ):
        run(shop(tmp_path, loopback.url, STYLE))
    assert len(issuer.issued) == 2
    assert len(loopback.seen) == 4


def test_threads_share_a_token(tmp_path: Path, issuer: Issuer, loopback: Loopback) -> None:
    """The first one and, when the server revokes it, the next one."""
    issuer.rows = lambda seen: Reply([])
    with Client(shop(tmp_path, loopback.url, STYLE), Lines()) as client, ThreadPoolExecutor(8) as pool:
        list(pool.map(lambda _: request_orders(client), range(32)))
        assert len(issuer.issued) == 1
        issuer.valid.clear()
        list(pool.map(lambda _: request_orders(client), range(32)))
    assert len(issuer.issued) == 2


def test_a_csrf_token_and_an_access_token(tmp_path: Path, issuer: Issuer, loopback: Loopback) -> None:
    """Each is renewed when the server rejects it, also if it rejects one after the other."""
    issuer.uses, issuer.rows = 3, Protected(issuer.rows, uses=2)
    text = edited(FULL_SHOP, add=SETTINGS, replace={"api.authentication.0": STYLE})
    recorder, lines = run(full_shop(tmp_path, loopback.url, text, **CLIENT))
    assert len(recorder.tables["orders"]) == 25
    assert (len(issuer.issued) > 1, issuer.rows.fetched > 1, lines.warnings) == (True, True, [])


@pytest.mark.parametrize(
    ("expires_in", "seconds"),
    [(3600, 3540), ("3599", 3539), (100, 90), (0.5, 0.45), (0, None), (None, None), ("soon", None), (True, None)],
)
def test_when_the_next_token_is_due(
    tmp_path: Path, issuer: Issuer, loopback: Loopback, expires_in: Any, seconds: float | None
) -> None:
    """A minute before this one expires, or a tenth of its lifetime if that is less; never, if nobody knows when."""
    issuer.extra = {"expires_in": expires_in}
    with Client(shop(tmp_path, loopback.url, STYLE), Lines()) as client:
        before = time.monotonic()
        renew_at = client._authentication.credentials().renew_at
        after = time.monotonic()
    assert renew_at is None if seconds is None else renew_at and before <= renew_at - seconds <= after


def test_a_token_is_renewed_before_it_expires() -> None:
    """When it is due, and not before."""
    now, fetched = [0.0], 0

    def fetch() -> Credentials:
        nonlocal fetched
        fetched += 1
        return Credentials({"Token": str(fetched)}, renew_at=now[0] + 60)

    token = AccessToken(fetch, lambda: now[0])
    for now[0], expected in ((0.0, "1"), (59.9, "1"), (60.0, "2"), (119.9, "2"), (500.0, "3")):
        assert token.credentials().headers == {"Token": expected}


WRONG = {"error": "invalid_client", "error_description": "no such\nclient"}
SETTINGS_ARE = "Check that client_id and client_secret in the configuration are valid."
ENDPOINT_IS = "Check api.authentication[0].endpoint in streams.yaml."


@pytest.mark.parametrize(
    ("reply", "words", "remedy"),
    [
        (Reply(WRONG, status=400), r"returned 400 Bad Request: invalid_client (no such client)", SETTINGS_ARE),
        (Reply(WRONG, status=401), r"returned 401 Unauthorized: invalid_client (no such client)", SETTINGS_ARE),
        (Reply({"error": "invalid_scope"}, status=400), "returned 400 Bad Request: invalid_scope", SETTINGS_ARE),
        (Reply({"message": "locked"}, status=403), 'returned 403 Forbidden: {"message": "locked"}', SETTINGS_ARE),
        (Reply({"error": "bad_verification"}, status=200), "returned 200 OK: bad_verification", SETTINGS_ARE),
        (Reply({"ok": False, "message": "no"}), "returned 200 OK: no", SETTINGS_ARE),
        (Reply({"token": "t0ken"}), "returned 200 OK: no token at $.access_token", SETTINGS_ARE),
        (Reply({"access_token": 7}), "returned 200 OK: something other than a token at $.access_token", SETTINGS_ARE),
        (Reply({"access_token": "a\nb"}), "something other than a token at $.access_token", SETTINGS_ARE),
        (Reply(["t0ken"]), "returned 200 OK: no token at $.access_token", SETTINGS_ARE),
        (Reply({}, status=404), "returned 404 Not Found", ENDPOINT_IS),
        (Reply(status=302, headers={"Location": "https://login.test/"}), "returned 302 Found", ENDPOINT_IS),
        (Reply({"error": "x" * 999}, status=400), f"invalid: {'x' * 500}..."[8:], SETTINGS_ARE),
    ],
)
def test_a_token_that_is_not_issued_ends_the_sync(
    tmp_path: Path, issuer: Issuer, loopback: Loopback, reply: Reply, words: str, remedy: str
) -> None:
    """With the server's words, after one request: more could lock the account. No token that it issued is shown."""
    issuer.rejected = [reply]
    with pytest.raises(Unauthorized) as caught:
        run(shop(tmp_path, loopback.url, STYLE))
    message = str(caught.value)
    assert message.startswith(f"authentication: POST /oauth2/token at {loopback.url}/oauth2/token: ")
    assert words in message
    assert message.endswith(remedy)
    assert "t0ken" not in message
    assert caught.value.status == 401
    assert len(loopback.seen) == 1


def test_no_stream_is_read_without_a_token(tmp_path: Path, issuer: Issuer, loopback: Loopback) -> None:
    """A rejection ends the sync at once, instead of once for each stream."""
    text = edited(STREAMS, add=SETTINGS, replace={"api.authentication": STYLE})
    issuer.rejected = [Reply(WRONG, status=401)] * 9
    with pytest.raises(Unauthorized) as caught:
        run(full_shop(tmp_path, loopback.url, text, **CLIENT))
    assert str(caught.value).count("invalid_client") == len(issuer.issued) == 1


def test_transient_failures_are_retried(tmp_path: Path, issuer: Issuer, loopback: Loopback) -> None:
    """As those of other requests, with warnings that name the authentication."""
    issuer.rejected = [
        Reply(status=503),
        Reply(status=429, headers={"Retry-After": "0.01"}),
        Reply(body=b"{", status=200),
        Reply(hang_up=True),
    ]
    recorder, lines = run(shop(tmp_path, loopback.url, STYLE))
    assert len(recorder.tables["orders"]) == 25
    assert len(issuer.issued) == 5
    assert len(lines.warnings) == 4
    assert all(line.startswith("authentication: POST /oauth2/token: ") for line in lines.warnings)


def test_a_token_endpoint_that_stays_down(tmp_path: Path, issuer: Issuer, loopback: Loopback) -> None:
    """The failure names the endpoint. If nothing listens there, that ends the sync."""
    issuer.rejected = [Reply(status=500)] * 4
    with pytest.raises(Failure, match="returned 500 Internal Server Error; gave up after 4 attempts") as caught:
        run(shop(tmp_path, loopback.url, STYLE))
    assert "Check that the server is up and api.authentication[0].endpoint in streams.yaml is right" in str(
        caught.value
    )
    endpoint = f"POST http://127.0.0.1:{dead_port()}/token"
    with pytest.raises(ServerDown, match=r"authentication: POST /token at http://127\.0\.0\.1:\d+/token: no response"):
        run(shop(tmp_path, loopback.url, {**STYLE, "endpoint": endpoint}))


def test_the_rate_limit_is_that_of_the_api(tmp_path: Path, issuer: Issuer, loopback: Loopback) -> None:
    """A request for a token takes no turn from the requests for rows."""
    rate_limit, limits = {"requests": 1, "per": "1h"}, {"duration": "30s"}
    with Client(shop(tmp_path, loopback.url, STYLE, rate_limit=rate_limit, limits=limits), Lines()) as client:
        assert len(request_orders(client).value) == 10


@pytest.mark.parametrize("is_same", [True, False], ids=["below the base URL", "another server"])
def test_headers_of_the_api_stay_on_its_server(tmp_path: Path, issuer: Issuer, is_same: bool) -> None:
    """They can open a proxy in front of the API, and are nobody else's business."""
    with Loopback(issuer) as server, Loopback(issuer) as login:
        endpoint = "POST /oauth2/token" if is_same else f"POST {login.url}/oauth2/token"
        settings = {**CLIENT, "headers": "X-Access: s3cret"}
        run(shop(tmp_path, server.url, {**STYLE, "endpoint": endpoint}, settings, headers={"X-Client": "us"}))
        assert len(login.seen) == (0 if is_same else 1)
    (seen,) = issuer.issued
    assert ("X-Access" in seen.headers, "X-Client" in seen.headers) == (is_same, is_same)
    assert "shop-fivetran-connector" in seen.headers["User-Agent"]


def test_certificates_and_proxies_are_those_of_the_api(tmp_path: Path, issuer: Issuer) -> None:
    """A token endpoint of the same company has the same authority, and is behind the same proxy."""
    authority = make_authority(tmp_path)
    with Loopback(issuer) as server, Loopback(issuer, tls=authority.server) as login:
        style = {**STYLE, "endpoint": f"POST {login.url}/token"}
        run(shop(tmp_path, server.url, style, {**CLIENT, "authority": authority.certificate}))
        assert len(login.seen) == 1
    with Loopback(issuer) as proxy:
        address = proxy.url.removesuffix("/api")
        style = {**STYLE, "endpoint": "POST http://localhost:1/token"}
        run(shop(tmp_path, "http://shop.invalid/api", style, {**CLIENT, "proxy": address}))
        assert proxy.seen[0].path == "/token"


@pytest.mark.parametrize("new", ["r3fresh", "", None])
def test_a_refresh_token_that_stays(tmp_path: Path, issuer: Issuer, loopback: Loopback, new: str | None) -> None:
    """The server repeats it, or does not mention it (RFC 6749, 6)."""
    issuer.extra = {"refresh_token": new}
    recorder, _ = run(shop(tmp_path, loopback.url, REFRESH, {**CLIENT, "refresh_token": "r3fresh"}))
    assert len(recorder.tables["orders"]) == 25


def test_a_refresh_token_that_is_replaced(tmp_path: Path, issuer: Issuer, loopback: Loopback) -> None:
    """The failure says why the new one is not kept, and what to do. It shows neither of them."""
    issuer.extra = {"refresh_token": "n3w-one"}
    with pytest.raises(Unauthorized) as caught:
        run(shop(tmp_path, loopback.url, REFRESH, {**CLIENT, "refresh_token": "r3fresh"}))
    message = str(caught.value)
    assert "issued a new refresh token" in message
    assert "only in its state, where anyone can read it" in message
    assert "set new_refresh_token: ignore" in message
    assert not {"n3w-one", "r3fresh", "token-1"} & {*message.split()}
    assert len(loopback.seen) == 1


def test_a_new_refresh_token_can_be_ignored(tmp_path: Path, issuer: Issuer, loopback: Loopback) -> None:
    """For servers on which the earlier one stays valid: it is sent each time. Client credentials have none to keep."""
    issuer.extra, issuer.uses = {"refresh_token": "n3w-one"}, 2
    style = {**REFRESH, "new_refresh_token": "ignore"}
    run(shop(tmp_path, loopback.url, style, {**CLIENT, "refresh_token": "r3fresh"}))
    assert {form["refresh_token"] for form in issuer.forms()} == {"r3fresh"}
    run(shop(tmp_path, loopback.url, STYLE))


@pytest.mark.parametrize("empty", ["client_id", "client_secret", "refresh_token"])
def test_without_a_value_the_next_style_is_used(tmp_path: Path, empty: str) -> None:
    """No token is requested."""
    settings = {**CLIENT, "refresh_token": "r3fresh", "user": "a:b", empty: ""}
    with Loopback(lambda seen: Reply([])) as server:
        run(shop(tmp_path, server.url, REFRESH, settings))
        assert {seen.headers["Authorization"] for seen in server.seen} == {basic("a:b")}


def test_an_endpoint_in_a_setting(tmp_path: Path, issuer: Issuer, loopback: Loopback) -> None:
    """Without a value, the next style is used; http:// is for this machine only."""
    text = edited(
        FULL_SHOP,
        add={**SETTINGS, "configuration.token_url": {"type": "url", "description": "Where tokens are."}},
        replace={"api.authentication.0": {**STYLE, "endpoint": "POST ${token_url}"}},
    )
    run(full_shop(tmp_path, loopback.url, text, **CLIENT, token_url=f"{loopback.url}/login/token"))
    assert [seen.path for seen in issuer.issued] == ["/api/login/token"]
    spec = full_shop(tmp_path, loopback.url, text, **CLIENT, user="a:b")
    assert "Basic" in str(Client(spec, Lines())._authentication.credentials().headers)
    with pytest.raises(ValueError, match=r"found something else in POST \$\{token_url\}"):
        full_shop(tmp_path, loopback.url, text, **CLIENT, token_url="http://login.example/token")


def test_the_setup_form_tests_the_credentials(tmp_path: Path, issuer: Issuer, loopback: Loopback) -> None:
    """A rejection is the result of one test, with the server's words. The secrets are entered in hidden fields."""
    shop(tmp_path, loopback.url, STYLE)
    path = tmp_path / "streams.yaml"
    assert {field.name for field in form_fields(load(path)) if field.secret} >= {"client_secret", "refresh_token"}
    configuration = {"api_url": loopback.url, **CLIENT}
    by_name = {test.name: test.run for test in setup_tests(path, Lines())}
    assert [run(configuration) for run in by_name.values()] == [None] * 4
    issuer.rejected = [Reply(WRONG, status=401)] * 2
    assert by_name["server_responds"](configuration) is None
    assert "invalid_client (no such client)" in (by_name["key_is_accepted"](configuration) or "")


def test_the_commands_fetch_a_token_too(
    tmp_path: Path, issuer: Issuer, loopback: Loopback, capsys: pytest.CaptureFixture[str]
) -> None:
    """Also for an OpenAPI document above the base URL: the token endpoint stays below it."""
    shop(tmp_path, loopback.url, STYLE)
    configuration = tmp_path / "configuration.json"
    configuration.write_text(f'{{"api_url": "{loopback.url}", "client_id": "shop-sync", "client_secret": "s3cret"}}')
    file = str(tmp_path / "streams.yaml")
    arguments = ["--configuration", str(configuration)]
    assert main(["preview", "orders", "--file", file, *arguments]) == 0
    main(["check", file, "--openapi", f"{loopback.url.removesuffix('/api')}/openapi.json", *arguments])
    assert {seen.path for seen in issuer.issued} == {"/api/oauth2/token"}
    assert {seen.path for seen in loopback.seen} >= {"/openapi.json"}
    printed = capsys.readouterr()
    assert "s3cret" not in printed.out + printed.err
