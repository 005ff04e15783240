"""No secret in any message, log line, traceback, repr or state, in every way in which a request can fail.

Every secret of the configuration contains a canary, and the server repeats what it is sent.
"""

from __future__ import annotations

import base64
import contextlib
import json
import traceback
from collections.abc import Callable, Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any
from urllib.parse import quote, quote_plus

import pytest

from dev.testbed.certificates import make_authority
from dev.testbed.loopback import Loopback, Reply, Seen, dead_port, rows_by_offset
from dev.testbed.proxy import Proxy
from engine.failures import Failure
from engine.http.client import Client
from engine.setup_form import setup_tests
from engine.spec.configuration import ConfigurationError
from engine.spec.dialect import Retry
from engine.spec.load import ResolvedSpec
from engine.spec.secrets import Secrets
from engine.sync import sync
from tests.effort import pairs
from tests.http.full_shop import FULL_SHOP, full_shop, request_orders
from tests.shop import Lines, Recorder, impatient, orders
from tests.specs import edited
from tools.cli import main

pytestmark = pytest.mark.long  # they wait
KEY = 'CANARY-key-"quoted"\\and/more+0123456789'
USER = "someone:CANARY-pass word:'ü?>~\\"  # its Base64 contains a +, which the URL-safe alphabet replaces
HEADERS = {"X-Access-Id": "CANARY-access-id", "X-Access-Secret": "CANARY-access-secret"}
PROXY_PASSWORD = "CANARY-proxy-password"
CLIENT_SECRET = 'CANARY-client/"secret"+%&~'

BEARER = {"api_key": KEY, "user": USER, "headers": json.dumps(HEADERS)}
BASIC = {"user": USER, "headers": "; ".join(f"{name}: {value}" for name, value in HEADERS.items())}
SETTINGS = {"bearer": BEARER, "basic": BASIC}
BOTH = pytest.mark.parametrize("settings", SETTINGS.values(), ids=SETTINGS)


def spellings() -> Iterator[str]:
    """Every form in which a secret could appear."""
    for secret in (KEY, USER, USER.partition(":")[2], *HEADERS.values(), PROXY_PASSWORD, f"me:{PROXY_PASSWORD}"):
        yield secret
        yield json.dumps(secret)[1:-1]
        yield repr(secret)[1:-1]
        yield quote(secret, safe="")
        yield base64.b64encode(secret.encode()).decode().rstrip("=")
    yield base64.b64encode(f"a-public-client:{quote_plus(CLIENT_SECRET)}".encode()).decode()
    yield "CANARY"


SPELLINGS = tuple(spellings())


def clean(*shown: object) -> None:
    """Check that nothing shown contains a secret."""
    for text in shown:
        found = [spelling for spelling in SPELLINGS if spelling in str(text)]
        assert not found, f"{found} in {text}"


def clean_error(error: BaseException) -> None:
    """Check the traceback of an exception, and everything that it and its causes hold, printed or not."""
    clean("".join(traceback.format_exception(error)))
    seen: list[BaseException] = []
    waiting: list[BaseException | None] = [error]
    while waiting:
        one = waiting.pop()
        if one is None or one in seen:
            continue
        seen.append(one)
        clean(str(one), repr(one), one.args, vars(one))
        waiting += [one.__cause__, one.__context__]


def fails_cleanly(connected: ResolvedSpec) -> str:
    """Sync; check that it fails, and that exception, log and state are clean. Return the message."""
    recorder, lines = Recorder(), Lines()
    with pytest.raises(Failure) as caught:
        sync(connected, {}, recorder, lines)
    clean_error(caught.value)
    assert (caught.value.__cause__, caught.value.__context__) == (None, None)
    clean(*lines.infos, *lines.warnings, recorder.state)
    return str(caught.value)


def secret(seen: Seen) -> str:
    """The secret that the request carried, in plain."""
    return KEY if "Bearer" in seen.headers.get("Authorization", "") else USER


