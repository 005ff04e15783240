"""A small API in memory, with a clock of its own. It filters, sorts and pages as Prefect does, and misbehaves on order.

What a test adds to ``misbehaviors`` sees each request before the API does, the last one added first. It can respond by
itself, change what the API responds, or change the API's rows.
"""

from __future__ import annotations

import re
import uuid
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta, timezone
from email.utils import format_datetime
from functools import cache
from random import Random
from threading import RLock
from typing import Any
from urllib.parse import unquote

from dev.testbed.loopback import Answerer, Reply, Seen
from engine.instants import format_instant

Row = dict[str, Any]
Misbehavior = Callable[[Seen, Answerer], Reply]
"""Takes a request and whatever would respond to it otherwise, and returns the response."""

START = datetime(2024, 5, 1, tzinfo=timezone.utc)
NOT_FOUND = Reply({"detail": "Not Found"}, 404)
_EVENTS_PAGE = 50
_UUID = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}")
_OPERATORS = {"any_", "not_any_", "after_", "before_", "is_null_"}


@cache
def new_key(number: int) -> str:
    """A UUID that does not show the order of creation, as most servers make them."""
    return str(uuid.UUID(int=Random(number).getrandbits(128), version=4))


@cache
def order_of(instant: str) -> tuple[str, int]:
    """What orders the API's timestamps, which all end in Z and can be finer than a microsecond."""
    seconds, _, fraction = instant.removesuffix("Z").partition(".")
    return seconds, int(f"{fraction:0<9}")


def newest_first(instant: str) -> list[int]:
    """What orders timestamps by descending time."""
    seconds, fraction = order_of(instant)
    return [-int("".join(filter(str.isdigit, seconds))), -fraction]


