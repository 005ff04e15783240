"""TLS, proxies, path prefixes, web pages in place of the API, and unusual bodies."""

from __future__ import annotations

import gzip
import json
import re
import socket
import threading
import time
import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from urllib3 import HTTPResponse

from dev.testbed.certificates import Authority, make_authority
from dev.testbed.loopback import Loopback, Reply, Seen, dead_port, first_these, rows_by_offset
from dev.testbed.proxy import Proxy
from engine.failures import Failure
from tests.http.full_shop import FULL_SHOP, full_shop, run
from tests.shop import orders
from tests.specs import edited

pytestmark = pytest.mark.long  # they wait


@pytest.fixture(scope="module")
def authority(tmp_path_factory: pytest.TempPathFactory) -> Authority:
    return make_authority(tmp_path_factory.mktemp("authority"))


@pytest.fixture
def loopback() -> Iterator[Loopback]:
    with Loopback(rows_by_offset(orders(25))) as server:
        yield server


@pytest.fixture
def secure(authority: Authority) -> Iterator[Loopback]:
    with Loopback(rows_by_offset(orders(25)), tls=authority.server) as server:
        yield server


@pytest.fixture(autouse=True)
def no_proxy_variables(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("HTTP_PROXY", "HTTPS_PROXY", "NO_PROXY", "ALL_PROXY", "REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE"):
        monkeypatch.delenv(name, raising=False)
        monkeypatch.delenv(name.lower(), raising=False)


def failure(tmp_path: Path, url: str, text: str = FULL_SHOP, **settings: str) -> str:
    """Sync and return the message of the failure."""
    with pytest.raises(Failure) as caught:
        run(full_shop(tmp_path, url, text, **settings))
    return str(caught.value)


@pytest.mark.parametrize(
    "rewritten",
    [
        lambda pem: pem,
        lambda pem: pem.replace("\n", " "),
        lambda pem: pem.replace("\n", "\\n"),
        lambda pem: pem.replace("\n", "\r\n"),
        lambda pem: f"# our authority\n{pem}\n# and again\n{pem}",
    ],
    ids=["file", "one line", "backslash n", "CRLF", "bundle with comments"],
)
def test_a_private_certificate_authority(
    tmp_path: Path, secure: Loopback, authority: Authority, rewritten: Any
) -> None:
    """Its certificate is trusted however the setup form has mangled its line breaks."""
    recorder, lines = run(full_shop(tmp_path, secure.url, authority=rewritten(authority.certificate)))
    assert len(recorder.tables["orders"]) == 25
    assert lines.warnings == []


def test_an_untrusted_certificate_is_not_retried(tmp_path: Path, secure: Loopback) -> None:
    """Waiting would not help. The message names the setting for the authority's certificate."""
    message = failure(tmp_path, secure.url)
    assert "the server's certificate is not trusted" in message
    assert "certificate verify failed" in message
    assert "set that authority's certificate in authority in the configuration" in message
    assert "attempts" not in message
    assert secure.seen == []


def test_another_authority_is_not_trusted(tmp_path: Path, secure: Loopback, tmp_path_factory: Any) -> None:
    """An authority's certificate makes only the certificates that it signed trusted."""
    other = make_authority(tmp_path_factory.mktemp("other"))
    assert "certificate verify failed" in failure(tmp_path, secure.url, authority=other.certificate)


def test_a_certificate_for_another_name(tmp_path: Path, authority: Authority, secure: Loopback) -> None:
    """The host name is checked too."""
    url = secure.url.replace("127.0.0.1", "127.0.0.2")
    with Loopback(rows_by_offset([]), host="127.0.0.2", tls=authority.server) as server:
        url = server.url
        message = failure(tmp_path, url, authority=authority.certificate)
    assert "not valid for '127.0.0.2'" in message


def test_an_invalid_ca_certificate_names_the_setting(tmp_path: Path, secure: Loopback) -> None:
    """The lines around it are right, and the Base64 between them is not a certificate."""
    text = "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----"
    assert "authority in the configuration: the lines between BEGIN and END" in failure(
        tmp_path, secure.url, authority=text
    )


def test_plain_http_to_a_tls_port_and_the_reverse(tmp_path: Path, loopback: Loopback, secure: Loopback) -> None:
    """Each fails by name after its retries."""
    assert "gave up after 4 attempts" in failure(tmp_path, secure.url.replace("https:", "http:"))
    assert "gave up after 4 attempts" in failure(tmp_path, loopback.url.replace("http:", "https:"))


@pytest.mark.parametrize("credentials", ["", "someone:pass%40word@"])
def test_https_through_a_proxy(tmp_path: Path, secure: Loopback, authority: Authority, credentials: str) -> None:
    """Through a tunnel, with the proxy's credentials. The private authority is trusted there too."""
    with Proxy("someone:pass@word" if credentials else None) as proxy:
        settings = {"proxy": f"http://{credentials}{proxy.address}", "authority": authority.certificate}
        recorder, _ = run(full_shop(tmp_path, secure.url, **settings))
        assert len(recorder.tables["orders"]) == 25
        assert proxy.tunnels == [secure.url.split("/")[2]]


def test_http_through_a_proxy(tmp_path: Path, loopback: Loopback) -> None:
    """The request goes to the proxy, for a host that only the proxy can resolve."""
    run(full_shop(tmp_path, "http://shop.invalid/api", proxy=loopback.url.removesuffix("/api")))
    assert loopback.seen[0].headers["Host"] == "shop.invalid"


def test_a_proxy_that_requires_credentials(tmp_path: Path, secure: Loopback, authority: Authority) -> None:
    """A 407 names the proxy setting. Its password is in no message."""
    with Proxy("someone:PASSWORD") as proxy:
        settings = {"proxy": f"http://someone:WRONG-CANARY@{proxy.address}", "authority": authority.certificate}
        message = failure(tmp_path, secure.url, **settings)
    assert "407" in message
    assert "Check proxy" in message
    assert "CANARY" not in message


def test_407_to_plain_http(tmp_path: Path, loopback: Loopback) -> None:
    """It is the proxy's response, not the API's."""
    loopback.answer = lambda seen: Reply(status=407)
    message = failure(tmp_path, "http://shop.invalid/api", proxy=loopback.url.removesuffix("/api"))
    assert "the proxy returned 407" in message
    assert "Check proxy" in message


def test_an_unreachable_proxy(tmp_path: Path, loopback: Loopback) -> None:
    """The message blames the proxy, not the API, and names its setting."""
    message = failure(tmp_path, loopback.url, proxy=f"http://127.0.0.1:{dead_port()}")
    assert "the proxy did not forward the request" in message
    assert "Check proxy" in message


def test_proxies_from_the_environment(tmp_path: Path, loopback: Loopback, monkeypatch: pytest.MonkeyPatch) -> None:
    """HTTP_PROXY applies if no proxy is set; NO_PROXY always applies."""
    elsewhere = "http://shop.invalid/api"
    monkeypatch.setenv("HTTP_PROXY", loopback.url.removesuffix("/api"))
    recorder, _ = run(full_shop(tmp_path, elsewhere))
    assert len(recorder.tables["orders"]) == 25
    dead = f"http://127.0.0.1:{dead_port()}"
    monkeypatch.setenv("HTTP_PROXY", dead)
    assert "HTTPS_PROXY, HTTP_PROXY and NO_PROXY" in failure(tmp_path, elsewhere)
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    run(full_shop(tmp_path, loopback.url))
    run(full_shop(tmp_path, loopback.url, proxy=dead))


def test_the_proxy_setting_wins_over_the_environment(
    tmp_path: Path, loopback: Loopback, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The setting is meant for this connection, the environment for the machine."""
    monkeypatch.setenv("HTTP_PROXY", f"http://127.0.0.1:{dead_port()}")
    run(full_shop(tmp_path, "http://shop.invalid/api", proxy=loopback.url.removesuffix("/api")))


def test_a_missing_ca_bundle_from_the_environment(
    tmp_path: Path, secure: Loopback, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It is a failure that names the file, not an OSError of a library."""
    monkeypatch.setenv("REQUESTS_CA_BUNDLE", "/nowhere.pem")
    assert "/nowhere.pem" in failure(tmp_path, secure.url)


def test_ipv6(tmp_path: Path) -> None:
    """The URL has an address in brackets."""
    if not socket.has_ipv6:
        pytest.skip("no IPv6 here")
    with Loopback(rows_by_offset(orders(3)), host="::1") as server:
        recorder, _ = run(full_shop(tmp_path, server.url))
    assert len(recorder.tables["orders"]) == 3


def test_a_base_url_with_a_path_prefix(tmp_path: Path, loopback: Loopback) -> None:
    """Endpoint paths are appended to it."""
    run(full_shop(tmp_path, loopback.url.replace("/api", "/a/b/api/")))
    assert loopback.seen[0].path == "/a/b/api/orders/filter"


def test_a_web_page_instead_of_json(tmp_path: Path, loopback: Loopback) -> None:
    """The failure names the content type, the likely cause (an access proxy's sign-in page) and the settings."""
    page = Reply(body=b"<!doctype html><title>Sign in</title>", headers={"Content-Type": "text/html; charset=utf-8"})
    loopback.answer = lambda seen: page
    message = failure(tmp_path, loopback.url)
    assert "returned 200 with a web page (text/html) instead of JSON" in message
    assert "sign-in page of a proxy" in message
    assert "(headers)" in message
    assert "api_url in the configuration" in message


def test_a_redirect_to_https(tmp_path: Path, loopback: Loopback) -> None:
    """The remedy is to write https:// in the setting. A redirect to an invalid URL is a failure, not a traceback."""
    secure = loopback.url.replace("http:", "https:")
    loopback.answer = lambda seen: Reply(status=308, headers={"Location": f"{secure}/orders/filter"})
    assert "Write https:// in api_url in the configuration" in failure(tmp_path, loopback.url)
    loopback.answer = lambda seen: Reply(status=302, headers={"Location": "http://[oops"})
    assert "a redirect to an invalid URL" in failure(tmp_path, loopback.url)
    assert len(loopback.seen) == 2


@pytest.mark.parametrize("encoding", ["gzip", "deflate"])
def test_compressed_responses(tmp_path: Path, loopback: Loopback, encoding: str) -> None:
    """They are requested and decompressed."""
    rows = rows_by_offset(orders(25))
    compress = gzip.compress if encoding == "gzip" else zlib.compress

    def answer(seen: Seen) -> Reply:
        assert encoding in seen.headers["Accept-Encoding"]
        content = compress(json.dumps(rows(seen).value).encode())
        return Reply(body=content, headers={"Content-Encoding": encoding})

    loopback.answer = answer
    recorder, lines = run(full_shop(tmp_path, loopback.url))
    assert len(recorder.tables["orders"]) == 25
    assert lines.warnings == []


@pytest.mark.parametrize("compressed", [False, True])
def test_a_huge_response_is_not_read(tmp_path: Path, loopback: Loopback, compressed: bool) -> None:
    """Reading stops at the limit, decompressed. The message names the setting that makes responses smaller."""
    body = b"[" + b" " * 3_000_000 + b"]"
    headers = {"Content-Encoding": "gzip"} if compressed else {}
    loopback.answer = lambda seen: Reply(body=gzip.compress(body) if compressed else body, headers=headers)
    message = failure(tmp_path, loopback.url, edited(FULL_SHOP, add={"api.limits": {"body": "1MB"}}))
    assert "returned 200 with more than 1 MB" in message
    assert "batch_size in the configuration" in message
    assert [seen.json["limit"] for seen in loopback.seen] == [10, 5, 2, 1]


def test_a_huge_response_is_not_requested_again_as_from_a_connection_that_was_closed(
    tmp_path: Path, loopback: Loopback
) -> None:
    """That is for connections which were idle, such as the one of the first page."""
    rows = rows_by_offset(orders(25))
    loopback.answer = lambda seen: Reply(body=b" " * 3_000_000) if seen.json.get("offset") else rows(seen)
    failure(tmp_path, loopback.url, edited(FULL_SHOP, add={"api.limits": {"body": "1MB"}}))
    requested = [seen.json["limit"] for seen in loopback.seen if seen.path.endswith("/filter")]
    assert requested == [10, 10, 5, 2, 1]


@pytest.mark.parametrize("compressed", [False, True])
def test_a_urllib3_without_read1(
    tmp_path: Path, loopback: Loopback, compressed: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Versions before 2.2 read whole responses, too."""
    for kind in HTTPResponse.__mro__:
        if "read1" in vars(kind) and kind.__module__.startswith("urllib3"):
            monkeypatch.delattr(kind, "read1")
    body = json.dumps([{**row, "note": "x" * 5_000} for row in orders(9)]).encode()
    headers = {"Content-Encoding": "gzip"} if compressed else {}
    full = Reply(body=gzip.compress(body) if compressed else body, headers=headers)
    loopback.answer = lambda seen: full if seen.json.get("offset") == 0 else Reply(orders(9)[8:])
    recorder, _ = run(full_shop(tmp_path, loopback.url))
    assert len(recorder.tables["orders"]) == 9


@pytest.mark.parametrize("piece", [b" ", b" " * 65536], ids=["bytes", "blocks"])
@pytest.mark.parametrize("head", [b"", b"Content-Length: 100000000\r\n"], ids=["open end", "known length"])
def test_a_response_that_trickles(tmp_path: Path, piece: bytes, head: bytes) -> None:
    """A byte now and then defeats the read timeout; the total timeout ends the attempt."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]

        def trickle() -> None:
            while True:
                try:
                    connection, _ = server.accept()
                except OSError:
                    return
                with connection:
                    connection.recv(65536)
                    connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\n" + head + b"\r\n[")
                    try:
                        for _ in range(1000):
                            connection.sendall(piece)
                            time.sleep(0.01)
                    except OSError:
                        continue

        threading.Thread(target=trickle, daemon=True).start()
        text = edited(FULL_SHOP, add={"api.timeout.total": "50ms"})
        began = time.monotonic()
        message = failure(tmp_path, f"http://127.0.0.1:{port}/api", text)
        took = time.monotonic() - began
    assert "no complete response within" in message
    assert "gave up after 4 attempts" in message
    assert took < 10  # a single attempt that waited for all bytes would take that long


def test_cookies_are_not_kept(tmp_path: Path, loopback: Loopback) -> None:
    """A cookie jar is not safe to share between threads, and an API needs none."""
    rows = rows_by_offset(orders(25))
    loopback.answer = lambda seen: Reply(rows(seen).value, headers={"Set-Cookie": "a=b; Path=/"})
    run(full_shop(tmp_path, loopback.url))
    assert len(loopback.seen) > 2
    assert all("Cookie" not in seen.headers for seen in loopback.seen)


def test_repairs_are_warned_of_once_and_counted(tmp_path: Path, loopback: Loopback) -> None:
    """A warning for the first of each kind in a stream, and a total at the end."""
    row = b'{"id": "%d", "updated": null, "amount": %s, "note": "a\\u0000b"}'
    pages = [b"[" + b",".join(row % (n, b"NaN" if n == 3 else b"1.5") for n in range(k, k + 10)) + b"]" for k in (0, 9)]
    loopback.answer = first_these([Reply(body=page) for page in pages], lambda seen: Reply([]))
    recorder, lines = run(full_shop(tmp_path, loopback.url, edited(FULL_SHOP, remove=["streams.orders.count"])))
    rows = recorder.tables["orders"]
    assert {rows[str(n)]["note"] for n in range(19)} == {"ab"}
    assert rows["3"]["amount"] is None
    assert [re.sub(r"POST.*?: ", "", line) for line in lines.warnings if "string" in line or "number" in line] == [
        "orders: 1 number could not be stored (NaN, Infinity, out of range), replaced by NULL; more are counted",
        "orders: 10 strings contained NUL characters, which were removed; more are counted",
        "orders: in total, 20 strings contained NUL characters, which were removed",
    ]