def echo(seen: Seen) -> str:
    """Everything that a request carried, in several encodings."""
    everything = {"headers": dict(seen.headers), "query": seen.query, "plain": [secret(seen), USER, *HEADERS.values()]}
    return json.dumps(everything, ensure_ascii=False) + json.dumps(everything) + str(everything)


def ascii_echo(seen: Seen) -> str:
    """The secrets as ASCII-only JSON."""
    return json.dumps([secret(seen), USER])


def long_echo(seen: Seen) -> str:
    """The key at the place where messages are cut."""
    return "x" * 480 + seen.headers.get("Authorization", "").partition(" ")[2]


def echoing(status: int, body: Callable[[Seen], str] = echo) -> Callable[[Seen], Reply]:
    return lambda seen: Reply(body=body(seen).encode(), status=status)


STATUSES = (400, 401, 403, 404, 405, 409, 410, 413, 418, 422, 429, 451, 500, 502, 503, 504)
ECHOES: dict[str, Callable[[Seen], Reply]] = {
    **{f"{status} that repeats": echoing(status) for status in STATUSES},
    "400 in ASCII": echoing(400, ascii_echo),
    **{f"{status} cut in a secret": echoing(status, long_echo) for status in (400, 401, 403, 422)},
    "redirect": lambda seen: Reply(
        status=302, headers={"Location": f"http://h/{quote(secret(seen), safe='')}/{HEADERS['X-Access-Id']}"}
    ),
    "redirect to no URL": lambda seen: Reply(status=302, headers={"Location": f"http://[{secret(seen)}"}),
    "cut body": lambda seen: Reply(body=echo(seen).encode()[:-1]),
    "short body": lambda seen: Reply(body=echo(seen).encode(), cut=40),
    "not UTF-8": lambda seen: Reply(body=echo(seen).encode() + b"\xff"),
    "latin-1": lambda seen: Reply(body=echo(seen).encode("latin-1", "replace")),
    "web page": lambda seen: Reply(body=f"<p>{echo(seen)}".encode(), headers={"Content-Type": "text/html"}),
    "content type": lambda seen: Reply(body=b"<", headers={"Content-Type": f"text/{HEADERS['X-Access-Id']}"}),
    "broken gzip": lambda seen: Reply(body=echo(seen).encode(), headers={"Content-Encoding": "gzip"}),
    "too deep": lambda seen: Reply(body=b'{"a":' * 10**5 + echo(seen).encode()),
    "another shape": lambda seen: Reply({"echo": echo(seen)}),
    "keys of another shape": lambda seen: Reply({secret(seen): 1, seen.headers.get("Authorization", "x"): 2}),
    "a string": lambda seen: Reply(secret(seen)),
    "no primary key": lambda seen: Reply([{secret(seen): 1, USER: 2}]),
    "a primary key that repeats": lambda seen: Reply([{"id": None, "x": secret(seen), HEADERS["X-Access-Id"]: 1}]),
    "hang-up": lambda seen: Reply(hang_up=True),
    "read timeout": lambda seen: Reply([], delay=3),
    "token that repeats": lambda seen: Reply(body=echo(seen).encode(), status=422 if "token" in seen.path else 403),
    "token of another shape": lambda seen: (
        Reply(body=echo(seen).encode()) if "token" in seen.path else Reply(body=echo(seen).encode(), status=403)
    ),
    "long wait": lambda seen: Reply(body=echo(seen).encode(), status=429, headers={"Retry-After": "9999"}),
}


@pytest.mark.parametrize(("name", "style"), pairs(ECHOES, [*SETTINGS]))
@pytest.mark.scenario("secrets")
def test_a_server_that_repeats_what_it_is_sent(tmp_path: Path, name: str, style: str) -> None:
    """Every status, and every malformed body."""
    text = edited(FULL_SHOP, replace={"api.retry.throttled_max": "100ms"})
    with Loopback(ECHOES[name]) as server:
        text = impatient(text) if name == "read timeout" else text
        fails_cleanly(full_shop(tmp_path, server.url, text, **SETTINGS[style]))
        headers = server.seen[0].headers
    assert headers["X-Access-Secret"] == HEADERS["X-Access-Secret"]  # it was there to be repeated
    assert "Authorization" in headers


