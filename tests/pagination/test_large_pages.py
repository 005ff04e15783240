"""A page with more bytes than a response may have is requested again with fewer rows."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from dev.testbed.loopback import Reply, Seen
from engine.failures import Failure
from engine.sync import sync
from tests.effort import pairs
from tests.in_process import InProcess
from tests.shop import ORDERS_ONLY, Lines, Recorder, connection
from tests.specs import edited

STYLES: dict[str, dict[str, Any]] = {
    "offset": {"style": "offset", "page_size": 16},
    "page_number": {"style": "page_number", "page_size": 16},
    "page_number with a total": {"style": "page_number", "page_size": 15, "total": "$.total"},
    "keyset": {"style": "keyset", "field": "$.made", "body": {"from": "$from", "to": "$to"}, "page_size": 16},
    "keyset of one timestamp": {
        "style": "keyset",
        "field": "$.same",
        "body": {"from": "$from", "to": "$to"},
        "page_size": 16,
        "tie_breaker": {},
    },
    "keyset of one timestamp, by token": {
        "style": "keyset",
        "field": "$.same",
        "body": {"from": "$from", "to": "$to"},
        "page_size": 16,
        "tie_breaker": {"pagination": {"style": "token", "token": "$.next", "body": {"token": "$token"}}},
    },
    "link": {"style": "link", "link": "$.link", "page_size": 16},
    "token": {"style": "token", "token": "$.next", "body": {"token": "$token"}, "page_size": 16, "total": "$.total"},
    "token, of other pages": {
        "style": "token",
        "token": "$.next",
        "query": {"token": "$token"},
        "page_size": 16,
        "endpoint": "GET /orders/next",
    },
}
NEIGHBORS = {20: 30_000, 21: 30_000}  # no page can hold both


def rows(sizes: dict[int, int]) -> list[dict[str, Any]]:
    """Forty rows, of which some are that large."""
    return [
        {
            "id": f"o{n:02}",
            "updated": "2024-05-01T10:00:00Z",
            "made": f"2024-05-01T10:{n:02}:00Z",
            "same": "2024-05-01T10:00:00Z",
            "note": "x" * sizes.get(n, 10),
        }
        for n in range(40)
    ]


def server_of(found: list[dict[str, Any]]) -> InProcess:
    """A server of these rows that knows limits, offsets, page numbers, timestamps, links and tokens.

    A link or a token stands for a place and for the size of its page.
    """

    def answer(seen: Seen) -> Reply:
        asked = {
            **(seen.json or {}),
            **{name: int(values[0]) for name, values in seen.query.items() if name != "token"},
        }
        if seen.path.endswith("/count"):
            return Reply(len(found))
        matching = found
        for field in ("made", "same"):
            if asked.get("field") == field:
                low, high = asked.get("from", ""), asked.get("to", "9")
                matching = [row for row in found if low <= row[field].replace("Z", ".000000Z") <= high]
        limit = asked.get("limit") or asked.get("page_size", 0)
        start = asked["offset"] if "offset" in asked else (asked.get("page", 1) - 1) * limit
        token = asked.get("token") or seen.query.get("token", [""])[0]
        if token:
            start, limit = map(int, token.split("."))
        end = start + limit
        following = {"next": f"{end}.{limit}", "link": f"?offset={end}&limit={limit}"} if end < len(matching) else {}
        return Reply({"results": matching[start:end], "total": len(matching), **following})

    return InProcess(answer)


@pytest.mark.parametrize(
    ("name", "sizes"), pairs(STYLES, [NEIGHBORS, {0: 30_000, 2: 30_000}, dict.fromkeys(range(40), 9_000)])
)
def test_a_page_that_is_too_large_is_requested_in_smaller_ones(
    tmp_path: Path, name: str, sizes: dict[int, int]
) -> None:
    """All rows arrive, each once, whatever the style and wherever the large rows are."""
    style = STYLES[name]
    body = {"field": style.get("field", "")[2:]}
    text = edited(
        ORDERS_ONLY,
        replace={"streams.orders.body": body},
        add={"streams.orders.pagination": style, "api.limits": {"body": "40KB"}},
    )
    found, recorder, lines = rows(sizes), Recorder(), Lines()
    with server_of(found) as server:
        sync(connection(tmp_path, server.url, text), {}, recorder, lines)
    assert sorted(recorder.tables["orders"]) == [row["id"] for row in found]
    assert recorder.count("upsert", "orders") == 40
    assert "returned 200 with more than 40 KB" in lines.warnings[0]


@pytest.mark.parametrize("style", ["offset", "page_number"])
def test_a_page_of_a_list_whose_order_moves_is_requested_in_smaller_ones(tmp_path: Path, style: str) -> None:
    """All rows arrive, each once."""
    text = edited(
        ORDERS_ONLY,
        remove=["streams.orders.cursor_field", "streams.orders.count"],
        replace={"streams.orders.sync_mode": "full_refresh"},
        add={"streams.orders.pagination": {**STYLES[style], "stable": False}, "api.limits": {"body": "40KB"}},
    )
    found, recorder = rows(NEIGHBORS), Recorder()
    with server_of(found) as server:
        sync(connection(tmp_path, server.url, text), {}, recorder, Lines())
    assert sorted(recorder.tables["orders"]) == [row["id"] for row in found]
    assert recorder.count("upsert", "orders") == 40


def test_pages_of_one_row_without_a_tie_breaker_show_every_row_of_a_timestamp(tmp_path: Path) -> None:
    """If the timestamp of a large row is another row's, too, one of them could be lost: that is a failure."""
    style = {**STYLES["keyset"], "field": "$.same"}
    text = edited(
        ORDERS_ONLY,
        replace={"streams.orders.body": {"field": "same"}},
        add={"streams.orders.pagination": style, "api.limits": {"body": "40KB"}},
    )
    found = rows({0: 30_000, 1: 30_000})[:3]
    found[0]["same"] = "2024-05-01T09:00:00Z"
    with server_of(found) as server, pytest.raises(Failure, match="so there could be more"):
        sync(connection(tmp_path, server.url, text), {}, Recorder(), Lines())


def test_a_row_that_fits_no_response_is_a_failure(tmp_path: Path) -> None:
    """After pages of one row, it names the limit to raise."""
    text = edited(
        ORDERS_ONLY,
        add={"streams.orders.pagination": STYLES["page_number"], "api.limits": {"body": "40KB"}},
    )
    with server_of(rows({30: 50_000})) as server, pytest.raises(Failure, match=r"raise api\.limits\.body") as caught:
        sync(connection(tmp_path, server.url, text), {}, Recorder(), Lines())
    assert "page_size=1," in str(caught.value)