@dataclass
class Api:
    """Tables of rows, and the responses to requests for them.

    Attributes:
        tables: The rows of each table by their key. A table without an entry is "not found".
        now: The clock. Each request moves it by ``latency`` seconds.
        cap: Pages are cut to this many rows.
        orders: The order of a table's rows if the request names none.
        late: Rows that become visible late: their table, their key, from when, and how they look until then.
        misbehaviors: What stands between a request and the API.
        requests: The requests, in their order.
    """

    tables: dict[str, dict[str, Row]] = field(default_factory=dict)
    now: datetime = START
    latency: float = 0.01
    cap: int = 200
    orders: dict[str, Callable[[Row], Any]] = field(default_factory=dict)
    late: list[tuple[str, str, datetime, Row | None]] = field(default_factory=list)
    misbehaviors: list[Misbehavior] = field(default_factory=list)
    requests: list[Seen] = field(default_factory=list)
    made: int = 0

    def __post_init__(self) -> None:
        self._lock = RLock()
        self._feeds: list[list[Row]] = []  # the events that were found for each request, which tokens continue

    # --- rows --------------------------------------------------------------------------------------------------------

    def wait(self, seconds: float) -> None:
        """Let time pass."""
        self.now += timedelta(seconds=seconds)

    def set_back(self, seconds: float) -> None:
        """Set the clock back. What becomes visible late still takes as long."""
        self.wait(-seconds)
        self.late = [(table, key, at - timedelta(seconds=seconds), before) for table, key, at, before in self.late]

    def at(self, **ago: float) -> str:
        """An instant, this long before now."""
        return format_instant(self.now - timedelta(**ago))

    def add(self, table: str, **values: Any) -> str:
        """Add a row, created and updated now unless the values say otherwise; returns its key."""
        self.made += 1
        key = str(values.get("id") or new_key(self.made))
        stamps = {"created": self.at(), "updated": self.at()}
        self.tables.setdefault(table, {})[key] = {"id": key, **stamps, "version": 0, **values}
        return key

    def change(self, table: str, key: str, **values: Any) -> None:
        """Change a row: `updated` and `version` move with every change."""
        row = self.tables[table][key]
        self.tables[table][key] = {**row, "updated": self.at(), "version": row["version"] + 1, **values}

    def hide(self, table: str, key: str, before: Row | None, seconds: float) -> None:
        """Hide the last change of a row for some seconds, like a transaction that commits late."""
        self.late.append((table, key, self.now + timedelta(seconds=seconds), before))

    def notify(self, resource: Any, event: str = "changed", **values: Any) -> None:
        """Add an event about a resource."""
        about = {"event": event, "resource": {"prefect.resource.id": resource}}
        self.add("events", **{"occurred": self.at(), "received": self.at(), **about, **values})

    # --- responses ---------------------------------------------------------------------------------------------------

    def answer(self, seen: Seen) -> Reply:
        """The response to a request, after all misbehaviors."""
        with self._lock:
            self.requests.append(seen)
            answer: Answerer = self._behave
            for misbehavior in self.misbehaviors:
                answer = _behind(misbehavior, answer)
            return answer(seen)

    def _behave(self, seen: Seen) -> Reply:
        self.wait(self.latency)
        reply = self._respond(seen)
        return Reply(reply.value, reply.status, reply.body, {"Date": http_date(self.now), **reply.headers})

    def _respond(self, seen: Seen) -> Reply:
        parts = [unquote(part) for part in seen.path.strip("/").split("/")[1:]]
        if parts == ["events", "filter", "next"]:
            return self._more_events(seen)
        if parts == ["events", "filter"]:
            return self._events(seen) if "events" in self.tables else NOT_FOUND
        if parts[-1] in ("filter", "count") and "/".join(parts[:-1]) in self.tables:
            return self._list("/".join(parts[:-1]), parts[-1], seen.json or {})
        if parts[-1] == "filter" and len(parts) == 4 and parts[2] in self.tables:
            return self._children_by_name(parts[0], parts[1], parts[2], seen.json or {})
        if seen.method == "GET" and len(parts) == 2 and parts[0] in self.tables:
            return self._one(*parts)
        if seen.method == "GET" and len(parts) == 1 and parts[0] in self.tables:
            wanted = {name: values[0] for name, values in seen.query.items()}
            rows = self.visible(parts[0])
            return Reply([row for row in rows if all(row.get(name) == value for name, value in wanted.items())])
        return NOT_FOUND

    def _one(self, table: str, key: str) -> Reply:
        """The row with a key."""
        try:
            _check_keys([key])
        except ValueError as error:
            return Reply({"detail": str(error)}, 422)
        found = [row for row in self.visible(table) if row["id"] == key]
        return Reply(found[0]) if found else NOT_FOUND

    def visible(self, table: str) -> list[Row]:
        """The rows of a table as a reader sees them now."""
        rows = dict(self.tables[table])
        for late, key, visible_from, before in reversed(self.late):
            if late == table and key in rows and visible_from > self.now:
                rows[key] = before or {}
        return [row for row in rows.values() if row]

    def _list(self, table: str, kind: str, body: Mapping[str, Any]) -> Reply:
        rows = self.visible(table)
        try:
            for name, conditions in body.items():
                if name == table.rpartition("/")[2]:
                    _check_keys(conditions.get("id", {}).get("any_", ()))
                    rows = [row for row in rows if _matches(row, conditions)]
                elif isinstance(conditions, dict):
                    rows = self._of_parents(rows, name, conditions)
        except ValueError as error:
            return Reply({"detail": str(error)}, 422)
        return Reply(len(rows)) if kind == "count" else self._page(table, rows, body)

    def _of_parents(self, rows: Sequence[Row], table: str, conditions: Mapping[str, Any]) -> list[Row]:
        parents = {row["id"] for row in self.tables.get(table, {}).values() if _matches(row, conditions)}
        return [row for row in rows if row.get(f"{table.removesuffix('s')}_id") in parents]

    def _children_by_name(self, table: str, name: str, children: str, body: Mapping[str, Any]) -> Reply:
        if not any(row["name"] == name for row in self.tables.get(table, {}).values()):
            return Reply({"detail": f"{name} not found"}, 404)
        return self._page(children, [row for row in self.visible(children) if row["parent_name"] == name], body)

    def _page(self, table: str, rows: Sequence[Row], body: Mapping[str, Any]) -> Reply:
        ordered = sorted(rows, key=lambda row: str(row["id"]), reverse=True)
        field_name, _, direction = body.get("sort", "").lower().rpartition("_")
        if field_name not in ("", "id"):
            # Nulls are the greatest, as in PostgreSQL.
            ordered.sort(key=lambda row: _sortable(row.get(field_name)), reverse=direction == "desc")
        elif table in self.orders and not field_name:
            ordered.sort(key=self.orders[table])
        offset = body.get("offset", 0)
        return Reply(ordered[offset : offset + min(body.get("limit", self.cap), self.cap)])

    def _events(self, seen: Seen) -> Reply:
        wanted = (seen.json or {}).get("filter", {})
        occurred = wanted.get("occurred", {})
        low, high = occurred.get("since", "0"), occurred.get("until", "9999-12-31T23:59:59.999999Z")
        skipped = wanted.get("event", {}).get("exclude_name", ())
        found = [
            row
            for row in self.visible("events")
            if order_of(low) <= order_of(row["occurred"]) <= order_of(high) and row["event"] not in skipped
        ]
        found.sort(key=lambda row: order_of(row["occurred"]), reverse=wanted.get("order") != "ASC")
        self._feeds.append(found)
        return self._events_from(len(self._feeds) - 1, 0, min(seen.json.get("limit", _EVENTS_PAGE), _EVENTS_PAGE))

    def _more_events(self, seen: Seen) -> Reply:
        return self._events_from(*map(int, seen.query["page-token"][0].split("-")))

    def _events_from(self, feed: int, first: int, limit: int) -> Reply:
        found, end = self._feeds[feed], first + limit
        following = f"http://elsewhere.test/api/events/filter/next?page-token={feed}-{end}-{limit}"
        more = following if end < len(found) else None
        return Reply({"events": found[first:end], "total": len(found), "next_page": more})


