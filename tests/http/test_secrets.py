"""A canary in every secret, on every way in which a request can fail: it is found nowhere."""

from __future__ import annotations

import base64
import json
import traceback
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any
from urllib.parse import quote

import pytest

from dev.testbed.certificates import make_authority
from dev.testbed.loopback import Loopback, Reply, Seen, rows_by_offset
from dev.testbed.prefect_server import free_port
from dev.testbed.proxy import Proxy
from engine.failures import Failure
from engine.http.client import Client
from engine.setup_form import setup_tests
from engine.spec.configuration import ConfigurationError
from engine.spec.load import ResolvedSpec
from engine.sync import sync
from tests.http.wired import WIRED, ask, wired
from tests.reliability import Reliability
from tests.shop import Lines, Recorder, orders

KEY = 'CANARY-key-"quoted"\\and/more+0123456789'
USER = "someone:CANARY-pass word:'ü?>~\\"  # its base64 holds a +, which the alphabet for URLs writes otherwise
HEADERS = {"X-Access-Id": "CANARY-access-id", "X-Access-Secret": "CANARY-access-secret"}
PROXY_PASSWORD = "CANARY-proxy-password"

BEARER = {"api_key": KEY, "user": USER, "headers": json.dumps(HEADERS)}
BASIC = {"user": USER, "headers": "; ".join(f"{name}: {value}" for name, value in HEADERS.items())}
BOTH = pytest.mark.parametrize("settings", [BEARER, BASIC], ids=["bearer", "basic"])


def spellings() -> Iterator[str]:
    """Every form in which a secret could be told."""
    for secret in (KEY, USER, USER.partition(":")[2], *HEADERS.values(), PROXY_PASSWORD, f"me:{PROXY_PASSWORD}"):
        yield secret
        yield json.dumps(secret)[1:-1]
        yield repr(secret)[1:-1]
        yield quote(secret, safe="")
        yield base64.b64encode(secret.encode()).decode().rstrip("=")
    yield "CANARY"


SPELLINGS = tuple(spellings())


def clean(*texts: object) -> None:
    """No text holds any of them."""
    for text in texts:
        found = [spelling for spelling in SPELLINGS if spelling in str(text)]
        assert not found, f"{found} in {text}"


def clean_error(error: BaseException) -> None:
    """Nor does an error, its repr, its traceback, its arguments, or any error that it hangs on, shown or not."""
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
    """A sync fails: the error, the log and the state are clean. Answers with the message."""
    recorder, lines = Recorder(), Lines()
    with pytest.raises(Failure) as caught:
        sync(connected, {}, recorder, lines)
    clean_error(caught.value)
    clean(*lines.infos, *lines.warnings, recorder.state)
    return str(caught.value)


def secret(seen: Seen) -> str:
    """The secret that the request was made with, in plain."""
    return KEY if "Bearer" in seen.headers.get("Authorization", "") else USER


def echo(seen: Seen) -> str:
    """All that a request carried, as a careless server would repeat it."""
    all_of_it = {"headers": dict(seen.headers), "plain": [secret(seen), USER, *HEADERS.values()]}
    return json.dumps(all_of_it, ensure_ascii=False) + json.dumps(all_of_it) + str(all_of_it)


def ascii_echo(seen: Seen) -> str:
    """The same secret as JSON that is all ASCII."""
    return json.dumps([secret(seen), USER])


def long_echo(seen: Seen) -> str:
    """With the key where a message is cut off."""
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
    "a text": lambda seen: Reply(secret(seen)),
    "no primary key": lambda seen: Reply([{secret(seen): 1, USER: 2}]),
    "a primary key that repeats": lambda seen: Reply([{"id": None, "x": secret(seen), HEADERS["X-Access-Id"]: 1}]),
    "hang-up": lambda seen: Reply(hang_up=True),
    "read timeout": lambda seen: Reply([], delay=0.5),
    "token that repeats": lambda seen: Reply(body=echo(seen).encode(), status=422 if "token" in seen.path else 403),
    "token of another shape": lambda seen: (
        Reply(body=echo(seen).encode()) if "token" in seen.path else Reply(body=echo(seen).encode(), status=403)
    ),
    "long wait": lambda seen: Reply(body=echo(seen).encode(), status=429, headers={"Retry-After": "9999"}),
}


@BOTH
@pytest.mark.parametrize("answer", ECHOES.values(), ids=ECHOES)
def test_a_careless_server(
    tmp_path: Path, settings: dict[str, str], answer: Callable[[Seen], Reply], reliability: Reliability
) -> None:
    """Every status and every malformed body, which repeat what they were asked with."""
    with Loopback(answer) as server:
        fails_cleanly(wired(tmp_path, server.url, **settings))
        headers = server.seen[0].headers
    assert headers["X-Access-Secret"] == HEADERS["X-Access-Secret"]  # the secrets were there to be repeated
    assert "Authorization" in headers
    reliability.tried("secrets")


