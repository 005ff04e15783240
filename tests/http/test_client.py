"""Requests that fail: what is retried, what the messages say, and that none contains a secret."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from datetime import datetime, timedelta, timezone
from email.utils import format_datetime
from itertools import pairwise
from pathlib import Path

import pytest

from dev.testbed.loopback import Loopback, Reply, Seen, dead_port, first_these, rows_by_offset
from dev.testbed.prefect_server import free_port
from engine.failures import Failure
from engine.http.redirects import redirect_target
from engine.http.response import RawResponse
from engine.sync import sync
from tests.effort import pairs
from tests.shop import ORDERS_ONLY, Lines, Recorder, connection, impatient, orders
from tests.specs import edited

pytestmark = pytest.mark.long  # they wait
CANARY = "CANARY-KEY-0123456789"


@pytest.fixture
def loopback() -> Iterator[Loopback]:
    with Loopback(rows_by_offset(orders(25))) as server:
        yield server


def run(folder: Path, url: str, *, text: str = ORDERS_ONLY, key: str = CANARY) -> tuple[Recorder, Lines]:
    """Sync the shop into a new recorder."""
    recorder, lines = Recorder(), Lines()
    sync(connection(folder, url, text, api_key=key, batch_size="10"), {}, recorder, lines)
    return recorder, lines


def failure(folder: Path, url: str, *, text: str = ORDERS_ONLY, key: str = CANARY) -> str:
    """Sync and return the message of the failure, which contains no secret."""
    with pytest.raises(Failure) as caught:
        run(folder, url, text=text, key=key)
    assert CANARY not in str(caught.value)
    return str(caught.value)


TRANSIENT = {
    "500": Reply({"exception_message": "Internal Server Error"}, status=500),
    "502 with HTML": Reply(body=b"<html>bad gateway</html>", status=502, headers={"Content-Type": "text/html"}),
    "503": Reply({"exception_message": "Service Unavailable"}, status=503),
    "408": Reply(status=408),
    "read timeout": Reply([], delay=3),
    "body cut": Reply(orders(10), cut=100),
    "JSON cut, length right": Reply(body=b'[{"id": "o1", "upda'),
    "HTML with 200": Reply(body=b"<html>Sign in</html>", headers={"Content-Type": "text/html"}),
    "empty body": Reply(body=b""),
    "broken gzip": Reply(body=b"[]", headers={"Content-Encoding": "gzip"}),
    "not UTF-8": Reply(body=b'["\xff\xfe"]'),
    "an object of another shape": Reply({"detail": "maintenance"}),
    "a list of strings": Reply(["a", "b"]),
}


def text_for(fault: Reply) -> str:
    return impatient(ORDERS_ONLY) if fault.delay else ORDERS_ONLY


@pytest.mark.parametrize(("kind", "at"), pairs(TRANSIENT, [0, 2]))
@pytest.mark.scenario("transient-failure")
def test_a_transient_failure_is_retried_and_no_row_is_lost(
    tmp_path: Path, loopback: Loopback, kind: str, at: int
) -> None:
    """On the first page or a later one: one warning that names the request and the wait, then all rows."""
    fault = TRANSIENT[kind]
    rows = rows_by_offset(orders(25))
    waiting = [fault]

    def answer(seen: Seen) -> Reply:
        pages = [s for s in loopback.seen if s.path.endswith("/filter")]
        return waiting.pop() if waiting and len(pages) > at else rows(seen)

    loopback.answer = answer
    recorder, lines = run(tmp_path, loopback.url, text=text_for(fault))
    assert sorted(recorder.tables["orders"]) == [row["id"] for row in orders(25)]
    assert len(lines.warnings) == 1
    assert lines.warnings[0].startswith("orders: POST /orders/filter (")
    assert "attempt 1 of 4, retrying in 0.0" in lines.warnings[0]


@pytest.mark.parametrize("fault", TRANSIENT.values(), ids=TRANSIENT)
@pytest.mark.scenario("lasting-failure")
def test_a_lasting_failure_ends_the_sync_and_moves_no_state(tmp_path: Path, loopback: Loopback, fault: Reply) -> None:
    """The failure names stream, request and URL. The cursor stays, so the next sync misses nothing.

    What was read before is saved with its position.
    """
    good = rows_by_offset(orders(25))
    loopback.answer = lambda seen: fault if (seen.json or {}).get("offset", 0) > 0 else good(seen)
    recorder = Recorder()
    with pytest.raises(
        Failure,
        match=r"^orders: POST /orders/filter .*offset=9.* at http://127.*(gave up after 4 attempts|twice in a row)",
    ) as caught:
        sync(connection(tmp_path, loopback.url, text_for(fault), batch_size="10"), {}, recorder, Lines())
    assert recorder.count("checkpoint") == 1
    assert recorder.state["streams"]["orders"].keys() >= {"pass"}
    assert "since" not in recorder.state["streams"]["orders"]
    attempts = 2 if "twice in a row" in str(caught.value) else 4
    assert len([s for s in loopback.seen if (s.json or {}).get("offset", 0) > 0]) == attempts


@pytest.mark.parametrize("at", [0, 2])
@pytest.mark.scenario("transient-failure")
def test_a_429_is_waited_out_and_no_row_is_lost(tmp_path: Path, loopback: Loopback, at: int) -> None:
    """It is no failure: it counts neither as an attempt nor as a retry, of which there are none here."""
    rows, waiting = rows_by_offset(orders(25)), [Reply(status=429)] * 5

    def answer(seen: Seen) -> Reply:
        pages = [s for s in loopback.seen if s.path.endswith("/filter")]
        return waiting.pop() if waiting and len(pages) > at else rows(seen)

    loopback.answer = answer
    text = edited(ORDERS_ONLY, replace={"api.retry.attempts": 1}, add={"api.limits": {"retries": 1}})
    recorder, lines = run(tmp_path, loopback.url, text=text)
    assert sorted(recorder.tables["orders"]) == [row["id"] for row in orders(25)]
    assert len(lines.warnings) == 1
    assert lines.warnings[0].startswith("orders: POST /orders/filter (")
    assert "returned 429 Too Many Requests; all requests pause for 0.0 s" in lines.warnings[0]


@pytest.mark.scenario("lasting-failure")
def test_a_429_that_lasts_ends_the_sync_and_moves_no_state(tmp_path: Path, loopback: Loopback) -> None:
    """After throttled_max, not after the attempts of a failure. The failure says what the server requested."""
    good = rows_by_offset(orders(25))
    loopback.answer = lambda seen: Reply(status=429) if (seen.json or {}).get("offset", 0) > 0 else good(seen)
    recorder = Recorder()
    text = edited(ORDERS_ONLY, replace={"api.retry.throttled_max": "200ms", "api.retry.attempts": 1})
    with pytest.raises(
        Failure,
        match=r"^orders: POST /orders/filter .*offset=9.* at http://127.*: returned 429 Too Many Requests; rate limits "
        r"would hold up the request for \d+ s, more than throttled_max \(0 s\); the server requests no particular "
        r"wait\. Sync less often, or raise api\.retry\.throttled_max in streams\.yaml\.$",
    ):
        sync(connection(tmp_path, loopback.url, text, batch_size="10"), {}, recorder, Lines())
    assert "since" not in recorder.state["streams"]["orders"]
    assert len([s for s in loopback.seen if (s.json or {}).get("offset", 0) > 0]) > 1


@pytest.mark.parametrize("times", [1, 2])
def test_a_closed_idle_connection_is_not_a_failure(tmp_path: Path, loopback: Loopback, times: int) -> None:
    """Servers close idle connections at any time. The request is sent again at once; a second time is a failure."""
    rows, waiting = rows_by_offset(orders(25)), [Reply(hang_up=True)] * times
    loopback.answer = lambda seen: waiting.pop() if waiting and len(loopback.seen) > 2 else rows(seen)
    recorder, lines = run(tmp_path, loopback.url)
    assert len(recorder.tables["orders"]) == 25
    assert sum("the server had closed the idle connection" in line for line in lines.infos) == 1
    assert len(lines.warnings) == times - 1


def test_a_connection_closed_at_the_first_request_is_a_failure(tmp_path: Path, loopback: Loopback) -> None:
    """No connection existed yet that could have been idle."""
    loopback.answer = first_these([Reply(hang_up=True)], rows_by_offset(orders(5)))
    _, lines = run(tmp_path, loopback.url)
    assert "attempt 1 of 4" in lines.warnings[0]


def test_the_waits_grow_and_are_bounded(tmp_path: Path, loopback: Loopback) -> None:
    """They double from wait_initial up to wait_max, less up to a half as jitter: 10, 20, 40 ms."""
    loopback.answer = first_these([Reply(status=500)] * 3, rows_by_offset(orders(3)))
    run(tmp_path, loopback.url)
    times = [seen.at for seen in loopback.seen[:4]]
    waits = [later - earlier for earlier, later in pairwise(times)]
    for wait, full in zip(waits, (0.01, 0.02, 0.04), strict=True):
        assert wait >= full / 2
    text = edited(ORDERS_ONLY, replace={"api.retry.wait_max": "10ms"})
    loopback.seen.clear()
    loopback.answer = lambda seen: Reply(status=500)
    failure(tmp_path, loopback.url, text=text)
    assert len(loopback.seen) == 4


def retry_date() -> str:
    return format_datetime(datetime.now(timezone.utc) + timedelta(seconds=2), usegmt=True)


@pytest.mark.parametrize(("header", "least"), [(lambda: "1", 1.0), (retry_date, 0.9)], ids=["seconds", "date"])
@pytest.mark.scenario("retry-after")
def test_retry_after_is_respected(tmp_path: Path, loopback: Loopback, header: Callable[[], str], least: float) -> None:
    """In seconds, or as a date by the server's clock."""
    loopback.answer = first_these([Reply(status=429, headers={"Retry-After": header()})], rows_by_offset(orders(3)))
    recorder, lines = run(tmp_path, loopback.url)
    assert loopback.seen[1].at - loopback.seen[0].at >= least
    assert len(recorder.tables["orders"]) == 3
    assert "429" in lines.warnings[0]


