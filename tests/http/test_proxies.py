"""Proxies of the setting and of the environment: passwords of any spelling, and what cannot be used."""

from __future__ import annotations

import base64
from collections.abc import Callable
from itertools import product
from pathlib import Path
from urllib.parse import quote

import pytest

from dev.testbed.loopback import Loopback, dead_port, rows_by_offset
from engine.failures import Failure
from engine.sync import sync
from tests.effort import pairs
from tests.http.full_shop import FULL_SHOP, full_shop
from tests.shop import Lines, Recorder, orders
from tests.specs import edited

ELSEWHERE = "http://shop.invalid/api"
SHOP = edited(FULL_SHOP, replace={"api.retry.attempts": 1})
PASSWORDS = [
    "CANARY-plain",
    "CANARY/staple",
    "CANARY#1",
    "CANARY?x=1",
    "CANARY@home",
    "x[yCANARY",
    "CANARY]:[",
    "CANARY:8080/@x",
    "CANARY%zz",
    "CANARY päss wörd",
    "CANARY Пароль",
    "//CANARY//",
]
SPELLINGS: dict[str, Callable[[str], str]] = {"as it is": str, "encoded": lambda password: quote(password, safe="")}


@pytest.fixture(autouse=True)
def no_proxy_variables(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("HTTP_PROXY", "HTTPS_PROXY", "NO_PROXY", "ALL_PROXY"):
        monkeypatch.delenv(name, raising=False)
        monkeypatch.delenv(name.lower(), raising=False)


@pytest.mark.parametrize(("password", "how"), pairs(PASSWORDS, [*product(SPELLINGS, [True, False])]))
def test_a_password_of_any_spelling(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, password: str, how: tuple[str, bool]
) -> None:
    """It arrives as it is. If the proxy is down, no part of it is in the message, which says where it is set."""
    spelling, is_setting = how
    with Loopback(rows_by_offset(orders(3))) as proxy:
        address = proxy.url.removeprefix("http://").removesuffix("/api")
        url = f"http://someone:{SPELLINGS[spelling](password)}@{{}}"
        settings = {"proxy": url.format(address)} if is_setting else {}
        if not is_setting:
            monkeypatch.setenv("HTTP_PROXY", url.format(address))
        sync(full_shop(tmp_path, ELSEWHERE, SHOP, **settings), {}, Recorder(), Lines())
        sent = proxy.seen[0].headers["Proxy-Authorization"]
    assert base64.b64decode(sent.removeprefix("Basic ")).decode() == f"someone:{password}"

    dead, lines = url.format(f"127.0.0.1:{dead_port()}"), Lines()
    if not is_setting:
        monkeypatch.setenv("HTTP_PROXY", dead)
    connected = full_shop(tmp_path, ELSEWHERE, SHOP, **({"proxy": dead} if is_setting else {}))
    with pytest.raises(Failure, match="the proxy did not forward the request") as caught:
        sync(connected, {}, Recorder(), lines)
    assert "CANARY" not in "".join([str(caught.value), *lines.warnings, *lines.infos])
    assert ("Check proxy" if is_setting else "HTTPS_PROXY, HTTP_PROXY and NO_PROXY") in str(caught.value)


@pytest.mark.parametrize(
    ("value", "words"),
    [
        ("socks5://u:CANARY-1@127.0.0.1:1080", "SOCKS proxies are not supported; name an HTTP proxy"),
        ("socks4a://127.0.0.1:1080", "SOCKS proxies are not supported"),
        ("ftp://CANARY-1@h", "expected http://HOST:PORT"),
        ("http://u:CANARY-1@", "expected http://HOST:PORT"),
        ("http://u:CANARY-1@h:99999", "expected http://HOST:PORT"),
        ("http://u:CANARY-1@h:port", "expected http://HOST:PORT"),
    ],
)
def test_a_proxy_that_cannot_be_used(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, value: str, words: str | None
) -> None:
    """The failure names the variable, and repeats no value."""
    monkeypatch.setenv("ALL_PROXY", value)
    with pytest.raises(Failure) as caught:
        sync(full_shop(tmp_path, ELSEWHERE, SHOP), {}, Recorder(), Lines())
    assert str(caught.value).startswith(f"the environment variable ALL_PROXY: {words}")
    assert "CANARY" not in str(caught.value)


def test_a_setting_that_cannot_be_used(tmp_path: Path) -> None:
    """The failure names it, and repeats no value."""
    with pytest.raises(Failure) as caught:
        sync(full_shop(tmp_path, ELSEWHERE, SHOP, proxy="http://u:CANARY-1@h:port"), {}, Recorder(), Lines())
    assert str(caught.value) == (
        "proxy in the configuration: expected http://HOST:PORT or http://USER:PASSWORD@HOST:PORT."
    )


@pytest.mark.parametrize("value", ["{}", "someone:secret@{}", "HTTP://{}/", " http://{} "])
def test_other_spellings_of_a_proxy(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, value: str) -> None:
    """Without a scheme, it is an HTTP proxy."""
    with Loopback(rows_by_offset(orders(3))) as proxy:
        monkeypatch.setenv("http_proxy", value.format(proxy.url.removeprefix("http://").removesuffix("/api")))
        sync(full_shop(tmp_path, ELSEWHERE, SHOP), {}, Recorder(), Lines())
    assert proxy.seen[0].headers["Host"] == "shop.invalid"
