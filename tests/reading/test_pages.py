"""How the pages of a list are requested: ahead of the reader, and in the next style if the server rejects the first."""

from __future__ import annotations

from pathlib import Path
from threading import Event

from dev.testbed.loopback import Reply, Seen
from engine.http.client import Client
from engine.reading.backfill import read_all
from engine.reading.pages import PageReader
from engine.reading.source import sources
from tests.in_process import InProcess
from tests.lists import HEAD, Server, alive, synced
from tests.shop import Lines, connection
from tests.specs import edited

ORDERS = f"""{HEAD}
  orders:
    description: One row per order.
    endpoint: GET /orders
    query: {{sort: id}}
    pagination: {{style: offset, page_size: 2}}
    primary_key: id
    sync_mode: full_refresh
    fields: {{id: $.id}}
"""


def test_the_next_page_is_fetched_while_the_current_one_is_processed(tmp_path: Path) -> None:
    """The reader has the second page, and has not asked for the third."""
    third = Event()

    def answer(seen: Seen) -> Reply:
        first, size = int(seen.query.get("offset", ["0"])[0]), int(seen.query["limit"][0])
        if first == 2:  # pages overlap by one row
            third.set()
        return Reply([{"id": number} for number in range(first, min(first + size, 9))])

    with InProcess(answer) as api:
        resolved = connection(tmp_path, api.url, ORDERS)
        with Client(resolved, Lines()) as client, PageReader(client, 1) as pages:
            batches = read_all(sources(resolved.spec, pages, Lines())["orders"])
            assert len([next(batches) for _ in range(2)]) == 2
            assert third.wait(10)


def test_a_list_is_read_in_the_next_style_if_the_server_rejects_the_first(tmp_path: Path) -> None:
    """The log says so. No row is sent twice."""

    class Older(Server):
        def __call__(self, seen: Seen) -> Reply:
            return Reply({"error": "unknown parameter"}, 400) if "page" in seen.query else super().__call__(seen)

    styles = [{"style": "page_number"}, {"style": "offset"}]
    text = edited(ORDERS, replace={"streams.orders.pagination": styles})
    recorder, log = synced(Older(orders=[{"id": "a"}, {"id": "b"}]), tmp_path, text)
    assert alive(recorder, "orders").keys() == {"a", "b"}
    assert recorder.count("upsert", "orders") == 2
    assert "orders: the server rejects pagination style 1; trying the next" in log.infos