def test_a_retry_after_above_the_maximum_fails_at_once(tmp_path: Path, loopback: Loopback) -> None:
    """The sync does not sleep for a day; the failure names the requested wait and the setting that limits it."""
    loopback.answer = lambda seen: Reply(status=429, headers={"Retry-After": "86400"})
    message = failure(tmp_path, loopback.url)
    assert "requests a wait of 86400 s" in message
    assert "retry_after_max" in message
    assert len(loopback.seen) == 1


def test_a_refused_connection_names_the_setting(tmp_path: Path) -> None:
    """After the retries, the failure says why and which setting to check."""
    message = failure(tmp_path, f"http://127.0.0.1:{dead_port()}/api")
    assert "Connection refused" in message
    assert "api_url in the configuration" in message


def test_a_sync_waits_for_a_server_that_comes_back(tmp_path: Path) -> None:
    """No server listens at first. The sync succeeds as soon as one does."""
    port = free_port()
    retry = {"attempts": 20, "wait_initial": "100ms", "wait_max": "100ms"}
    text = edited(ORDERS_ONLY, replace={"api.retry": retry})
    done: list[Recorder] = []
    thread = threading.Thread(target=lambda: done.append(run(tmp_path, f"http://127.0.0.1:{port}/api", text=text)[0]))
    thread.start()
    time.sleep(0.3)
    with Loopback(rows_by_offset(orders(3)), port=port):
        thread.join(10)
    assert len(done[0].tables["orders"]) == 3