def _behind(misbehavior: Misbehavior, answer: Answerer) -> Answerer:
    return lambda seen: misbehavior(seen, answer)


def http_date(instant: datetime) -> str:
    """An instant as a Date header, which has no fractions of a second."""
    return format_datetime(instant, usegmt=True)


def _sortable(value: Any) -> tuple[bool, Any]:
    if isinstance(value, str) and value.endswith("Z"):
        return False, order_of(value)
    return value is None, "" if value is None else value


def _matches(row: Mapping[str, Any], conditions: Mapping[str, Any]) -> bool:
    return all(
        _satisfies(row.get(name), wanted) if wanted.keys() <= _OPERATORS else _matches(row.get(name) or {}, wanted)
        for name, wanted in conditions.items()
    )


def _satisfies(value: Any, wanted: Mapping[str, Any]) -> bool:
    if "any_" in wanted and value not in wanted["any_"]:
        return False
    if value in wanted.get("not_any_", ()):
        return False
    if "is_null_" in wanted and (value is None) != wanted["is_null_"]:
        return False
    bounds = {name: _bound(wanted[name]) for name in ("after_", "before_") if wanted.get(name) is not None}
    if not bounds:
        return True
    if value is None:
        return False
    return bounds.get("after_", ("", 0)) <= order_of(value) <= bounds.get("before_", ("9999-99", 0))


def _check_keys(keys: Sequence[Any]) -> None:
    """Refuse keys of another form, as servers do that validate their requests.

    Raises:
        ValueError: one is not a UUID.
    """
    for key in keys:
        if not isinstance(key, str) or not _UUID.fullmatch(key):
            raise ValueError(f"value is not a valid uuid: {str(key)[:40]}")


@cache
def _bound(text: str) -> tuple[str, int]:
    """A timestamp of a request, which must have a year of four digits.

    Raises:
        ValueError: it has not.
    """
    if not re.fullmatch(r"\d{4}-.*Z", text):
        raise ValueError(f"invalid datetime: {text}")
    return order_of(text)