def test_the_words_of_a_server_stay(tmp_path: Path) -> None:
    """What is no secret is still told."""
    with Loopback(lambda seen: Reply({"detail": f"the key {KEY} has expired"}, status=401)) as server:
        assert "the key *** has expired" in fails_cleanly(wired(tmp_path, server.url, **BEARER))


@BOTH
def test_nobody_there(tmp_path: Path, settings: dict[str, str], reliability: Reliability) -> None:
    """No connection, no name, no route."""
    fails_cleanly(wired(tmp_path, f"http://127.0.0.1:{free_port()}/api", **settings))
    fails_cleanly(wired(tmp_path, "http://nowhere.invalid/api", **settings))
    fails_cleanly(wired(tmp_path, "http://999.999.999.999:1/api", **settings))
    reliability.tried("secrets")


@BOTH
def test_tls_and_proxies(tmp_path: Path, settings: dict[str, str], reliability: Reliability) -> None:
    """An untrusted certificate; a proxy that is not there, that wants other credentials, that is no proxy."""
    authority = make_authority(tmp_path)
    rows = rows_by_offset(orders(3))
    with Loopback(rows, tls=authority.server) as server, Proxy("me:other") as proxy:
        fails_cleanly(wired(tmp_path, server.url, **settings))
        for address in (proxy.address, f"127.0.0.1:{free_port()}", server.url.split("/")[2], "[::bad"):
            for url in (server.url, "http://shop.invalid/api"):
                url_of_proxy = f"http://me:{PROXY_PASSWORD}@{address}"
                connected = wired(tmp_path, url, **settings, proxy=url_of_proxy, authority=authority.certificate)
                fails_cleanly(connected)
    reliability.tried("secrets")


def test_a_wrong_configuration(tmp_path: Path, reliability: Reliability) -> None:
    """Every setting wrong, with a secret in it."""
    wrong = dict.fromkeys(("api_key", "user", "headers", "authority", "proxy", "unknown"), f"CANARY\n{KEY}")
    with pytest.raises(ConfigurationError) as caught:
        wired(tmp_path, f"ftp://{KEY}", **{**wrong, "batch_size": KEY})
    clean_error(caught.value)
    assert len(str(caught.value).splitlines()) == 9
    reliability.tried("secrets")


@BOTH
def test_what_holds_secrets_does_not_show_them(
    tmp_path: Path, settings: dict[str, str], reliability: Reliability
) -> None:
    """The model, the settings, the client and all that they are made of."""
    with Loopback(rows_by_offset(orders(3))) as server:
        connected = wired(tmp_path, server.url, **settings, proxy=f"http://me:{PROXY_PASSWORD}@{server.url[7:-4]}")
        with Client(connected, Lines()) as client:
            answer = ask(client)
            api = connected.spec.api
            held: list[Any] = [
                connected,
                connected.settings,
                connected.settings.secrets,
                api,
                *api.authentication,
                client,
            ]
            held += [answer, *vars(client).values(), *vars(client._errors).values()]
            held += [value for name, value in vars(client._transport).items() if name != "_proxies"]  # has to hold them
            clean(*(repr(one) for one in held))
    reliability.tried("secrets")


def test_rows_and_versions_that_repeat(tmp_path: Path, reliability: Reliability) -> None:
    """What a sync or a setup test that goes well tells of them is clean as well."""

    def answer(seen: Seen) -> Reply:
        if seen.path.endswith("/version"):
            return Reply({"version": KEY})
        return rows_by_offset([{"id": KEY, "updated": None, "amount": "no number"}])(seen)

    lines = Lines()
    with Loopback(answer) as server:
        sync(wired(tmp_path, server.url, **BEARER), {}, Recorder(), lines)
        assert any("amount" in line for line in lines.warnings)
        for test in setup_tests(tmp_path / "streams.yaml", lines):
            assert test.run({"api_url": server.url, **BEARER}) is None
    assert "the server is Shop ***" in lines.infos
    clean(*lines.infos, *lines.warnings)
    reliability.tried("secrets")


@BOTH
def test_setup_tests(tmp_path: Path, settings: dict[str, str], reliability: Reliability) -> None:
    """What the form shows and logs is clean too."""
    path = tmp_path / "streams.yaml"
    path.write_text(WIRED)
    lines = Lines()
    for name in (
        "400 that repeats",
        "401 that repeats",
        "422 cut in a secret",
        "redirect",
        "web page",
        "another shape",
    ):
        with Loopback(ECHOES[name]) as server:
            for test in setup_tests(path, lines):
                clean(test.run({"api_url": server.url, **settings, "batch_size": "1"}))
    clean(*lines.infos, *lines.warnings)
    reliability.tried("secrets")
