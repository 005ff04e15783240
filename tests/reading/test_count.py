"""The server's count of a list: alone in a response, at a path of one, or in a header."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from dev.testbed.loopback import Reply, Seen
from engine.http.client import Client
from engine.reading.pages import PageReader
from engine.reading.reconcile import Slice
from engine.reading.source import sources
from engine.state import ReconcileState
from tests.in_process import InProcess
from tests.lists import HEAD, START, Server, alive, synced
from tests.shop import Lines, connection
from tests.specs import edited

ORDERS = f"""{HEAD}
  orders:
    description: One row per order.
    endpoint: GET /orders
    primary_key: id
    sync_mode: full_refresh
    fields: {{id: $.id}}
"""


def count_of(folder: Path, declared: Any, reply: Reply) -> tuple[int | None, Seen, Lines]:
    """The count, the request for it, and the log."""
    log, server, requests = Lines(), Server(orders=reply, count=reply), list[Seen]()

    def answer(seen: Seen) -> Reply:
        requests.append(seen)
        return server(seen)

    resolved = connection(folder, InProcess.url, edited(ORDERS, add={"streams.orders.count": declared}))
    with InProcess(answer), Client(resolved, log) as client, PageReader(client, 1) as pages:
        return sources(resolved.spec, pages, log)["orders"].count(), requests[0], log


@pytest.mark.parametrize(
    ("declared", "reply"),
    [
        ("GET /count", Reply(25)),
        ({"endpoint": "GET /count", "path": "$.total"}, Reply({"total": "25", "orders": []})),
        ({"endpoint": "GET /count", "path": "$.meta.page[0]"}, Reply({"meta": {"page": [25.0]}})),
        ({"endpoint": "GET /count", "header": "X-Total-Count"}, Reply([{"id": 1}], headers={"x-total-count": "25"})),
        ({"endpoint": "GET /count", "header": "X-Total-Count"}, Reply([], headers={"X-Total-Count": "25"})),
    ],
)
def test_a_count_is_anywhere_in_a_response(tmp_path: Path, declared: Any, reply: Reply) -> None:
    """A number, in whatever form servers write it."""
    assert count_of(tmp_path, declared, reply)[0] == 25


def test_a_count_has_a_query_or_a_body_of_its_own(tmp_path: Path) -> None:
    """A GET request has no body, a POST request always one."""
    _, sent, _ = count_of(tmp_path, {"endpoint": "GET /orders", "query": {"limit": 1}}, Reply(1))
    assert (sent.method, sent.query, sent.content) == ("GET", {"limit": ["1"]}, b"")
    _, sent, _ = count_of(tmp_path, {"endpoint": "POST /count", "body": {"size": 0}}, Reply(1))
    assert (sent.method, sent.json) == ("POST", {"size": 0})
    _, sent, _ = count_of(tmp_path, "POST /count", Reply(1))
    assert sent.json == {}


@pytest.mark.parametrize(("total", "read", "is_due"), [(0, 0, False), (24, 0, True), (24, 1, False), (48, 1, True)])
def test_a_slice_of_a_reconciliation_is_due_once_the_count_says_that_a_row_is(
    tmp_path: Path, total: int, read: int, is_due: bool
) -> None:
    """After an hour of a day, it is a 24th of the rows. An empty list is not requested."""
    text = edited(ORDERS, add={"streams.orders.count": "GET /count"})
    hour, before = timedelta(hours=1), ReconcileState(START, START, "position", read)
    with InProcess(Server(count=Reply(total))) as server:
        resolved = connection(tmp_path, server.url, text)
        with Client(resolved, Lines()) as client, PageReader(client, 1) as pages:
            source = sources(resolved.spec, pages, Lines())["orders"]
            assert Slice(source, before, 24 * hour, START + hour).is_due() == is_due


def test_a_list_that_its_first_page_ends_is_not_counted(tmp_path: Path) -> None:
    """Though the page is full: the total that it has says that nothing follows."""
    pages = {"style": "page_number", "page_size": 2, "total": {"header": "X-Total"}}
    text = edited(ORDERS, add={"streams.orders.count": "GET /count", "streams.orders.pagination": pages})
    server = Server(orders=Reply([{"id": 1}, {"id": 2}], headers={"X-Total": "2"}), count=Reply(2))
    recorder, _ = synced(server, tmp_path, text)
    assert (sorted(alive(recorder, "orders")), server.seen) == (["1", "2"], ["orders"])


@pytest.mark.parametrize(
    ("declared", "words"),
    [
        ("GET /count", "an object with the keys total, and no number at $"),
        ({"endpoint": "GET /count", "path": "$.sum"}, "an object with the keys total, and no number at $.sum"),
        ({"endpoint": "GET /count", "header": "X-Total"}, "the response has no number in the header X-Total."),
    ],
)
def test_a_response_without_a_number_is_no_count(tmp_path: Path, declared: Any, words: str) -> None:
    """The sync goes on without one, with a warning."""
    number, _, log = count_of(tmp_path, declared, Reply({"total": "many"}))
    assert number is None
    (warning,) = log.warnings
    assert words in warning
    assert warning.endswith("The sync goes on without a count.")