@pytest.mark.parametrize("status", [401, 403])
def test_a_rejected_key_fails_with_the_setting_and_without_the_key(
    tmp_path: Path, loopback: Loopback, status: int
) -> None:
    """It is not retried. The message names status, endpoint and setting, and no secret if the server repeats it."""
    loopback.answer = lambda seen: Reply({"detail": f"bad key {CANARY}"}, status=status)
    message = failure(tmp_path, loopback.url)
    assert str(status) in message
    assert "POST /orders/filter" in message
    assert "api_key in the configuration" in message
    assert "bad key ***" in message
    assert len(loopback.seen) == 1
    loopback.answer = lambda seen: Reply({"detail": "Unauthorized"}, status=status)
    assert "The server requires authentication; set api_key" in failure(tmp_path, loopback.url, key="")


def test_a_422_quotes_the_server_and_names_the_keys_sent(tmp_path: Path, loopback: Loopback) -> None:
    """It is not retried. Together they show which key the server rejects."""
    loopback.answer = lambda seen: Reply({"detail": "Invalid limit: must be less than or equal to 5."}, status=422)
    message = failure(tmp_path, loopback.url)
    assert "422" in message
    assert "Invalid limit: must be less than or equal to 5." in message
    assert "keys sent: sort, limit, offset" in message
    assert "batch_size in the configuration" in message
    assert len(loopback.seen) == 1


