"""Paths that go up from the base URL, and servers that have nothing there."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from dev.testbed.loopback import Answerer, Loopback, Reply, Seen, rows_by_offset
from engine.declare.types import Endpoint
from engine.failures import Failure
from engine.http.client import Client
from engine.pagination.link import Link
from engine.requests import Page, Request
from engine.sync import sync
from tests.shop import STREAMS, Lines, Recorder, connection, orders

SHOP = STREAMS.replace("POST /shops/filter", "POST ../../shops/filter")
CLOUD = "https://api.prefect.cloud/api/accounts/A/workspaces/W"


@pytest.fixture
def server() -> Iterator[Loopback]:
    """Orders below /api/accounts/a/places/p, and shops beside it."""
    with Loopback(answering(rows_by_offset([{"id": "s1", "name": "Berlin"}]))) as loopback:
        yield loopback


def answering(above: Answerer) -> Answerer:
    """A server whose answers to what lies above the base URL are given."""
    below = rows_by_offset(orders(3))
    return lambda seen: (below if "/places/" in seen.path else above)(seen)


def url(base: str, path: str, folder: Path) -> str:
    with Client(connection(folder, base), Lines()) as client:
        return client.url(Request(Endpoint("POST", path)))


def run(folder: Path, server: Loopback, base: str = "/accounts/a/places/p") -> tuple[Recorder, Lines]:
    recorder, lines = Recorder(), Lines()
    sync(connection(folder, server.url + base, SHOP, api_key="k3y"), {}, recorder, lines)
    return recorder, lines


@pytest.mark.parametrize(
    ("base", "path", "wanted"),
    [
        (CLOUD, "/flows/filter", f"{CLOUD}/flows/filter"),
        (CLOUD, "../filter", "https://api.prefect.cloud/api/accounts/A/workspaces/filter"),
        (f"{CLOUD}/", "../filter", "https://api.prefect.cloud/api/accounts/A/workspaces/filter"),
        (CLOUD, "../../bots/filter", "https://api.prefect.cloud/api/accounts/A/bots/filter"),
        (CLOUD, "../..", "https://api.prefect.cloud/api/accounts/A"),
        (CLOUD, "../../", "https://api.prefect.cloud/api/accounts/A/"),
        (CLOUD, "../../../../../x", "https://api.prefect.cloud/x"),
        (CLOUD, "../../../../..", "https://api.prefect.cloud"),
        ("http://[::1]:4200//api//", "../x", "http://[::1]:4200/x"),
        ("http://h.test/%2E./api", "../x", "http://h.test/%2E./x"),
        # What there is no address for is named as it is declared.
        ("http://h.test:4200/api", "../../bots/filter", "http://h.test:4200/api/../../bots/filter"),
        ("http://h.test", "..", "http://h.test/.."),
    ],
)
def test_a_path_goes_up_segment_by_segment(tmp_path: Path, base: str, path: str, wanted: str) -> None:
    """The base URL's last segment is a folder, with or without its slash; the server stays the same."""
    assert url(base, path, tmp_path) == wanted


def test_what_lies_above_is_copied_with_the_same_key(tmp_path: Path, server: Loopback) -> None:
    """Both lists, each from its own place on the one server."""
    recorder, lines = run(tmp_path, server)
    assert set(recorder.tables["shops"]) == {"s1"}
    assert len(recorder.tables["orders"]) == 3
    assert lines.warnings == []
    assert {seen.path for seen in server.seen} == {
        "/api/accounts/a/places/p/orders/filter", "/api/accounts/a/shops/filter",
    }  # fmt: skip
    assert {seen.headers["Authorization"] for seen in server.seen} == {"Bearer k3y"}


@pytest.mark.parametrize(
    "reply",
    [
        Reply({"detail": "Not Found"}, status=404),
        Reply({"detail": "Method Not Allowed"}, status=405),
        Reply(status=307, headers={"Location": "https://elsewhere.test/login"}),
        Reply(body=b"<html>", headers={"Content-Type": "text/html; charset=utf-8"}),
    ],
    ids=["404", "405", "a redirect", "a web page"],
)
def test_nothing_there_is_one_warning(tmp_path: Path, server: Loopback, reply: Reply) -> None:
    """Whoever answers above the base URL need not be the API: the stream is skipped, after one request."""
    server.answer = answering(lambda seen: reply)
    recorder, lines = run(tmp_path, server)
    assert lines.warnings == [f"{server.url}/accounts/a/shops/filter not found; skipping."]
    assert len(recorder.tables["orders"]) == 3
    assert "shops" not in recorder.tables
    assert sum("/shops/" in seen.path for seen in server.seen) == 1


def test_higher_than_the_server_is_one_warning_and_no_request(tmp_path: Path, server: Loopback) -> None:
    """From /api there is no way two segments up."""
    server.answer = rows_by_offset(orders(3))
    _, lines = run(tmp_path, server, base="")
    assert lines.warnings == [f"{server.url}/../../shops/filter not found; skipping."]
    assert {seen.path for seen in server.seen} == {"/api/orders/filter"}
    assert lines.infos[-2:] == ["Synced 3 orders", "Sync completed successfully"]


@pytest.mark.parametrize(
    ("reply", "words"),
    [
        (Reply({"detail": "no"}, status=403), "answered 403 Forbidden"),
        (Reply(body=b"<html>", status=403, headers={"Content-Type": "text/html"}), "answered 403 Forbidden"),
        (Reply(body=b"<html>", status=500, headers={"Content-Type": "text/html"}), "answered 500"),
        (Reply({"detail": "no"}), "an object with the keys detail, and no list of records"),
    ],
)
def test_another_answer_from_there_is_a_failure(tmp_path: Path, server: Loopback, reply: Reply, words: str) -> None:
    """As below the base URL: a refused key, a server in trouble and another shape are nothing to pass over."""
    server.answer = answering(lambda seen: reply)
    with pytest.raises(Failure, match=words):
        run(tmp_path, server)


@pytest.mark.parametrize(
    ("reply", "words"),
    [
        (Reply(status=307, headers={"Location": "https://elsewhere.test/login"}), "a redirect to"),
        (Reply(body=b"<html>", headers={"Content-Type": "text/html"}), "with a web page"),
    ],
)
def test_below_the_base_they_stay_failures(tmp_path: Path, server: Loopback, reply: Reply, words: str) -> None:
    """There the API must answer."""
    server.answer = lambda seen: reply
    with pytest.raises(Failure, match=words):
        run(tmp_path, server)


def test_a_405_below_the_base_is_no_such_endpoint(tmp_path: Path, server: Loopback) -> None:
    """A path that is there for another method only has nothing to read."""
    below = rows_by_offset(orders(3))

    def answer(seen: Seen) -> Reply:
        return Reply({"detail": "Method Not Allowed"}, 405) if seen.path.endswith("/shops/filter") else below(seen)

    server.answer = answer
    lines = Lines()
    sync(connection(tmp_path, server.url), {}, Recorder(), lines)
    assert lines.warnings == [f"{server.url}/shops/filter not found; skipping."]


def test_a_link_to_the_next_page_leads_to_the_same_place() -> None:
    """Compared is what the server knows of the path, which is not how it is written."""
    request = Request(Endpoint("GET", "../items"))
    paginator = Link().paginate(request)
    paginator.advance(Page([(1, {})], None, "http://inner.test/v1/items?at=2"))
    assert paginator.request == Request(Endpoint("GET", "../items"), {"at": ["2"]})
