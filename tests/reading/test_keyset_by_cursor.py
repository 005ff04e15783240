"""A list that is read by the time of its last change, oldest first, with a lower bound alone."""

from __future__ import annotations

from datetime import datetime, timedelta
from email.utils import format_datetime
from pathlib import Path
from typing import Any

from dev.testbed.loopback import Reply, Seen
from engine.instants import format_instant, parse_instant
from tests.lists import HEAD, START, alive, synced

TICKETS = f"""{HEAD}
  tickets:
    description: One row per ticket.
    endpoint: GET /tickets
    query: {{updated_since: $from, per_page: $size}}
    from: 2000-01-01
    pagination:
      style: keyset
      field: $.updated
      page_size: 4
      tie_breaker: {{pagination: {{style: page_number, page_size: 4}}}}
    primary_key: id
    cursor_field: updated
    sync_mode: incremental
    incremental:
      changes: {{}}
    fields: {{id: $.id, updated: {{path: $.updated, type: UTC_DATETIME}}}}
"""


class Tickets:
    """Tickets of which each request finds one changed: by turns one that was read, and one that was not yet."""

    def __init__(self, tickets: int) -> None:
        self.now = START
        self.updated = {f"t{n:02}": START - timedelta(hours=tickets - n // 2) for n in range(tickets)}
        self.requests = 0
        self.is_busy = True

    def __call__(self, seen: Seen) -> Reply:
        self.requests += 1
        if self.is_busy:
            self.now += timedelta(seconds=2)
            self.updated[f"t{self.requests * (7 if self.requests % 2 else 3) % len(self.updated):02}"] = self.now
        since = parse_instant(seen.query["updated_since"][0])
        rows = sorted((at, key) for key, at in self.updated.items() if at >= since)
        size = int(seen.query["per_page"][0])
        start = (int(seen.query.get("page", ["1"])[0]) - 1) * size
        page = [{"id": key, "updated": format_instant(at)} for at, key in rows[start : start + size]]
        return Reply(page, headers={"Date": format_datetime(self.now, usegmt=True)})


def test_rows_that_change_while_they_are_read_arrive(tmp_path: Path) -> None:
    """Each moves to a place that is yet to be read, or is read by the next sync: two have its latest version."""
    server = Tickets(40)
    recorder, _ = synced(server, tmp_path, TICKETS)
    changed = sum(at > START for at in server.updated.values())
    server.is_busy = False
    recorder, _ = synced(server, tmp_path, TICKETS, recorder)
    found: dict[Any, datetime] = {key: row["updated"] for key, row in alive(recorder, "tickets").items()}
    assert found == server.updated
    assert changed > 5
