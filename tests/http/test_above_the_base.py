"""Endpoints above the base URL (``../filter``), and servers that have nothing there."""

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
from tests.specs import edited

SHOP = edited(STREAMS, replace={"streams.shops.endpoint": "POST ../../shops/filter"})
CLOUD = "https://api.prefect.cloud/api/accounts/A/workspaces/W"


@pytest.fixture
def server() -> Iterator[Loopback]:
    """Orders below /api/accounts/a/places/p, and shops two levels up."""
    with Loopback(answering(rows_by_offset([{"id": "s1", "name": "Berlin"}]))) as loopback:
        yield loopback


def answering(above: Answerer) -> Answerer:
    """Serve orders below the base URL; leave paths above it to ``above``."""
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
        # A path above the root has no URL, so messages show it as declared.
        ("http://h.test:4200/api", "../../bots/filter", "http://h.test:4200/api/../../bots/filter"),
        ("http://h.test", "..", "http://h.test/.."),
    ],
)
def test_each_dot_dot_removes_one_segment_of_the_base_url(tmp_path: Path, base: str, path: str, wanted: str) -> None:
    """The base URL's last segment counts as a folder, with or without a trailing slash. No path leaves the server."""
    assert url(base, path, tmp_path) == wanted


def test_a_stream_above_the_base_url_is_synced_with_the_same_key(tmp_path: Path, server: Loopback) -> None:
    """Each list is read at its own URL, with the same Authorization header."""
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
def test_a_missing_endpoint_above_the_base_url_is_skipped(tmp_path: Path, server: Loopback, reply: Reply) -> None:
    """Above the base URL there may be a website, so a redirect or a web page there means "not found"."""
    server.answer = answering(lambda seen: reply)
    recorder, lines = run(tmp_path, server)
    assert lines.warnings == [f"shops: {server.url}/accounts/a/shops/filter not found; skipping."]
    assert len(recorder.tables["orders"]) == 3
    assert "shops" not in recorder.tables
    assert sum("/shops/" in seen.path for seen in server.seen) == 1


def test_a_path_above_the_root_is_skipped_without_a_request(tmp_path: Path, server: Loopback) -> None:
    """From /api no path goes up two segments."""
    server.answer = rows_by_offset(orders(3))
    _, lines = run(tmp_path, server, base="")
    assert lines.warnings == [f"shops: {server.url}/../../shops/filter not found; skipping."]
    assert {seen.path for seen in server.seen} == {"/api/orders/filter"}
    assert lines.infos[-2:] == ["Synced 3 orders", "Sync completed successfully"]


@pytest.mark.parametrize(
    ("reply", "words"),
    [
        (Reply({"detail": "no"}, status=403), "returned 403 Forbidden"),
        (Reply(body=b"<html>", status=403, headers={"Content-Type": "text/html"}), "returned 403 Forbidden"),
        (Reply(body=b"<html>", status=500, headers={"Content-Type": "text/html"}), "returned 500"),
        (Reply({"detail": "no"}), "an object with the keys detail, and no list of records"),
    ],
)
def test_other_failures_above_the_base_url_fail_the_sync(
    tmp_path: Path, server: Loopback, reply: Reply, words: str
) -> None:
    """A rejected key, a server error or an unexpected shape must not pass for "not found": rows would be missing."""
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
def test_a_redirect_or_web_page_below_the_base_url_fails_the_sync(
    tmp_path: Path, server: Loopback, reply: Reply, words: str
) -> None:
    """Below the base URL there must be the API; anything else means that the URL or a proxy is wrong."""
    server.answer = lambda seen: reply
    with pytest.raises(Failure, match=words):
        run(tmp_path, server)


def test_a_405_means_not_found(tmp_path: Path, server: Loopback) -> None:
    """A path that exists only for another method has no list to read."""
    below = rows_by_offset(orders(3))

    def answer(seen: Seen) -> Reply:
        return Reply({"detail": "Method Not Allowed"}, 405) if seen.path.endswith("/shops/filter") else below(seen)

    server.answer = answer
    lines = Lines()
    sync(connection(tmp_path, server.url), {}, Recorder(), lines)
    assert lines.warnings == [f"shops: {server.url}/shops/filter not found; skipping."]


def test_a_next_page_link_is_compared_with_the_path_on_the_server() -> None:
    """The server knows the path without its ``..``, so the link is compared with the part that follows."""
    request = Request(Endpoint("GET", "../items"))
    paginator = Link().paginate(request)
    paginator.advance(Page([(1, {})], None, "http://inner.test/v1/items?at=2"))
    assert paginator.request == Request(Endpoint("GET", "../items"), {"at": ["2"]}, values=None)