def test_only_the_last_tokens_are_remembered() -> None:
    """A server can issue one for each of a million requests."""
    secrets = Secrets([KEY])
    for number in range(1000):
        secrets.learn_token(f"token-{number:03}")
    assert secrets.redact(f"{KEY} token-999 token-950 token-100") == "*** *** *** token-100"


IN_THE_QUERY = edited(
    FULL_SHOP, replace={"api.authentication.1": {"style": "query", "name": "key", "value": "as ${user}"}}
)
FEW_ECHOES = (
    "400 that repeats",
    "401 that repeats",
    "403 that repeats",
    "404 that repeats",
    "redirect",
    "web page",
    "keys of another shape",
    "hang-up",
)


@pytest.mark.parametrize("name", FEW_ECHOES)
@pytest.mark.scenario("secrets")
def test_a_server_that_repeats_a_key_in_the_query(tmp_path: Path, name: str) -> None:
    """The URL with the key is in no message, either."""
    with Loopback(ECHOES[name]) as server:
        fails_cleanly(full_shop(tmp_path, server.url, IN_THE_QUERY, **BASIC))
        assert server.seen[0].query["key"] == [f"as {USER}"]
    fails_cleanly(full_shop(tmp_path, f"http://127.0.0.1:{dead_port()}/api", IN_THE_QUERY, **BASIC))


ACCESS_TOKEN = "CANARY-access+token/=="
OAUTH2 = edited(
    FULL_SHOP,
    add={"configuration.client_secret": {"description": "A secret.", "secret": True}},
    remove=["api.authentication.1"],
    replace={
        "api.authentication.0": {
            "style": "oauth2",
            "endpoint": "POST /oauth2/access",
            "client_id": "a-public-client",
            "client_secret": "${client_secret}",
            "refresh_token": "${api_key}",
            "new_refresh_token": "ignore",
        }
    },
)
LOGIN = edited(
    OAUTH2,
    replace={
        "api.authentication.0": {
            "style": "login",
            "endpoint": "POST /login/access",
            "body": {"user": "${api_key}", "more": [{"password": "${client_secret}"}]},
            "token": "$.access_token",
        }
    },
)
LOGIN_SETTINGS = {"api_key": KEY, "client_secret": CLIENT_SECRET, "headers": BASIC["headers"]}


def is_login(seen: Seen) -> bool:
    return seen.path.endswith("/access")


def carried(seen: Seen) -> str:
    """The value of the Authorization header, without its scheme."""
    return seen.headers.get("Authorization", "").partition(" ")[2]


def login_echo(seen: Seen) -> str:
    """Everything that a login, or a request with its token, carried, and the secrets in plain."""
    everything = [dict(seen.headers), seen.content.decode(), KEY, CLIENT_SECRET, carried(seen)]
    return json.dumps(everything, ensure_ascii=False) + json.dumps(everything)


LOGIN_ECHOES: dict[str, Callable[[Seen], Reply]] = {
    **{f"{status} that repeats": echoing(status, login_echo) for status in (400, 401, 403, 404, 500)},
    "an error that repeats": lambda seen: Reply({"error": login_echo(seen), "error_description": login_echo(seen)}),
    "another shape": lambda seen: Reply({"echo": login_echo(seen)}),
    "cut body": lambda seen: Reply(body=login_echo(seen).encode()[:-1]),
    "web page": lambda seen: Reply(body=login_echo(seen).encode(), headers={"Content-Type": "text/html"}),
    "redirect": lambda seen: Reply(status=302, headers={"Location": f"http://h/{quote(KEY, safe='')}/{carried(seen)}"}),
    "hang-up": lambda seen: Reply(hang_up=True),
}


