"""`stop_at`: a list sorted newest first is read until a row is older."""

from __future__ import annotations

from datetime import datetime, timezone

import pytest

from engine.declare.types import Endpoint
from engine.failures import ReadFailure
from engine.instants import parse_instant
from engine.jsonpath import compile_path
from engine.pagination.offset import Offset
from engine.pagination.stop_at import StopAtPaginator
from engine.requests import Page, Request

FIRST = Request(Endpoint("POST", "/runs/filter"), body={"sort": "AT_DESC"})


def newest_first(*minutes: int | None) -> Page:
    entries = [(m, {"at": None if m is None else f"2024-05-01T10:{m:02}:00Z"}) for m in minutes]
    return Page(entries)


def stopped_at(minute: int) -> StopAtPaginator:
    paginator = Offset(page_size=3).paginate(FIRST)
    oldest = datetime(2024, 5, 1, 10, minute, tzinfo=timezone.utc)
    return StopAtPaginator(
        paginator, compile_path("$.at"), oldest, lambda record: record["at"] and parse_instant(record["at"])
    )


def test_stops_at_the_first_older_row() -> None:
    """A row of exactly that time is returned; after an older one, no request is sent."""
    paginator = stopped_at(30)
    assert len(paginator.advance(newest_first(50, 40, 35))) == 3
    assert paginator.request is not None
    assert [key for key, _ in paginator.advance(newest_first(35, 30, 29))] == [30]
    assert paginator.request is None


def test_a_row_without_the_timestamp_is_a_failure() -> None:
    """Databases sort nulls first or last as they like, so the request must exclude them."""
    with pytest.raises(ReadFailure, match=r"no timestamp at \$\.at"):
        stopped_at(30).advance(newest_first(None, 50))
