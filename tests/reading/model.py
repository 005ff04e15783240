"""A server of runs in memory, with its own clock: it does to rows what Prefect does, as far as a reader can see.

Runs are created, change state, are edited and deleted. Changes can become visible later than they are dated. Pages can
be capped. It hides what a real server hides: the end of a run is set once; a change between final states and an edit of
a finished run leave it alone; a run that ended before it started has no end (unless ``ends_always``); no filter knows
``updated``; a filter by a state that the server does not know (``unknown_states``) is rejected.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime, timedelta, timezone
from email.utils import format_datetime
from typing import Any

from dev.testbed.loopback import Reply, Seen
from engine.instants import format_instant, parse_instant

OPEN = ("SCHEDULED", "RUNNING")
FINAL = ("COMPLETED", "FAILED")
START = datetime(2024, 5, 1, tzinfo=timezone.utc)

Run = dict[str, Any]

STREAMS = """
version: 1
name: Model
configuration:
  api_url: {type: url, description: Where it is., required: true}
api:
  base_url: ${api_url}
  pagination: {style: offset, page_size: 4}
  lookback: 5m
  retry: {attempts: 1}
streams:
  runs:
    description: One row per run.
    endpoint: POST /runs/filter
    primary_key: id
    cursor_field: updated
    sync_mode: incremental
    body: {runs: {expected: {after_: $from, before_: $to}}, sort: EXPECTED_ASC}
    pagination:
      style: keyset
      field: $.expected
      tie_breaker: {body: {sort: ID_DESC}}
      page_size: 4
    count: {endpoint: POST /runs/count, body: {runs: {expected: {after_: $from, before_: $to}}}}
    incremental:
      changes:
        - body: {runs: {end: {after_: $since}}, sort: END_DESC}
          filters_by: $.end
          fallback:
            body: {runs: {state: {any_: [COMPLETED, FAILED]}, start: {is_null_: false}}, sort: END_DESC}
            stop_at: $.end
            filters_by: $.end
        - body:
            runs: {state: {any_: [COMPLETED, FAILED]}, start: {is_null_: true}, expected: {after_: $since-7d}}
            sort: ID_DESC
      open: {field: $.state, values: [SCHEDULED, RUNNING], body: {runs: {state: {any_: $open}}, sort: ID_DESC}}
      change_feed:
        endpoint: POST /events/filter
        body: {since: $since}
        records: $.events
        key: $.id
        names: $.run
        prefix: run.
        pagination: {style: token, token: $.next, query: {token: $token}, endpoint: GET /events/next}
      lookup: {body: {runs: {id: {any_: $keys}}, sort: ID_DESC}}
      reconcile: 24h
    fields:
      id: $.id
      updated: {path: $.updated, type: UTC_DATETIME}
      state: $.state
      name: $.name
