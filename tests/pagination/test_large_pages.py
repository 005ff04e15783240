"""A page with more bytes than a response may have is requested again with fewer rows."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from dev.testbed.loopback import Loopback, Reply, Seen
from engine.failures import Failure
from engine.sync import sync
from tests.shop import ORDERS_ONLY, Lines, Recorder, connection
from tests.specs import edited

STYLES: dict[str, dict[str, Any]] = {
    "offset": {"style": "offset", "page_size": 16},
    "page_number": {"style": "page_number", "page_size": 16},
    "page_number with a total": {"style": "page_number", "page_size": 15, "total": "$.total"},
    "keyset": {"style": "keyset", "field": "$.made", "after": "from", "before": "to", "page_size": 16},
    "keyset of one timestamp": {
        "style": "keyset",
        "field": "$.same",
        "after": "from",
        "before": "to",
        "page_size": 16,
        "tie_breaker": {},
    },
}


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


def server_of(found: list[dict[str, Any]]) -> Loopback:
    """A server of these rows that knows limits, offsets, page numbers and timestamps."""

    def answer(seen: Seen) -> Reply:
        asked = seen.json or {}
        if seen.path.endswith("/count"):
            return Reply(len(found))
        matching = found
        for field in ("made", "same"):
            if asked.get("field") == field:
                low, high = asked.get("from", ""), asked.get("to", "9")
                matching = [row for row in found if low <= row[field].replace("Z", ".000000Z") <= high]
        limit = asked.get("limit") or asked["page_size"]
        start = asked["offset"] if "offset" in asked else (asked.get("page", 1) - 1) * limit
        return Reply({"results": matching[start : start + limit], "total": len(found)})

    return Loopback(answer)


@pytest.mark.parametrize("style", STYLES.values(), ids=STYLES)
@pytest.mark.parametrize("sizes", [{20: 30_000, 23: 30_000}, {0: 30_000, 2: 30_000}, dict.fromkeys(range(40), 9_000)])
def test_a_page_that_is_too_large_is_requested_in_smaller_ones(
    tmp_path: Path, style: dict[str, Any], sizes: dict[int, int]
) -> None:
    """All rows arrive, each once, whatever the style and wherever the large rows are."""
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


def test_a_row_that_fits_no_response_is_a_failure(tmp_path: Path) -> None:
    """After pages of one row, it names the limit to raise."""
    text = edited(
        ORDERS_ONLY,
        add={"streams.orders.pagination": STYLES["page_number"], "api.limits": {"body": "40KB"}},
    )
    with server_of(rows({30: 50_000})) as server, pytest.raises(Failure, match=r"raise api\.limits\.body") as caught:
        sync(connection(tmp_path, server.url, text), {}, Recorder(), Lines())
    assert "page_size=1," in str(caught.value)