REPEATING = {"oauth2": (OAUTH2, True), "api": (OAUTH2, False), "login": (LOGIN, True)}
"""A streams.yaml, and whether the endpoint that repeats is that of tokens."""


@pytest.mark.parametrize(("name", "repeating"), pairs(LOGIN_ECHOES, [*REPEATING]))
@pytest.mark.scenario("secrets")
def test_a_token_endpoint_and_its_tokens(tmp_path: Path, name: str, repeating: str) -> None:
    """Neither the credentials with which a token is requested nor the token that the server issued is shown."""
    text, at_login = REPEATING[repeating]

    def reply(seen: Seen) -> Reply:
        if is_login(seen) is at_login:
            return LOGIN_ECHOES[name](seen)
        return Reply({"access_token": ACCESS_TOKEN, "refresh_token": "CANARY-new"}) if is_login(seen) else Reply([])

    with Loopback(reply) as server:
        connected = full_shop(tmp_path, server.url, text, **LOGIN_SETTINGS)
        with Client(connected, Lines()) as client, contextlib.suppress(Failure):
            request_orders(client)
            clean(*(repr(one) for one in vars(client).values()), *vars(client._authentication).values())
        fails_cleanly(connected)
        assert at_login or f"Bearer {ACCESS_TOKEN}" in {seen.headers.get("Authorization") for seen in server.seen}


@pytest.mark.parametrize("rule", [{}, {"words": "$.echo"}], ids=["body", "words"])
@pytest.mark.scenario("secrets")
def test_the_words_of_a_declared_failure(tmp_path: Path, rule: dict[str, str]) -> None:
    """Those of the server, in which a secret can be escaped twice."""
    text = edited(FULL_SHOP, add={"api.answers": {"status": 200, "means": "failure", **rule}})
    answer = ECHOES["another shape"] if rule else echoing(200)
    with Loopback(answer) as server:
        assert "returned 200 OK: " in fails_cleanly(full_shop(tmp_path, server.url, text, **BEARER))


@pytest.mark.parametrize(
    "style",
    [
        {"style": "basic", "credentials": "a-public-user:${api_key}"},
        {"style": "header", "name": "Authorization", "value": "Token key=${api_key}"},
    ],
)
@pytest.mark.scenario("secrets")
def test_what_is_made_of_a_secret(tmp_path: Path, style: dict[str, str]) -> None:
    """The Base64 of a secret and something public is not that of the secret."""
    text = edited(FULL_SHOP, replace={"api.authentication.0": style})
    with Loopback(lambda seen: Reply({"detail": seen.headers["Authorization"]}, status=400)) as server:
        message = fails_cleanly(full_shop(tmp_path, server.url, text, **BEARER))
    assert 'returned 400 Bad Request: {"detail": "***"}' in message


@BOTH
@pytest.mark.parametrize(
    ("host", "words"), [("http://elsewhere.test", "leads to /***/*** on elsewhere.test"), ("", "would never end")]
)
@pytest.mark.scenario("secrets")
def test_a_link_to_the_next_page(tmp_path: Path, settings: dict[str, str], host: str, words: str) -> None:
    """A failure that quotes a page, rather than one of the HTTP client. A link with a secret is in no state."""

    def answer(seen: Seen) -> Reply:
        target = f"{host}/{quote(secret(seen), safe='')}/{HEADERS['X-Access-Id']}"
        return Reply(orders(3), headers={"Link": f'<{target}>; rel="next"'})

    text = edited(FULL_SHOP, replace={"api.pagination": {"style": "link"}})
    with Loopback(answer) as server:
        assert words in fails_cleanly(full_shop(tmp_path, server.url, text, **settings))


@BOTH
@pytest.mark.scenario("secrets")
def test_a_stream_that_may_be_forbidden(tmp_path: Path, settings: dict[str, str]) -> None:
    """A failure that is first logged, while the sync goes on, and raised at its end."""
    text = edited(FULL_SHOP, add={"streams.orders.availability": "Shop 2"})
    with Loopback(ECHOES["403 that repeats"]) as server:
        assert "returned 403" in fails_cleanly(full_shop(tmp_path, server.url, text, **settings))