@pytest.mark.parametrize("status", [400, 409, 410, 413])
def test_other_client_errors_are_not_retried(tmp_path: Path, loopback: Loopback, status: int) -> None:
    """Another attempt would get the same response."""
    loopback.answer = lambda seen: Reply({"detail": "no"}, status=status)
    assert f"returned {status}" in failure(tmp_path, loopback.url)
    assert len(loopback.seen) == 1


def test_a_redirect_on_the_same_server_is_followed(tmp_path: Path, loopback: Loopback) -> None:
    """The request is sent again with its method, body and credentials, as for a resource that has a new name."""
    moved = Reply(status=308, headers={"Location": "/api/renamed/filter?page=2#rows"})
    loopback.answer = lambda seen: Reply([]) if "renamed" in seen.path else moved
    run(tmp_path, loopback.url)
    first, second = loopback.seen[:2]
    assert (second.path, second.query) == ("/api/renamed/filter", {"page": ["2"]})
    assert (second.method, second.json) == (first.method, first.json)
    assert second.headers["Authorization"] == first.headers["Authorization"]


@pytest.mark.parametrize("location", ["/api/orders/filter?again", "", "/api/orders/filter"])
def test_redirects_that_lead_nowhere_are_a_failure(tmp_path: Path, loopback: Loopback, location: str) -> None:
    """A server that redirects for ever is not asked for ever."""
    loopback.answer = lambda seen: Reply(status=307, headers={"Location": location} if location else {})
    assert "returned 307" in failure(tmp_path, loopback.url)
    assert len(loopback.seen) <= 5


def test_a_redirect_that_would_lose_the_body_is_not_followed(tmp_path: Path, loopback: Loopback) -> None:
    """After 301 and 302, clients differ in what they send of a POST request."""
    loopback.answer = lambda seen: Reply(status=301, headers={"Location": "/api/renamed"})
    assert f"a redirect to {loopback.url}/renamed; it is not followed." in failure(tmp_path, loopback.url)
    assert len(loopback.seen) == 1