"""


@dataclass
class Model:
    """The server. ``now`` is its clock; only :meth:`wait` moves it."""

    has_end_filter: bool = True
    has_events: bool = True
    ends_always: bool = True
    unknown_states: frozenset[str] = frozenset()
    cap: int = 4
    now: datetime = START
    runs: dict[str, Run] = field(default_factory=dict)
    events: list[Run] = field(default_factory=list)
    late: list[tuple[datetime, str, Run | None]] = field(default_factory=list)  # (visible from, id, the run before)
    made: int = 0

    # --- changes -----------------------------------------------------------------------------------------------------

    def wait(self, seconds: float) -> None:
        """Let time pass."""
        self.now += timedelta(seconds=seconds)

    def make(self, state: str, expected_in_minutes: int) -> None:
        """Create a run in a state, expected to start some minutes after (or before) now."""
        self.made += 1
        key = f"{(self.made * 7919) % 10007:05}-{self.made}"  # like a UUID, it does not show the order of creation
        expected = (self.now + timedelta(minutes=expected_in_minutes)).replace(second=0, microsecond=0)
        run = {"id": key, "name": "", "state": "SCHEDULED", "expected": format_instant(expected)}
        self.runs[key] = {**run, "start": None, "end": None, "updated": format_instant(self.now)}
        self.move(key, state)

    def move(self, key: str, state: str) -> None:
        """Set a run's state."""
        run = self.runs[key]
        if state == "RUNNING" and run["start"] is None:
            run["start"] = format_instant(self.now)
        if state in FINAL and run["end"] is None and (run["start"] or self.ends_always):
            run["start"] = run["start"] or format_instant(self.now)
            run["end"] = format_instant(self.now)
        if state in OPEN:
            run["end"] = None
        run |= {"state": state, "updated": format_instant(self.now)}
        self.events.append({"id": len(self.events), "run": f"run.{key}", "at": format_instant(self.now)})

    def edit(self, key: str) -> None:
        """Rename a run."""
        self.runs[key] |= {"name": f"edited at {self.now:%H:%M:%S.%f}", "updated": format_instant(self.now)}

    def delete(self, key: str) -> None:
        """Delete a run, without a trace."""
        del self.runs[key]

    def show_later(self, key: str, before: Run | None, seconds: float) -> None:
        """Hide the last change of a run for some seconds, like a transaction that commits late."""
        self.late.append((self.now + timedelta(seconds=seconds), key, before))

    # --- responses ---------------------------------------------------------------------------------------------------

    def visible(self) -> list[Run]:
        """The runs as a reader sees them now."""
        rows = dict(self.runs)
        for visible_from, key, before in reversed(self.late):
            if visible_from > self.now and key in rows:
                if before is None:
                    del rows[key]
                else:
                    rows[key] = before
        return list(rows.values())

    def answer(self, seen: Seen) -> Reply:
        """Respond to a request, dated by the server's clock."""
        self.wait(0.01)
        headers = {"Date": format_datetime(self.now, usegmt=True)}
        if seen.path.startswith("/api/events") and not self.has_events:
            return Reply({"detail": "Not Found"}, 404, headers=headers)
        if seen.path.endswith("/events/filter"):
            return Reply(self._events(seen.json["since"], 0), headers=headers)
        if seen.path.endswith("/events/next"):
            since, at = seen.query["token"][0].split("|")
            return Reply(self._events(since, int(at)), headers=headers)
        wanted = seen.json.get("runs", {})
        if "end" in wanted and not self.has_end_filter:
            return Reply({"detail": "extra fields not permitted"}, 422, headers=headers)
        if self.unknown_states.intersection(wanted.get("state", {}).get("any_", ())):
            return Reply({"detail": "value is not a valid enumeration member"}, 422, headers=headers)
        rows = [run for run in self.visible() if all(_matches(run, name, want) for name, want in wanted.items())]
        if seen.path.endswith("/runs/count"):
            return Reply(len(rows), headers=headers)
        rows.sort(key=lambda run: run["id"], reverse=True)
        if seen.json["sort"].startswith(("EXPECTED", "UPDATED")):
            column, direction = seen.json["sort"].lower().split("_")
            rows.sort(key=lambda run: run[column], reverse=direction == "desc")
        if seen.json["sort"] == "END_DESC":
            rows.sort(key=lambda run: run["end"] or "9", reverse=True)  # nulls first, as in PostgreSQL
        offset = seen.json.get("offset", 0)
        page = rows[offset : offset + min(seen.json["limit"], self.cap)]
        return Reply([dict(run) for run in page], headers=headers)

    def _events(self, since: str, at: int) -> dict[str, Any]:
        found = [event for event in self.events if parse_instant(event["at"]) >= parse_instant(since)]
        token = f"http://elsewhere.test/api/events/next?token={since}|{at + 5}" if at + 5 < len(found) else None
        return {"events": found[at : at + 5], "next": token}


def _matches(run: Run, name: str, want: dict[str, Any]) -> bool:
    value = run[name]
    if "any_" in want and value not in want["any_"]:
        return False
    if "is_null_" in want and (value is None) != want["is_null_"]:
        return False
    if ("after_" in want or "before_" in want) and value is None:
        return False
    if "after_" in want and parse_instant(value) < parse_instant(want["after_"]):
        return False
    return "before_" not in want or parse_instant(value) <= parse_instant(want["before_"])