def bug_from_itself() -> Exception:
    return ValueError(f"a bug with {KEY}")


def bug_with_values() -> Exception:
    return KeyError({"key": KEY, "users": [USER]}, USER.encode())


def bug_in_a_file() -> Exception:
    return PermissionError(13, f"denied to {KEY}", f"/tmp/{HEADERS['X-Access-Id']}")


def bug_from_a_library() -> Exception:
    """With the documents that the standard library's exceptions hold, and causes of both kinds."""
    try:
        try:
            try:
                json.loads(f'["{HEADERS["X-Access-Secret"]}"')
            except ValueError:
                f"{KEY}\xff".encode("latin-1").decode("utf-8")
        except ValueError as error:
            raise RuntimeError(KEY) from error
    except RuntimeError as error:
        return error
    raise AssertionError


BUGS = (bug_from_itself, bug_with_values, bug_from_a_library)
A_BUG = pytest.mark.parametrize("bug", [*BUGS, bug_in_a_file])


def causes(error: BaseException | None) -> list[type[BaseException]]:
    return [] if error is None else [type(error), *causes(error.__cause__ or error.__context__)]


def bug_is_clean(error: BaseException, bug: Callable[[], Exception]) -> None:
    """Check that no traceback of a bug shows a secret, and that it still leads to the bug."""
    clean_error(error)
    assert causes(error) == causes(bug())
    assert any(frame.name.startswith("broken") for frame in traceback.extract_tb(error.__traceback__))


@A_BUG
@pytest.mark.parametrize("operation", ["upsert", "checkpoint"])
def test_a_bug_in_a_sync(tmp_path: Path, bug: Callable[[], Exception], operation: str) -> None:
    """Fivetran prints the traceback of any exception with its causes. Each stays in it, redacted."""

    def broken(*_: object) -> None:
        raise bug()

    destination = Recorder()
    setattr(destination, operation, broken)
    with Loopback(rows_by_offset(orders(3))) as server, pytest.raises(type(bug())) as caught:
        sync(full_shop(tmp_path, server.url, **BEARER), {}, destination, Lines())
    bug_is_clean(caught.value, bug)


@A_BUG
def test_a_bug_in_a_thread_of_a_sync(
    tmp_path: Path, bug: Callable[[], Exception], monkeypatch: pytest.MonkeyPatch
) -> None:
    """The exception that a thread hands over, too."""

    def broken(*_: object) -> None:
        raise bug()

    monkeypatch.setattr("engine.http.client.decode_as", broken)
    with Loopback(rows_by_offset(orders(3))) as server, pytest.raises(type(bug())) as caught:
        sync(full_shop(tmp_path, server.url, **BEARER), {}, Recorder(), Lines())
    bug_is_clean(caught.value, bug)


class BrokenLog(Lines):
    """A log that raises a bug at the first line."""

    def __init__(self, bug: Callable[[], Exception]) -> None:
        super().__init__()
        self._bug = bug

    def info(self, message: str) -> None:
        self.broken_info()

    def broken_info(self) -> None:
        raise self._bug()


@A_BUG
def test_a_bug_in_a_setup_test(tmp_path: Path, bug: Callable[[], Exception]) -> None:
    """A traceback in the setup form is as public as one in a sync."""
    (tmp_path / "streams.yaml").write_text(FULL_SHOP)
    server_answers = next(t for t in setup_tests(tmp_path / "streams.yaml", BrokenLog(bug)) if "server" in t.name)
    with Loopback(lambda seen: Reply({"version": "1"})) as server, pytest.raises(type(bug())) as caught:
        server_answers.run({"api_url": server.url, **BEARER})
    bug_is_clean(caught.value, bug)