@pytest.mark.parametrize(
    ("location", "target"),
    [
        ("https://api.test/x", None),
        ("http://api.test:81/x", None),
        ("//evil.test/x", None),
        ("http://me@api.test/", None),
        ("http://api.test.evil/", None),
        ("http://api.test\\@evil.test/", None),
        ("ht\ttp://evil.test/", None),
        ("/\\evil.test", "http://api.test/\\evil.test"),
        ("?to=//evil.test", "http://api.test/v1?to=//evil.test"),
    ],
)
def test_only_a_redirect_to_the_same_scheme_host_and_port_has_a_target(location: str, target: str | None) -> None:
    """However it is written: what is sent there carries the credentials."""
    moved = RawResponse(307, "", {"Location": location}, bytearray(), 0.0, 0.0)
    assert redirect_target("POST", "http://api.test/v1", moved) == target


def test_a_redirect_to_another_server_is_not_followed(tmp_path: Path, loopback: Loopback) -> None:
    """The key could reach another host. The message names the target."""
    loopback.answer = lambda seen: Reply(status=307, headers={"Location": "https://elsewhere.test/api/x?y=1"})
    message = failure(tmp_path, loopback.url)
    assert "redirect to https://elsewhere.test/api/x; it is not followed, to keep the API key" in message
    assert len(loopback.seen) == 1


def test_headers_and_body_of_a_request(tmp_path: Path, loopback: Loopback) -> None:
    """A bearer token and a JSON body. Without a key there is no Authorization header."""
    run(tmp_path, loopback.url)
    first = loopback.seen[0]
    assert first.headers["Authorization"] == f"Bearer {CANARY}"
    assert first.headers["Content-Type"] == "application/json"
    assert first.json == {"sort": "ID_DESC", "limit": 10, "offset": 0}
    loopback.seen.clear()
    run(tmp_path, loopback.url, key="")
    assert all("Authorization" not in seen.headers for seen in loopback.seen)


def test_netrc_is_not_used(tmp_path: Path, loopback: Loopback, monkeypatch: pytest.MonkeyPatch) -> None:
    """The requests library would send a password found there, in place of the key or without one."""
    netrc = tmp_path / "netrc"
    netrc.write_text("machine 127.0.0.1 login someone password CANARY\n")
    netrc.chmod(0o600)
    monkeypatch.setenv("NETRC", str(netrc))
    run(tmp_path, loopback.url)
    run(tmp_path, loopback.url, key="")
    assert {seen.headers.get("Authorization") for seen in loopback.seen} == {f"Bearer {CANARY}", None}


@pytest.mark.parametrize("wrap", ["results", "result"])
def test_a_list_inside_a_declared_wrapper_is_read(tmp_path: Path, loopback: Loopback, wrap: str) -> None:
    """Some servers wrap the list in an object; ``records`` names the paths."""
    bare = rows_by_offset(orders(25))
    loopback.answer = lambda seen: Reply({wrap: bare(seen).value, "count": 25})
    recorder, _ = run(tmp_path, loopback.url, text=edited(ORDERS_ONLY, remove=["streams.orders.count"]))
    assert len(recorder.tables["orders"]) == 25


def test_an_undeclared_wrapper_is_a_failure_and_not_an_empty_page(tmp_path: Path, loopback: Loopback) -> None:
    """An empty page would look like the end of the list. The message names the keys found and the paths declared."""
    loopback.answer = lambda seen: Reply({"items": orders(3), "total": 3})
    message = failure(tmp_path, loopback.url)
    assert "an object with the keys items, total" in message
    assert "no list of records at $ or $.results or $.result" in message


def test_unpaired_surrogates_are_replaced_and_logged(tmp_path: Path, loopback: Loopback) -> None:
    """One would fail the whole checkpoint. Complete pairs stay."""
    body = rb'[{"id": "a\ud83d", "updated": null, "note": "\ud83d\ude80"}]'
    first = [Reply(body=body)]
    loopback.answer = lambda seen: first[0] if seen.json["offset"] == 0 else Reply([])
    recorder, lines = run(tmp_path, loopback.url)
    assert recorder.tables["orders"]["a\ufffd"]["note"] == "🚀"
    assert any("unpaired surrogate" in line for line in lines.warnings)