def command(folder: Path, url: str, *arguments: str) -> int:
    """Run a command with the full shop's spec and a configuration full of secrets."""
    (folder / "streams.yaml").write_text(FULL_SHOP, "utf-8")
    configuration = folder / "configuration.json"
    configuration.write_text(json.dumps({"api_url": url, "batch_size": "10", **BEARER}), "utf-8")
    return main([*arguments, "--configuration", str(configuration)])


FAILING = [name for name in ECHOES if name not in ("read timeout", "a primary key that repeats", "no primary key")]
COMMANDS = {
    "preview": ["preview", "orders", "--file", "{file}", "--verbose"],
    "check": ["check", "{file}"],
    "check --unmapped": ["check", "{file}", "--unmapped", "--openapi", "{openapi}"],
    "scaffold": ["scaffold", "/orders/filter", "--file", "{file}", "--openapi", "{openapi}"],
}


@pytest.mark.parametrize(("name", "of"), pairs(FAILING, [*COMMANDS]))
def test_commands(
    tmp_path: Path, name: str, of: str, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """What the commands print about a failure, retries and findings included."""
    retry = Retry(attempts=2, wait_initial=timedelta(milliseconds=1), throttled_max=timedelta(milliseconds=100))
    monkeypatch.setattr("tools.cli.target._FEWER_RETRIES", retry)
    with Loopback(ECHOES[name]) as server:
        places = {"file": tmp_path / "streams.yaml", "openapi": f"{server.url}/openapi.json"}
        code = command(tmp_path, server.url, *(text.format(**places) for text in COMMANDS[of]))
        assert server.seen
    assert code == 2 or (code == 1 and of.startswith("check"))
    printed = capsys.readouterr()
    clean(printed.out, printed.err)
    assert of != "preview" or "orders" in printed.err


@pytest.mark.parametrize("bug", BUGS)
def test_a_bug_in_a_command(tmp_path: Path, bug: Callable[[], Exception], monkeypatch: pytest.MonkeyPatch) -> None:
    """Python prints its traceback."""

    def broken(*_: object) -> None:
        raise bug()

    monkeypatch.setattr("engine.http.client.decode_as", broken)
    file = str(tmp_path / "streams.yaml")
    with Loopback(rows_by_offset(orders(3))) as server, pytest.raises(type(bug())) as caught:
        command(tmp_path, server.url, "preview", "orders", "--file", file)
    bug_is_clean(caught.value, bug)


def test_a_file_error_in_a_command(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """It is one line on stderr."""

    def broken(*_: object) -> None:
        raise bug_in_a_file()

    monkeypatch.setattr("engine.http.client.decode_as", broken)
    with Loopback(rows_by_offset(orders(3))) as server:
        assert command(tmp_path, server.url, "preview", "orders", "--file", str(tmp_path / "streams.yaml")) == 2
    printed = capsys.readouterr()
    assert printed.err == "cannot read or write /tmp/***: denied to ***\n"
    clean(printed.out)


def test_the_rest_of_the_response_is_quoted(tmp_path: Path) -> None:
    """Only the secret is replaced: what the server says is needed to fix the problem."""
    with Loopback(lambda seen: Reply({"detail": f"the key {KEY} has expired"}, status=401)) as server:
        assert "the key *** has expired" in fails_cleanly(full_shop(tmp_path, server.url, **BEARER))


@BOTH
@pytest.mark.scenario("secrets")
def test_an_unreachable_server(tmp_path: Path, settings: dict[str, str]) -> None:
    """The connection is refused, the name does not resolve, the address is invalid."""
    fails_cleanly(full_shop(tmp_path, f"http://127.0.0.1:{dead_port()}/api", **settings))
    fails_cleanly(full_shop(tmp_path, "http://nowhere.invalid/api", **settings))
    fails_cleanly(full_shop(tmp_path, "http://999.999.999.999:1/api", **settings))


@BOTH
@pytest.mark.scenario("secrets")
def test_tls_and_proxies(tmp_path: Path, settings: dict[str, str]) -> None:
    """An untrusted certificate; a proxy that rejects the credentials, is unreachable, or has an invalid URL."""
    authority = make_authority(tmp_path)
    rows = rows_by_offset(orders(3))
    with Loopback(rows, tls=authority.server) as server, Proxy("me:other") as proxy:
        fails_cleanly(full_shop(tmp_path, server.url, **settings))
        for address in (proxy.address, f"127.0.0.1:{dead_port()}", server.url.split("/")[2], "[::bad"):
            for url in (server.url, "http://shop.invalid/api"):
                url_of_proxy = f"http://me:{PROXY_PASSWORD}@{address}"
                connected = full_shop(tmp_path, url, **settings, proxy=url_of_proxy, authority=authority.certificate)
                fails_cleanly(connected)


@pytest.mark.scenario("secrets")
def test_a_wrong_configuration(tmp_path: Path) -> None:
    """Every setting is wrong and contains a secret. The error lists them all and quotes none."""
    wrong = dict.fromkeys(("api_key", "user", "headers", "authority", "proxy", "unknown"), f"CANARY\n{KEY}")
    with pytest.raises(ConfigurationError) as caught:
        full_shop(tmp_path, f"ftp://{KEY}", **{**wrong, "batch_size": KEY})
    clean_error(caught.value)
    assert len(str(caught.value).splitlines()) == 9


@BOTH
@pytest.mark.scenario("secrets")
def test_no_repr_shows_a_secret(tmp_path: Path, settings: dict[str, str]) -> None:
    """Neither the spec, the settings, the client nor any of their parts: a repr can end up in any log."""
    with Loopback(rows_by_offset(orders(3))) as server:
        connected = full_shop(tmp_path, server.url, **settings, proxy=f"http://me:{PROXY_PASSWORD}@{server.url[7:-4]}")
        with Client(connected, Lines()) as client:
            response = request_orders(client)
            api = connected.spec.api
            held: list[Any] = [
                connected,
                connected.settings,
                connected.settings.secrets,
                api,
                *api.authentication,
                client,
            ]
            held += [response, *vars(client).values(), *vars(client._errors).values(), *vars(client._retrying).values()]
            held += vars(client._transport).values()
            clean(*(repr(one) for one in held))


@pytest.mark.scenario("secrets")
def test_a_sync_that_succeeds(tmp_path: Path) -> None:
    """Warnings about rows, and the server's version, are redacted as well."""

    def answer(seen: Seen) -> Reply:
        if seen.path.endswith("/version"):
            return Reply({"version": KEY})
        return rows_by_offset([{"id": KEY, "updated": None, "amount": "no number"}])(seen)

    lines = Lines()
    with Loopback(answer) as server:
        sync(full_shop(tmp_path, server.url, **BEARER), {}, Recorder(), lines)
        assert any("amount" in line for line in lines.warnings)
        for test in setup_tests(tmp_path / "streams.yaml", lines):
            assert test.run({"api_url": server.url, **BEARER}) is None
    assert "the server is Shop ***" in lines.infos
    clean(*lines.infos, *lines.warnings)


SHOWN_IN_THE_FORM = (
    "400 that repeats",
    "401 that repeats",
    "422 cut in a secret",
    "redirect",
    "web page",
    "another shape",
)


@pytest.mark.parametrize(("name", "style"), pairs(SHOWN_IN_THE_FORM, [*SETTINGS]))
@pytest.mark.scenario("secrets")
def test_setup_tests(tmp_path: Path, name: str, style: str) -> None:
    """What the setup form shows and logs."""
    path = tmp_path / "streams.yaml"
    path.write_text(FULL_SHOP)
    lines = Lines()
    with Loopback(ECHOES[name]) as server:
        for test in setup_tests(path, lines):
            clean(test.run({"api_url": server.url, **SETTINGS[style], "batch_size": "1"}))
    clean(*lines.infos, *lines.warnings)
